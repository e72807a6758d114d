// From parameters to what a view needs of each Gaussian: screen ellipse, colour, depth, tiles it may colour.
// Never sorts and never touches pixels.
#pragma once

#include "projection.cuh"

namespace splat {

// What rasterising reads, three float4 a Gaussian:
//   [0] x, y (px), A, B    [1] C, L, red, green    [2] blue, reach (px, half the longer extent), 0, 0
// with log2(alpha) = L - (A dx^2 + B dx dy + C dy^2): one exp2 and no further scaling per pixel.
struct Ellipse {
    float x, y, a, b, c, level;  // as above, level = L + log2(255): positive inside the visible ellipse
};

SPLAT_HD Ellipse ellipse_of(const float4& s0, const float4& s1) {
    return {s0.x, s0.y, s0.z, 0.5f * s0.w, s1.x, s1.y + kLog2Of255};
}

struct Span {
    int begin, end;
};

// Tile rows whose pixel centres the visible ellipse can reach.
SPLAT_HD Span tile_rows(const Ellipse& e, int tiles_y) {
    const float reach = sqrtf(e.level * e.a / (e.a * e.c - e.b * e.b));
    const float first = ceilf((e.y - reach - (kTile - 0.5f)) / kTile);
    const float last = floorf((e.y + reach - 0.5f) / kTile);
    return {static_cast<int>(fmaxf(first, 0.f)), static_cast<int>(fminf(last, tiles_y - 1.f)) + 1};
}

// Tiles of one row whose pixel centres the visible ellipse reaches: exact, as the ellipse is convex, so that its
// extent within the row's band is at its own extreme point or at a border of the band.
SPLAT_HD Span tile_columns(const Ellipse& e, int row, int tiles_x) {
    const float det = e.a * e.c - e.b * e.b;
    const float y_reach = sqrtf(e.level * e.a / det), x_reach = sqrtf(e.level * e.c / det);
    const float top = row * kTile + 0.5f - e.y;
    const float low = fmaxf(top, -y_reach), high = fminf(top + (kTile - 1), y_reach);
    const float extreme = e.b / e.c * x_reach;  // dy of the leftmost point; minus that, of the rightmost
    const float dl = fminf(fmaxf(extreme, low), high), dr = fminf(fmaxf(-extreme, low), high);
    const float ia = 1.f / e.a;
    const float left = (-e.b * dl - sqrtf(fmaxf(e.a * e.level - det * dl * dl, 0.f))) * ia;
    const float right = (-e.b * dr + sqrtf(fmaxf(e.a * e.level - det * dr * dr, 0.f))) * ia;
    const float first = ceilf((e.x + left - (kTile - 0.5f)) / kTile);
    const float last = floorf((e.x + right - 0.5f) / kTile);
    return {static_cast<int>(fmaxf(first, 0.f)), static_cast<int>(fminf(last, tiles_x - 1.f)) + 1};
}

SPLAT_HD uint32_t count_tiles(const Ellipse& e, int tiles_x, int tiles_y) {
    uint32_t n = 0;
    const Span rows = tile_rows(e, tiles_y);
    for (int row = rows.begin; row < rows.end; ++row) {
        const Span columns = tile_columns(e, row, tiles_x);
        if (columns.end > columns.begin) n += columns.end - columns.begin;
    }
    return n;
}

// Depths sort as the integers of their bits, since they are positive; four bits are dropped, which leaves a
// relative step of 2^-19 and one radix pass less.
SPLAT_HD uint32_t depth_bits(float depth) {
    union { float f; uint32_t u; } near{kNear}, d{depth};
    const uint32_t key = (d.u - near.u) >> 4;
    const uint32_t most = (1u << kDepthBits) - 2;
    return key < most ? key : most;
}

template <int kDegree>
SPLAT_HD void unit_direction(const Camera& cam, const float* mean, float* d, float& inverse_length) {
    for (int i = 0; i < 3; ++i) d[i] = mean[i] - cam.position[i];
    inverse_length = 1.f / sqrtf(fmaxf(dot3(d, d), 1e-24f));
    for (int i = 0; i < 3; ++i) d[i] *= inverse_length;
}

SPLAT_HD Gaussian load_gaussian(const float* params, int64_t stride, int i) {
    Gaussian g;
    for (int k = 0; k < 3; ++k) g.mean[k] = params[(kRowMean + k) * stride + i];
    for (int k = 0; k < 3; ++k) g.log_scale[k] = params[(kRowScale + k) * stride + i];
    for (int k = 0; k < 4; ++k) g.quat[k] = params[(kRowQuat + k) * stride + i];
    return g;
}

template <int kDegree>
__global__ void preprocess(Buffers b, Camera cam, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    b.identity[i] = i;
    uint32_t key = (1u << kDepthBits) - 1, tiles = 0;
    const Gaussian g = load_gaussian(b.params, b.stride, i);
    const float logit = b.params[kRowOpacity * b.stride + i];
    const float opacity = 1.f / (1.f + expf(-logit));
    Projection o;
    if (opacity > kAlphaMin && project(cam, g, o)) {
        const float4 s0 = make_float4(o.x, o.y, 0.5f * kLog2E * o.a, kLog2E * o.b);
        float4 s1 = make_float4(0.5f * kLog2E * o.c, log2f(opacity), 0.f, 0.f);
        tiles = count_tiles(ellipse_of(s0, s1), cam.tiles_x(), cam.tiles_y());
        if (tiles > 0) {
            key = depth_bits(o.p[2]);
            float d[3], length, f[kShCoefficients], colour[3] = {0.5f, 0.5f, 0.5f};
            unit_direction<kDegree>(cam, g.mean, d, length);
            harmonics<kDegree>(d[0], d[1], d[2], f);
#pragma unroll
            for (int k = 0; k < (kDegree + 1) * (kDegree + 1); ++k)
                for (int c = 0; c < 3; ++c) colour[c] += f[k] * b.params[(kRowSh + 3 * k + c) * b.stride + i];
            s1.z = fmaxf(colour[0], 0.f);
            s1.w = fmaxf(colour[1], 0.f);
            b.splats[3 * i] = s0;
            b.splats[3 * i + 1] = s1;
            const float reach = sqrtf(2.f * (s1.y + kLog2Of255) / kLog2E * fmaxf(o.cov_xx, o.cov_yy));
            b.splats[3 * i + 2] = make_float4(fmaxf(colour[2], 0.f), reach, 0.f, 0.f);
        }
    }
    b.depth_key[i] = key;
    b.tiles_hit[i] = tiles;
}

}  // namespace splat
