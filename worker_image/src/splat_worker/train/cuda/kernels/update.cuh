// From a view's per-Gaussian sums to parameter gradients, and at once to parameters: one pass over each Gaussian.
// Gradients never go through memory unless they are asked for; leaves `moments` zero for the next step.
#pragma once

#include "preprocess.cuh"

namespace splat {

// A counter-based generator, so that a step's random numbers depend only on (seed, Gaussian): the finaliser of
// MurmurHash3 over both, then Box-Muller.
SPLAT_HD uint32_t mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    return h ^ (h >> 16);
}

SPLAT_D void three_normals(uint32_t seed, uint32_t i, float* out) {
    float u[4];
    for (uint32_t k = 0; k < 4; ++k) u[k] = ((mix(mix(seed + 0x9e3779b9u * (k + 1)) ^ mix(i)) >> 8) + 0.5f) * (1.f / 16777216.f);
    const float r0 = sqrtf(-2.f * logf(u[0])), r1 = sqrtf(-2.f * logf(u[2]));
    out[0] = r0 * cosf(6.283185307f * u[1]);
    out[1] = r0 * sinf(6.283185307f * u[1]);
    out[2] = r1 * cosf(6.283185307f * u[3]);
}

// What a parameter's gradient becomes: stored (kStep false) or an Adam step (kStep true).
template <bool kStep>
struct Sink {
    const Buffers& b;
    const Update& u;
    int64_t i;

    SPLAT_D void operator()(int row, float rate, float gradient) const {
        const int64_t at = row * b.stride + i;
        if (!kStep) {
            b.grads[at] = gradient;
            return;
        }
        const float m = u.decay_first * b.first_moment[at] + (1.f - u.decay_first) * gradient;
        const float v = u.decay_second * b.second_moment[at] + (1.f - u.decay_second) * gradient * gradient;
        b.first_moment[at] = m;
        b.second_moment[at] = v;
        b.params[at] -= rate * m / (sqrtf(v) + u.epsilon);
    }
};

template <int kDegree, bool kStep>
__global__ void update(Buffers b, Camera cam, int n, Update u) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const Sink<kStep> sink{b, u, i};
    const bool seen = b.tiles_hit[i] > 0;
    constexpr int kUsed = (kDegree + 1) * (kDegree + 1);

    const Gaussian g = load_gaussian(b.params, b.stride, i);
    const float opacity = 1.f / (1.f + expf(-b.params[kRowOpacity * b.stride + i]));
    float d_mean[3] = {0.f, 0.f, 0.f}, d_scale[3] = {0.f, 0.f, 0.f}, d_quat[4] = {0.f, 0.f, 0.f, 0.f}, d_logit = 0.f;
    float d_colour[3] = {0.f, 0.f, 0.f}, f[kShCoefficients];
    Projection o;
    if (seen && project(cam, g, o)) {
        float4* sums = b.moments + 3 * static_cast<int64_t>(i);
        const float4 s0 = sums[0], s1 = sums[1], s2 = sums[2];
        const float4 zero = make_float4(0.f, 0.f, 0.f, 0.f);
        sums[0] = zero;
        sums[1] = zero;
        sums[2] = zero;
        const float dx = o.a * s0.y + o.b * s0.z, dy = o.b * s0.y + o.c * s0.z;
        project_backward(cam, g, o, dx, dy, -0.5f * s0.w, -s1.x, -0.5f * s1.y, d_mean, d_scale, d_quat);
        d_logit = (1.f - opacity) * s0.x;

        const float4 shown1 = b.splats[3 * i + 1], shown2 = b.splats[3 * i + 2];
        // A colour that was clamped to black passes nothing on.
        d_colour[0] = shown1.z > 0.f ? s1.z : 0.f;
        d_colour[1] = shown1.w > 0.f ? s1.w : 0.f;
        d_colour[2] = shown2.x > 0.f ? s2.x : 0.f;
        float d[3], inverse_length;
        unit_direction<kDegree>(cam, g.mean, d, inverse_length);
        harmonics<kDegree>(d[0], d[1], d[2], f);
        if (kDegree > 0) {
            float w[kShCoefficients];
#pragma unroll
            for (int k = 1; k < kUsed; ++k) {
                w[k] = 0.f;
                for (int c = 0; c < 3; ++c) w[k] += d_colour[c] * b.params[(kRowSh + 3 * k + c) * b.stride + i];
            }
            float dd[3];
            harmonics_gradient<kDegree>(d[0], d[1], d[2], w, dd);
            const float along = dot3(dd, d);
            for (int c = 0; c < 3; ++c) d_mean[c] += (dd[c] - along * d[c]) * inverse_length;
        }
        if (b.stats != nullptr) {
            // |pixel gradients| and not their sum (Ye et al. 2024, AbsGS), in units of half the picture, so that
            // thresholds do not depend on its size (as in 3DGS).
            const float gx = 0.5f * cam.width * s2.y, gy = 0.5f * cam.height * s2.z;
            b.stats[i] += sqrtf(gx * gx + gy * gy);
            b.stats[b.stride + i] += 1.f;
            b.stats[2 * b.stride + i] += s2.w;
            const float extent = 2.f * shown2.y / static_cast<float>(cam.width > cam.height ? cam.width : cam.height);
            b.stats[3 * b.stride + i] = fmaxf(b.stats[3 * b.stride + i], extent);
        }
        if (!kStep) {
            b.grads[kRows * b.stride + i] = dx;
            b.grads[(kRows + 1) * b.stride + i] = dy;
            b.grads[(kRows + 2) * b.stride + i] = s2.w;
        }
    } else {
        for (int k = 0; k < kShCoefficients; ++k) f[k] = 0.f;
        if (!kStep)
            for (int k = kRows; k < kGradRows; ++k) b.grads[k * b.stride + i] = 0.f;
    }
    if (kStep) {
        d_logit += u.opacity_weight * opacity * (1.f - opacity) / n;
        for (int k = 0; k < 3; ++k) d_scale[k] += u.scale_weight * expf(g.log_scale[k]) / (3.f * n);
    }

#pragma unroll
    for (int k = 0; k < 3; ++k) sink(kRowMean + k, u.rate_mean, d_mean[k]);
#pragma unroll
    for (int k = 0; k < 3; ++k) sink(kRowScale + k, u.rate_scale, d_scale[k]);
#pragma unroll
    for (int k = 0; k < 4; ++k) sink(kRowQuat + k, u.rate_quat, d_quat[k]);
    sink(kRowOpacity, u.rate_opacity, d_logit);
#pragma unroll
    for (int k = 0; k < kUsed; ++k)
#pragma unroll
        for (int c = 0; c < 3; ++c) sink(kRowSh + 3 * k + c, k == 0 ? u.rate_sh0 : u.rate_sh, f[k] * d_colour[c]);

    if (kStep && u.noise > 0.f) {
        // Kheradmand et al. 2024 (3DGS-MCMC): a random walk along the Gaussian's own shape, only where it is faint.
        float e[3], q[9];
        three_normals(u.seed, i, e);
        const float inverse = rsqrtf(fmaxf(g.quat[0] * g.quat[0] + g.quat[1] * g.quat[1] + g.quat[2] * g.quat[2] + g.quat[3] * g.quat[3], 1e-24f));
        rotation(g.quat[0] * inverse, g.quat[1] * inverse, g.quat[2] * inverse, g.quat[3] * inverse, q);
        const float faint = u.noise / (1.f + expf(-100.f * ((1.f - opacity) - 0.995f)));
        float along[3];
        for (int k = 0; k < 3; ++k)
            along[k] = expf(2.f * g.log_scale[k]) * faint * (q[k] * e[0] + q[3 + k] * e[1] + q[6 + k] * e[2]);
        for (int c = 0; c < 3; ++c)
            b.params[(kRowMean + c) * b.stride + i] += q[3 * c] * along[0] + q[3 * c + 1] * along[1] + q[3 * c + 2] * along[2];
    }
}

}  // namespace splat
