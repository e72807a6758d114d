// The data that host and kernels share: rows of a Gaussian, one camera, the buffers of a step.
// Layout is part of the C interface: layout.py mirrors every struct here, and a test compares their sizes.
#pragma once

#include "platform.cuh"

namespace splat {

// One Gaussian is a column of a (kRows, stride) float array: neighbours in memory are neighbours in index, so that
// every read and write of a warp is one coalesced line.
constexpr int kRowMean = 0;
constexpr int kRowScale = 3;
constexpr int kRowQuat = 6;
constexpr int kRowOpacity = 10;
constexpr int kRowSh = 11;
constexpr int kShCoefficients = 16;
constexpr int kRows = kRowSh + 3 * kShCoefficients;

// Eight by eight pixels: half the wasted pixel tests of sixteen by sixteen for the small Gaussians of a trained
// scene, and one warp holds a tile (two pixels a lane), so that rasterising needs no block barrier.
constexpr int kTile = 8;
constexpr int kTilePixels = kTile * kTile;
// Gaussians between two stored states of a tile's pixels; the backward pass gives one warp to each such bucket.
constexpr int kBucket = kWarp;

// gsplat's conventions (v1.5.3), so that both rasterise the same picture.
constexpr float kAlphaMin = 1.0f / 255.0f;
constexpr float kAlphaMax = 0.999f;
constexpr float kTransmittanceMin = 1e-4f;
constexpr float kNear = 0.01f;
constexpr float kBlur = 0.3f;
// Largest variance on the picture, px^2. A Gaussian of more than 100,000 px has no inverse in 32 bits: it would be drawn
// opaque over the whole picture. Of 14 million draws in a run of the samples (CPU) 8 had more than 4,000 px.
constexpr float kVarianceMax = 1e10f;
constexpr float kLog2Of255 = 7.99435343685885793f;
constexpr float kLog2E = 1.44269504088896340736f;

// Per-Gaussian sums that the raster backward pass leaves: see raster.cuh.
constexpr int kMoments = 12;

// After the parameters' gradients: loss by screen x, by screen y; sum over pixels of weight times `errors`.
constexpr int kGradRows = kRows + 3;

// Densification's view of a Gaussian, summed over steps: length of the screen gradient, times seen, share of the
// pixels' errors; and its largest extent on the picture, as a share of the picture's longer side.
constexpr int kStats = 4;

constexpr unsigned kDepthBits = 24;

struct Camera {
    float r[9];        // world to camera, row-major
    float t[3];        // scene units
    float position[3]; // world frame
    float fx, fy, cx, cy;  // px
    int width, height;     // px

    SPLAT_HD int tiles_x() const { return (width + kTile - 1) / kTile; }
    SPLAT_HD int tiles_y() const { return (height + kTile - 1) / kTile; }
    SPLAT_HD int tiles() const { return tiles_x() * tiles_y(); }
};

// Device addresses; sizes in brackets, n = Gaussians, c = instance capacity, b = c / 32 + tiles.
struct Buffers {
    float* params;         // (kRows, stride)
    float* first_moment;   // (kRows, stride), Adam
    float* second_moment;  // (kRows, stride), Adam
    float* grads;          // (kGradRows, stride), only where gradients are asked for
    float* stats;          // (kStats, stride), or null
    float4* splats;        // [3 n], see preprocess.cuh
    float4* moments;       // [3 n], zero between steps
    uint32_t* depth_key;   // [n]
    uint32_t* depth_sorted;  // [n]
    uint32_t* identity;    // [n]
    uint32_t* order;       // [n], front to back
    uint32_t* tiles_hit;   // [n]
    uint32_t* hits_sorted; // [n]
    uint32_t* offsets;     // [n], inclusive sums of hits_sorted
    uint32_t* tile_key;    // [c]
    uint32_t* tile_sorted; // [c]
    uint32_t* instance_in; // [c]
    uint32_t* instance;    // [c], Gaussians by tile, front to back
    uint32_t* many;        // [1 + n]: how many Gaussians touch many tiles, and their places in `order`
    uint32_t* tile_span;   // [tiles][2]: first instance and the one after the last
    uint32_t* tile_buckets;  // [tiles]
    uint32_t* bucket_end;  // [tiles], inclusive sums of tile_buckets
    uint32_t* tile_last;   // [tiles], instances that any pixel of the tile used
    uint32_t* bucket_tile; // [b]
    float4* checkpoints;   // [64 b]: transmittance and colour of each pixel before the bucket
    uint32_t* pixel_last;  // [64 tiles]
    float* image;          // (3, height, width)
    float* image_grad;     // (3, height, width)
    float* ssim_maps;      // (9, height, width)
    float* errors;         // (height, width): mean absolute difference of the colours, or null
    float* loss_sums;      // [2]: absolute error, SSIM, summed
    void* temporary;
    uint64_t temporary_bytes;
    uint32_t* instances_seen;  // pinned host address or null: where the step's instance count is copied to
    int64_t stride;
};

// A photo to compare with. Pixels with mask 0 are not trained on.
struct Photo {
    const uint8_t* rgb;   // (height, width, 3)
    const uint8_t* mask;  // (height, width) or null
    // (3, 4) or null: the picture that is compared is map[:, :3] colour + map[:, 3], i.e. as this photo's exposure
    // would show the scene.
    const float* map;
};

// One Adam update. Rates are already corrected for the bias of both moments at this step.
struct Update {
    float rate_mean, rate_scale, rate_quat, rate_opacity, rate_sh0, rate_sh;
    float epsilon;
    float decay_first, decay_second;
    float opacity_weight, scale_weight;  // weights of the mean opacity and mean scale in the loss
    float noise;                         // MCMC exploration: scale of the random walk of means, 0 = none
    uint32_t seed;
};

}  // namespace splat
