// Alpha blending of a view's tiles, and its derivative: one warp a tile forward, one warp a bucket backward.
// Reads splats and instances, writes pixels forward and per-Gaussian sums backward; knows nothing of parameters.
#pragma once

#include "tiles.cuh"

namespace splat {

constexpr int kRasterWarps = 4;

struct Pixel {
    float t = 1.f, r = 0.f, g = 0.f, b = 0.f;
    uint32_t last = 0;
    bool done = false;

    SPLAT_D void blend(float dx, float dy, const float4& s0, const float4& s1, float blue, uint32_t number) {
        const float q = (s0.z * dx + s0.w * dy) * dx + s1.x * dy * dy;
        const float power = s1.y - q;
        if (done || power < -kLog2Of255 || q < 0.f) return;
        const float alpha = fminf(exp2f(power), kAlphaMax);
        const float next = t * (1.f - alpha);
        if (next <= kTransmittanceMin) {
            done = true;
            return;
        }
        const float w = alpha * t;
        r += w * s1.z;
        g += w * s1.w;
        b += w * blue;
        t = next;
        last = number;
    }
};

// kTrain: leave what the backward pass needs (pixel states before each bucket, last Gaussian of each pixel).
template <bool kTrain>
__global__ void raster_forward(Buffers b, int width, int height, int tiles_x, int tiles, float3 background) {
    __shared__ float4 shared[kRasterWarps][kWarp][3];
    const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
    const int tile = blockIdx.x * kRasterWarps + warp;
    if (tile >= tiles) return;
    const int px = (tile % tiles_x) * kTile + lane % kTile;
    const int py = (tile / tiles_x) * kTile + lane / kTile;
    const float x = px + 0.5f, y = py + 0.5f;
    const uint32_t begin = b.tile_span[2 * tile], end = b.tile_span[2 * tile + 1];
    uint32_t bucket = 0;
    if (kTrain) {
        bucket = tile > 0 ? b.bucket_end[tile - 1] : 0;
        for (uint32_t k = bucket + lane; k < b.bucket_end[tile]; k += kWarp) b.bucket_tile[k] = tile;
    }
    Pixel p0, p1;
    p0.done = px >= width || py >= height;
    p1.done = px >= width || py + kTile / 2 >= height;
    for (uint32_t base = begin; base < end; base += kBucket) {
        if (__all_sync(kFullWarp, p0.done && p1.done)) break;
        if (kTrain) {
            float4* state = b.checkpoints + static_cast<int64_t>(bucket++) * kTilePixels;
            state[lane] = make_float4(p0.t, p0.r, p0.g, p0.b);
            state[lane + kWarp] = make_float4(p1.t, p1.r, p1.g, p1.b);
        }
        if (base + lane < end) {
            const uint32_t g = b.instance[base + lane];
            for (int k = 0; k < 3; ++k) shared[warp][lane][k] = b.splats[3 * g + k];
        }
        __syncwarp();
        const int n = end - base < kBucket ? end - base : kBucket;
        for (int k = 0; k < n; ++k) {
            const float4 s0 = shared[warp][k][0], s1 = shared[warp][k][1];
            const float blue = shared[warp][k][2].x;
            const uint32_t number = base - begin + k + 1;
            p0.blend(x - s0.x, y - s0.y, s0, s1, blue, number);
            p1.blend(x - s0.x, y + kTile / 2 - s0.y, s0, s1, blue, number);
        }
        __syncwarp();
    }
    if (kTrain) {
        b.pixel_last[tile * kTilePixels + lane] = p0.last;
        b.pixel_last[tile * kTilePixels + lane + kWarp] = p1.last;
        uint32_t last = p0.last > p1.last ? p0.last : p1.last;
        for (int step = kWarp / 2; step > 0; step /= 2) {
            const uint32_t other = __shfl_xor_sync(kFullWarp, last, step);
            last = other > last ? other : last;
        }
        if (lane == 0) b.tile_last[tile] = last;
    }
    const int64_t plane = static_cast<int64_t>(width) * height;
    for (int half = 0; half < 2; ++half) {
        const Pixel& p = half == 0 ? p0 : p1;
        const int row = py + half * (kTile / 2);
        if (px >= width || row >= height) continue;
        float* out = b.image + static_cast<int64_t>(row) * width + px;
        out[0] = p.r + p.t * background.x;
        out[plane] = p.g + p.t * background.y;
        out[2 * plane] = p.b + p.t * background.z;
    }
}

// Lane i holds Gaussian i of the bucket; the 64 pixels of the tile pass through the lanes front to back, one lane
// further each step, so that sums over pixels stay in registers and one atomic add a bucket and Gaussian is left.
// (The idea of parallelism over Gaussians instead of pixels: Mallick et al. 2024, Taming 3DGS.)
//
// v = loss by log(alpha). Left in moments[3 g ..], with d = pixel - centre:
//   sum v, sum v dx, sum v dy, sum v dx^2 | sum v dx dy, sum v dy^2, loss by red, green | blue, sum |vx|, sum |vy|, share of errors
// where (vx, vy) is one pixel's share of the gradient by the centre: every derivative by centre, shape and opacity
// is linear in these, and is formed once per Gaussian (update.cuh). map: the photo's colour map (3, 4) or null.
__global__ void raster_backward(Buffers b, int width, int height, int tiles_x, int tiles, const float* map) {
    __shared__ float4 shared_pixel[kRasterWarps][kTilePixels];  // loss by colour; last Gaussian, as bits
    __shared__ float shared_error[kRasterWarps][kTilePixels];
    __shared__ float2 shared_state[kRasterWarps][kTilePixels];  // transmittance; colour still to come, by loss
    const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
    const uint32_t bucket = blockIdx.x * kRasterWarps + warp;
    if (bucket >= b.bucket_end[tiles - 1]) return;
    const int tile = b.bucket_tile[bucket];
    const uint32_t first = (bucket - (tile > 0 ? b.bucket_end[tile - 1] : 0)) * kBucket;
    if (first >= b.tile_last[tile]) return;
    const int left = (tile % tiles_x) * kTile, top = (tile / tiles_x) * kTile;
    const int64_t plane = static_cast<int64_t>(width) * height;
    for (int p = lane; p < kTilePixels; p += kWarp) {
        const int px = left + p % kTile, py = top + p / kTile;
        float4 pixel = make_float4(0.f, 0.f, 0.f, __uint_as_float(0u));
        float2 state = make_float2(1.f, 0.f);
        float error = 0.f;
        if (px < width && py < height) {
            const int64_t at = static_cast<int64_t>(py) * width + px;
            const float4 before = b.checkpoints[static_cast<int64_t>(bucket) * kTilePixels + p];
            const float d0 = b.image_grad[at], d1 = b.image_grad[at + plane], d2 = b.image_grad[at + 2 * plane];
            pixel = make_float4(d0, d1, d2, __uint_as_float(b.pixel_last[tile * kTilePixels + p]));
            if (map != nullptr) {  // the loss was taken of the mapped colours: back through the map
                pixel.x = map[0] * d0 + map[4] * d1 + map[8] * d2;
                pixel.y = map[1] * d0 + map[5] * d1 + map[9] * d2;
                pixel.z = map[2] * d0 + map[6] * d1 + map[10] * d2;
            }
            error = b.errors != nullptr ? b.errors[at] : 0.f;
            state.x = before.x;
            state.y = pixel.x * (b.image[at] - before.y) + pixel.y * (b.image[at + plane] - before.z) +
                      pixel.z * (b.image[at + 2 * plane] - before.w);
        }
        shared_pixel[warp][p] = pixel;
        shared_error[warp][p] = error;
        shared_state[warp][p] = state;
    }
    __syncwarp();

    const uint32_t number = first + lane;
    const uint32_t at = b.tile_span[2 * tile] + number;
    const bool have = at < b.tile_span[2 * tile + 1];
    const uint32_t g = have ? b.instance[at] : 0;
    const float4 s0 = have ? b.splats[3 * g] : make_float4(0.f, 0.f, 0.f, 0.f);
    const float4 s1 = have ? b.splats[3 * g + 1] : make_float4(0.f, 0.f, 0.f, 0.f);
    const float blue = have ? b.splats[3 * g + 2].x : 0.f;
    const float x0 = left + 0.5f - s0.x, y0 = top + 0.5f - s0.y;

    float v0 = 0.f, vx = 0.f, vy = 0.f, vxx = 0.f, vxy = 0.f, vyy = 0.f;
    float red_grad = 0.f, green_grad = 0.f, blue_grad = 0.f, abs_x = 0.f, abs_y = 0.f, share = 0.f;
    bool used = false;
    float t = 0.f, rest = 0.f;
    for (int step = 0; step < kTilePixels + kWarp - 1; ++step) {
        t = __shfl_up_sync(kFullWarp, t, 1);
        rest = __shfl_up_sync(kFullWarp, rest, 1);
        const int p = step - lane;
        if (p < 0 || p >= kTilePixels) continue;
        if (lane == 0) {
            t = shared_state[warp][p].x;
            rest = shared_state[warp][p].y;
        }
        const float4 pixel = shared_pixel[warp][p];
        const float dx = x0 + p % kTile, dy = y0 + p / kTile;
        const float q = (s0.z * dx + s0.w * dy) * dx + s1.x * dy * dy;
        const float power = s1.y - q;
        if (!have || number >= __float_as_uint(pixel.w) || power < -kLog2Of255 || q < 0.f) continue;
        used = true;
        const float raw = exp2f(power);
        const float alpha = fminf(raw, kAlphaMax);
        const float w = alpha * t;
        const float through = 1.f - alpha;
        const float colour = pixel.x * s1.z + pixel.y * s1.w + pixel.z * blue;
        rest -= w * colour;
        red_grad += w * pixel.x;
        green_grad += w * pixel.y;
        blue_grad += w * pixel.z;
        share += w * shared_error[warp][p];
        const float v = raw <= kAlphaMax ? alpha * (t * colour - rest / through) : 0.f;
        t *= through;
        const float vdx = v * dx, vdy = v * dy;
        v0 += v;
        vx += vdx;
        vy += vdy;
        vxx += vdx * dx;
        vxy += vdx * dy;
        vyy += vdy * dy;
        abs_x += fabsf(2.f * s0.z * vdx + s0.w * vdy);
        abs_y += fabsf(s0.w * vdx + 2.f * s1.x * vdy);
    }
    if (!have) return;
    float4* sums = b.moments + 3 * static_cast<int64_t>(g);
    constexpr float kLn2 = 1.f / kLog2E;
    if (used) {
        add4(sums, make_float4(v0, vx, vy, vxx));
        add4(sums + 1, make_float4(vxy, vyy, red_grad, green_grad));
        add4(sums + 2, make_float4(blue_grad, abs_x * kLn2, abs_y * kLn2, share));
    }
}

}  // namespace splat
