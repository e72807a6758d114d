// Loss of a picture against a photo, (1 - w) L1 + w (1 - SSIM), and its gradient by every pixel.
// The photo stays uint8 as it lies in memory; masked pixels count as equal in both.
#pragma once

#include "types.cuh"

namespace splat {

constexpr int kSsimReach = 5;
constexpr int kSsimTaps = 2 * kSsimReach + 1;
// A block makes a square of 32 pixels a side; each thread four neighbours at once, so that a value read from shared
// memory serves four windows. The strides are odd multiples of the access width: no bank conflicts either way.
constexpr int kSsimSide = 32;
constexpr int kSsimHalo = kSsimSide + 2 * kSsimReach;
constexpr int kSsimThreads = 256;
constexpr int kSsimRun = 4;
constexpr int kSsimRuns = kSsimSide / kSsimRun;
constexpr int kPatchStride = kSsimHalo + 1;
constexpr int kRowStride = kSsimSide + 1;
constexpr float kPerByte = 1.f / 255.f;

// Normalised Gaussian of sigma 1.5 at -5 .. 5 (Wang et al. 2004).
__constant__ const float kSsimWindow[kSsimTaps] = {
    0.001028380123898387f, 0.007598758135239185f, 0.036000773310661316f, 0.10936068743467331f,
    0.21300552785396576f,  0.26601171493530273f,  0.21300552785396576f,  0.10936068743467331f,
    0.036000773310661316f, 0.007598758135239185f, 0.001028380123898387f};

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

// One block: one patch of one channel. Writes the derivatives of the pixel's SSIM by the window means of x, x^2 and
// x y to maps 3 c .. 3 c + 2. Outside the picture both are black; a masked pixel shows the photo, and its own
// similarity counts as perfect.
__global__ void __launch_bounds__(kSsimThreads) ssim_forward(Buffers b, int width, int height, Photo photo) {
    __shared__ float2 patch[kSsimHalo][kPatchStride];
    __shared__ float rows[5][kSsimHalo][kRowStride];
    __shared__ float scratch[kSsimThreads / kWarp];
    const int channel = blockIdx.z;
    const int left = blockIdx.x * kSsimSide, top = blockIdx.y * kSsimSide;
    const int64_t plane = static_cast<int64_t>(width) * height;
    for (int i = threadIdx.x; i < kSsimHalo * kSsimHalo; i += kSsimThreads) {
        const int ix = i % kSsimHalo, iy = i / kSsimHalo;
        const int x = left + ix - kSsimReach, y = top + iy - kSsimReach;
        float2 v = make_float2(0.f, 0.f);
        if (x >= 0 && x < width && y >= 0 && y < height) {
            const int64_t pixel = static_cast<int64_t>(y) * width + x;
            v.y = photo.rgb[3 * pixel + channel] * kPerByte;
            v.x = wanted(photo, pixel) ? seen(b.image, plane, pixel, channel, photo.map) : v.y;
        }
        patch[iy][ix] = v;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < kSsimHalo * kSsimRuns; i += kSsimThreads) {
        const int iy = i % kSsimHalo, first = i / kSsimHalo * kSsimRun;
        float sum[kSsimRun][5] = {};
#pragma unroll
        for (int k = 0; k < kSsimTaps + kSsimRun - 1; ++k) {
            const float2 v = patch[iy][first + k];
            const float xx = v.x * v.x, yy = v.y * v.y, xy = v.x * v.y;
#pragma unroll
            for (int o = 0; o < kSsimRun; ++o) {
                if (k - o < 0 || k - o >= kSsimTaps) continue;
                const float w = kSsimWindow[k - o];
                sum[o][0] += w * v.x;
                sum[o][1] += w * v.y;
                sum[o][2] += w * xx;
                sum[o][3] += w * yy;
                sum[o][4] += w * xy;
            }
        }
#pragma unroll
        for (int o = 0; o < kSsimRun; ++o)
#pragma unroll
            for (int j = 0; j < 5; ++j) rows[j][iy][first + o] = sum[o][j];
    }
    __syncthreads();
    const int ix = threadIdx.x % kSsimSide, first = threadIdx.x / kSsimSide * kSsimRun;
    float m[kSsimRun][5] = {};
#pragma unroll
    for (int k = 0; k < kSsimTaps + kSsimRun - 1; ++k)
#pragma unroll
        for (int j = 0; j < 5; ++j) {
            const float v = rows[j][first + k][ix];
#pragma unroll
            for (int o = 0; o < kSsimRun; ++o)
                if (k - o >= 0 && k - o < kSsimTaps) m[o][j] += kSsimWindow[k - o] * v;
        }
    constexpr float c1 = 0.01f * 0.01f, c2 = 0.03f * 0.03f;
    float error = 0.f, similarity = 0.f;
#pragma unroll
    for (int o = 0; o < kSsimRun; ++o) {
        const int x = left + ix, y = top + first + o;
        if (x >= width || y >= height) continue;
        const float mx = m[o][0], my = m[o][1];
        const float a1 = 2.f * mx * my + c1, a2 = 2.f * (m[o][4] - mx * my) + c2;
        const float b1 = mx * mx + my * my + c1, b2 = (m[o][2] - mx * mx) + (m[o][3] - my * my) + c2;
        const float inverse = 1.f / (b1 * b2);
        const float ssim = a1 * a2 * inverse;
        const int64_t pixel = static_cast<int64_t>(y) * width + x;
        const bool counts = wanted(photo, pixel);
        float* maps = b.ssim_maps + 3 * channel * plane + pixel;
        maps[0] = counts ? 2.f * my * (a2 - a1) * inverse - 2.f * ssim * mx * (1.f / b1 - 1.f / b2) : 0.f;
        maps[plane] = counts ? -ssim / b2 : 0.f;
        maps[2 * plane] = counts ? 2.f * a1 * inverse : 0.f;
        const float2 own = patch[first + o + kSsimReach][ix + kSsimReach];
        error += fabsf(own.x - own.y);
        similarity += counts ? ssim : 1.f;
        if (channel == 0 && b.errors != nullptr) {
            float sum = fabsf(own.x - own.y);
            for (int c = 1; c < 3; ++c)
                sum += fabsf(seen(b.image, plane, pixel, c, photo.map) - photo.rgb[3 * pixel + c] * kPerByte);
            b.errors[pixel] = counts ? sum / 3.f : 0.f;
        }
    }
    add_block_sum(error, scratch, b.loss_sums);
    add_block_sum(similarity, scratch, b.loss_sums + 1);
}

// Spreads the three maps back over each window. l1_weight and ssim_weight: of one pixel and channel in the loss.
__global__ void __launch_bounds__(kSsimThreads)
    loss_backward(Buffers b, int width, int height, Photo photo, float l1_weight, float ssim_weight) {
    __shared__ float patch[3][kSsimHalo][kPatchStride];
    __shared__ float rows[3][kSsimHalo][kRowStride];
    const int channel = blockIdx.z;
    const int left = blockIdx.x * kSsimSide, top = blockIdx.y * kSsimSide;
    const int64_t plane = static_cast<int64_t>(width) * height;
    const float* maps = b.ssim_maps + 3 * channel * plane;
    for (int i = threadIdx.x; i < kSsimHalo * kSsimHalo; i += kSsimThreads) {
        const int ix = i % kSsimHalo, iy = i / kSsimHalo;
        const int x = left + ix - kSsimReach, y = top + iy - kSsimReach;
        const bool inside = x >= 0 && x < width && y >= 0 && y < height;
        const int64_t pixel = static_cast<int64_t>(y) * width + x;
#pragma unroll
        for (int j = 0; j < 3; ++j) patch[j][iy][ix] = inside ? maps[j * plane + pixel] : 0.f;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < kSsimHalo * kSsimRuns; i += kSsimThreads) {
        const int iy = i % kSsimHalo, first = i / kSsimHalo * kSsimRun;
        float sum[kSsimRun][3] = {};
#pragma unroll
        for (int k = 0; k < kSsimTaps + kSsimRun - 1; ++k)
#pragma unroll
            for (int j = 0; j < 3; ++j) {
                const float v = patch[j][iy][first + k];
#pragma unroll
                for (int o = 0; o < kSsimRun; ++o)
                    if (k - o >= 0 && k - o < kSsimTaps) sum[o][j] += kSsimWindow[k - o] * v;
            }
#pragma unroll
        for (int o = 0; o < kSsimRun; ++o)
#pragma unroll
            for (int j = 0; j < 3; ++j) rows[j][iy][first + o] = sum[o][j];
    }
    __syncthreads();
    const int ix = threadIdx.x % kSsimSide, first = threadIdx.x / kSsimSide * kSsimRun;
    float s[kSsimRun][3] = {};
#pragma unroll
    for (int k = 0; k < kSsimTaps + kSsimRun - 1; ++k)
#pragma unroll
        for (int j = 0; j < 3; ++j) {
            const float v = rows[j][first + k][ix];
#pragma unroll
            for (int o = 0; o < kSsimRun; ++o)
                if (k - o >= 0 && k - o < kSsimTaps) s[o][j] += kSsimWindow[k - o] * v;
        }
#pragma unroll
    for (int o = 0; o < kSsimRun; ++o) {
        const int x = left + ix, y = top + first + o;
        if (x >= width || y >= height) continue;
        const int64_t pixel = static_cast<int64_t>(y) * width + x;
        float gradient = 0.f;
        if (wanted(photo, pixel)) {
            const float shown = seen(b.image, plane, pixel, channel, photo.map);
            const float truth = photo.rgb[3 * pixel + channel] * kPerByte;
            const float sign = shown > truth ? 1.f : (shown < truth ? -1.f : 0.f);
            gradient = l1_weight * sign - ssim_weight * (s[o][0] + 2.f * shown * s[o][1] + truth * s[o][2]);
        }
        b.image_grad[channel * plane + pixel] = gradient;
    }
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
