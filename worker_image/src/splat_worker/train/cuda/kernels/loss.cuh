// Loss of a picture against a photo, (1 - w) L1 + w (1 - SSIM), and its gradient by every pixel.
// The photo stays uint8 as it lies in memory; masked pixels count as equal in both.
#pragma once

#include "types.cuh"

namespace splat {

constexpr int kSsimReach = 5;
constexpr int kSsimTaps = 2 * kSsimReach + 1;
constexpr int kSsimSide = 16;
constexpr int kSsimHalo = kSsimSide + 2 * kSsimReach;
constexpr int kSsimThreads = kSsimSide * kSsimSide;
constexpr float kPerByte = 1.f / 255.f;

// Normalised Gaussian of sigma 1.5 at -5 .. 5 (Wang et al. 2004).
__constant__ const float kSsimWindow[kSsimTaps] = {
    0.001028380123898387f, 0.007598758135239185f, 0.036000773310661316f, 0.10936068743467331f,
    0.21300552785396576f,  0.26601171493530273f,  0.21300552785396576f,  0.10936068743467331f,
    0.036000773310661316f, 0.007598758135239185f, 0.001028380123898387f};

SPLAT_HD const float* map_of(const Photo& photo) {
    return photo.exposures == nullptr ? nullptr : photo.exposures + 36 * photo.view;
}

SPLAT_D bool wanted(const Photo& photo, int64_t pixel) { return photo.mask == nullptr || photo.mask[pixel] != 0; }

// The picture's colour at a pixel as this photo would show it.
SPLAT_D float seen(const float* image, int64_t plane, int64_t pixel, int channel, const float* map) {
    if (map == nullptr) return image[channel * plane + pixel];
    const float* m = map + 4 * channel;
    return m[0] * image[pixel] + m[1] * image[plane + pixel] + m[2] * image[2 * plane + pixel] + m[3];
}

// Sum over the block's threads, added to *total by the first.
SPLAT_D void add_block_sum(float value, float* scratch, float* total) {
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kFullWarp, value, step);
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    if (threadIdx.x == 0) {
        float sum = 0.f;
        for (int i = 0; i < kSsimThreads / kWarp; ++i) sum += scratch[i];
        atomicAdd(total, sum);
    }
    __syncthreads();
}

// One block: one 16 x 16 patch of one channel. Writes the derivatives of the pixel's SSIM by the window means of
// x, x^2 and x y to maps 3 c .. 3 c + 2. Outside the picture both are
// black; a masked pixel shows the photo, and its own similarity counts as perfect.
__global__ void ssim_forward(Buffers b, int width, int height, Photo photo) {
    __shared__ float2 patch[kSsimHalo][kSsimHalo];
    __shared__ float rows[5][kSsimHalo][kSsimSide];
    __shared__ float scratch[kSsimThreads / kWarp];
    const int channel = blockIdx.z;
    const int left = blockIdx.x * kSsimSide, top = blockIdx.y * kSsimSide;
    const int64_t plane = static_cast<int64_t>(width) * height;
    const float* map = map_of(photo);
    for (int i = threadIdx.x; i < kSsimHalo * kSsimHalo; i += kSsimThreads) {
        const int ix = i % kSsimHalo, iy = i / kSsimHalo;
        const int x = left + ix - kSsimReach, y = top + iy - kSsimReach;
        float2 v = make_float2(0.f, 0.f);
        if (x >= 0 && x < width && y >= 0 && y < height) {
            const int64_t pixel = static_cast<int64_t>(y) * width + x;
            v.y = photo.rgb[3 * pixel + channel] * kPerByte;
            v.x = wanted(photo, pixel) ? seen(b.image, plane, pixel, channel, map) : v.y;
        }
        patch[iy][ix] = v;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < kSsimHalo * kSsimSide; i += kSsimThreads) {
        const int ix = i % kSsimSide, iy = i / kSsimSide;
        float sx = 0.f, sy = 0.f, sxx = 0.f, syy = 0.f, sxy = 0.f;
#pragma unroll
        for (int k = 0; k < kSsimTaps; ++k) {
            const float2 v = patch[iy][ix + k];
            const float wx = kSsimWindow[k] * v.x, wy = kSsimWindow[k] * v.y;
            sx += wx;
            sy += wy;
            sxx += wx * v.x;
            syy += wy * v.y;
            sxy += wx * v.y;
        }
        rows[0][iy][ix] = sx;
        rows[1][iy][ix] = sy;
        rows[2][iy][ix] = sxx;
        rows[3][iy][ix] = syy;
        rows[4][iy][ix] = sxy;
    }
    __syncthreads();
    const int ix = threadIdx.x % kSsimSide, iy = threadIdx.x / kSsimSide;
    const int x = left + ix, y = top + iy;
    const bool inside = x < width && y < height;
    float m[5] = {0.f, 0.f, 0.f, 0.f, 0.f};
#pragma unroll
    for (int k = 0; k < kSsimTaps; ++k)
#pragma unroll
        for (int j = 0; j < 5; ++j) m[j] += kSsimWindow[k] * rows[j][iy + k][ix];
    constexpr float c1 = 0.01f * 0.01f, c2 = 0.03f * 0.03f;
    const float a1 = 2.f * m[0] * m[1] + c1, a2 = 2.f * (m[4] - m[0] * m[1]) + c2;
    const float b1 = m[0] * m[0] + m[1] * m[1] + c1;
    const float b2 = (m[2] - m[0] * m[0]) + (m[3] - m[1] * m[1]) + c2;
    const float inverse = 1.f / (b1 * b2);
    const float ssim = a1 * a2 * inverse;
    float error = 0.f, similarity = 0.f;
    if (inside) {
        const int64_t pixel = static_cast<int64_t>(y) * width + x;
        const bool counts = wanted(photo, pixel);
        float* maps = b.ssim_maps + 3 * channel * plane + pixel;
        maps[0] = counts ? 2.f * m[1] * (a2 - a1) * inverse - 2.f * ssim * m[0] * (1.f / b1 - 1.f / b2) : 0.f;
        maps[plane] = counts ? -ssim / b2 : 0.f;
        maps[2 * plane] = counts ? 2.f * a1 * inverse : 0.f;
        const float2 own = patch[iy + kSsimReach][ix + kSsimReach];
        error = fabsf(own.x - own.y);
        if (channel == 0 && b.errors != nullptr) {
            float sum = error;
            for (int c = 1; c < 3; ++c)
                sum += fabsf(seen(b.image, plane, pixel, c, map) - photo.rgb[3 * pixel + c] * kPerByte);
            b.errors[pixel] = counts ? sum / 3.f : 0.f;
        }
        similarity = counts ? ssim : 1.f;
    }
    add_block_sum(error, scratch, b.loss_sums);
    add_block_sum(similarity, scratch, b.loss_sums + 1);
}

// Spreads the three maps back over each window. l1_weight and ssim_weight: of one pixel and channel in the loss.
__global__ void loss_backward(Buffers b, int width, int height, Photo photo, float l1_weight, float ssim_weight) {
    __shared__ float patch[3][kSsimHalo][kSsimHalo];
    __shared__ float rows[3][kSsimHalo][kSsimSide];
    const int channel = blockIdx.z;
    const int left = blockIdx.x * kSsimSide, top = blockIdx.y * kSsimSide;
    const int64_t plane = static_cast<int64_t>(width) * height;
    const float* maps = b.ssim_maps + 3 * channel * plane;
    for (int i = threadIdx.x; i < kSsimHalo * kSsimHalo; i += kSsimThreads) {
        const int ix = i % kSsimHalo, iy = i / kSsimHalo;
        const int x = left + ix - kSsimReach, y = top + iy - kSsimReach;
        const bool inside = x >= 0 && x < width && y >= 0 && y < height;
        const int64_t pixel = static_cast<int64_t>(y) * width + x;
        for (int j = 0; j < 3; ++j) patch[j][iy][ix] = inside ? maps[j * plane + pixel] : 0.f;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < kSsimHalo * kSsimSide; i += kSsimThreads) {
        const int ix = i % kSsimSide, iy = i / kSsimSide;
        float s[3] = {0.f, 0.f, 0.f};
#pragma unroll
        for (int k = 0; k < kSsimTaps; ++k)
#pragma unroll
            for (int j = 0; j < 3; ++j) s[j] += kSsimWindow[k] * patch[j][iy][ix + k];
#pragma unroll
        for (int j = 0; j < 3; ++j) rows[j][iy][ix] = s[j];
    }
    __syncthreads();
    const int ix = threadIdx.x % kSsimSide, iy = threadIdx.x / kSsimSide;
    const int x = left + ix, y = top + iy;
    float s[3] = {0.f, 0.f, 0.f};
#pragma unroll
    for (int k = 0; k < kSsimTaps; ++k)
#pragma unroll
        for (int j = 0; j < 3; ++j) s[j] += kSsimWindow[k] * rows[j][iy + k][ix];
    const int64_t pixel = static_cast<int64_t>(y) * width + x;
    const bool inside = x < width && y < height;
    const float* map = map_of(photo);
    float gradient = 0.f;
    if (inside && wanted(photo, pixel)) {
        const float shown = seen(b.image, plane, pixel, channel, map), truth = photo.rgb[3 * pixel + channel] * kPerByte;
        const float sign = shown > truth ? 1.f : (shown < truth ? -1.f : 0.f);
        gradient = l1_weight * sign - ssim_weight * (s[0] + 2.f * shown * s[1] + truth * s[2]);
    }
    if (inside) b.image_grad[channel * plane + pixel] = gradient;
    if (map == nullptr) return;
    __syncthreads();  // `rows` is free from here on
    for (int j = 0; j < 4; ++j) {
        const float input = j == 3 ? 1.f : (inside ? b.image[j * plane + pixel] : 0.f);
        add_block_sum(gradient * input, &rows[0][0][0], b.exposure_grad + 4 * channel + j);
    }
}

// Adam on one photo's colour map. The mean map of all photos is held at "no change", which fixes what colour the
// scene itself has: what one photo gains, all lose a share of. One block of 256.
__global__ void update_exposure(Buffers b, Photo photo, float decay_first, float decay_second) {
    __shared__ float change[12];
    const int i = threadIdx.x;
    if (i < 12) {
        float* own = photo.exposures + 36 * photo.view + i;
        const float gradient = b.exposure_grad[i];
        b.exposure_grad[i] = 0.f;
        own[12] = decay_first * own[12] + (1.f - decay_first) * gradient;
        own[24] = decay_second * own[24] + (1.f - decay_second) * gradient * gradient;
        change[i] = -photo.exposure_rate * own[12] / (sqrtf(own[24]) + photo.exposure_epsilon);
        own[0] += change[i];
    }
    __syncthreads();
    for (int k = i; k < 12 * photo.views; k += blockDim.x)
        photo.exposures[36 * (k / 12) + k % 12] -= change[k % 12] / photo.views;
}

inline cudaError_t loss_and_gradient(const Buffers& b, const Camera& cam, const Photo& photo, float ssim_share,
                                     cudaStream_t stream) {
    const dim3 grid(blocks_for(cam.width, kSsimSide), blocks_for(cam.height, kSsimSide), 3);
    const double values = 3.0 * cam.width * cam.height;
    SPLAT_LAUNCH(ssim_forward, grid, kSsimThreads, stream, b, cam.width, cam.height, photo);
    SPLAT_LAUNCH(loss_backward, grid, kSsimThreads, stream, b, cam.width, cam.height, photo,
                 static_cast<float>((1.0 - ssim_share) / values), static_cast<float>(ssim_share / values));
    return cudaGetLastError();
}

}  // namespace splat
