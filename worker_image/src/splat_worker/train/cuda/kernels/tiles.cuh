// Which Gaussians each tile draws, front to back: sort by depth, write one instance per tile hit, sort by tile.
// The host never waits: it gives the number of instances to sort, and what does not fit (the farthest) is dropped.
#pragma once

#include "preprocess.cuh"

namespace splat {

// A Gaussian with more tiles than this is written by a whole warp, in a launch of its own: in depth order the large
// ones lie side by side, and a few warps would else do most of the work.
constexpr uint32_t kManyTiles = 24;
constexpr int kManyBlocks = SPLAT_BLOCKS_AT_ONCE;

__global__ void gather_hits(Buffers b, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) b.hits_sorted[i] = b.tiles_hit[b.order[i]];
}

__global__ void write_instances(Buffers b, int n, int tiles_x, int tiles_y, uint32_t room) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const uint32_t total = b.offsets[n - 1];
    const uint32_t nobody = tiles_x * tiles_y;

    uint32_t at = 0, stop = 0, gaussian = 0;
    if (i < n) {
        gaussian = b.order[i];
        at = i > 0 ? b.offsets[i - 1] : 0;
        stop = b.offsets[i] < room ? b.offsets[i] : room;
        if (at > stop) at = stop;
    }
    if (stop - at > kManyTiles) {
        b.many[1 + atomicAdd(b.many, 1u)] = i;
    } else if (stop > at) {
        const Ellipse e = ellipse_of(b.splats[3 * gaussian], b.splats[3 * gaussian + 1]);
        const Span rows = tile_rows(e, tiles_y);
        for (int row = rows.begin; row < rows.end && at < stop; ++row) {
            const Span columns = tile_columns(e, row, tiles_x);
            for (int column = columns.begin; column < columns.end && at < stop; ++column, ++at) {
                b.tile_key[at] = row * tiles_x + column;
                b.instance_in[at] = gaussian;
            }
        }
        // The two counts come from one function, but nothing makes two kernels round alike: fill what is left.
        for (; at < stop; ++at) b.tile_key[at] = nobody;
    }
    for (uint32_t slot = total + i; slot < room; slot += gridDim.x * blockDim.x) b.tile_key[slot] = nobody;
}

// One warp a Gaussian: lanes take rows to find where each row's tiles go, then instances.
__global__ void write_many_instances(Buffers b, int tiles_x, int tiles_y, uint32_t room) {
    const int lane = threadIdx.x % kWarp;
    const int warps = gridDim.x * blockDim.x / kWarp;
    const uint32_t count = b.many[0];
    for (uint32_t k = (blockIdx.x * blockDim.x + threadIdx.x) / kWarp; k < count; k += warps) {
        const uint32_t i = b.many[1 + k];
        const uint32_t g = b.order[i];
        uint32_t at = i > 0 ? b.offsets[i - 1] : 0;
        const uint32_t stop = b.offsets[i] < room ? b.offsets[i] : room;
        const Ellipse e = ellipse_of(b.splats[3 * g], b.splats[3 * g + 1]);
        const Span rows = tile_rows(e, tiles_y);
        for (int first = rows.begin; first < rows.end; first += kWarp) {
            const int row = first + lane;
            Span columns = {0, 0};
            if (row < rows.end) columns = tile_columns(e, row, tiles_x);
            const uint32_t own = columns.end > columns.begin ? columns.end - columns.begin : 0;
            uint32_t upto = own;  // inclusive sum over lanes
            for (int step = 1; step < kWarp; step *= 2) {
                const uint32_t other = __shfl_up_sync(kFullWarp, upto, step);
                if (lane >= step) upto += other;
            }
            const uint32_t all = __shfl_sync(kFullWarp, upto, kWarp - 1);
            for (uint32_t base = 0; base < all; base += kWarp) {
                const uint32_t mine = base + lane;
                int owner = 0;  // the first lane whose sum exceeds mine
                for (int step = kWarp / 2; step > 0; step /= 2)
                    if (__shfl_sync(kFullWarp, upto, owner + step - 1) <= mine) owner += step;
                const uint32_t before = __shfl_sync(kFullWarp, upto - own, owner);
                const int column = __shfl_sync(kFullWarp, columns.begin, owner) + static_cast<int>(mine - before);
                if (mine < all && at + mine < stop) {
                    b.tile_key[at + mine] = (first + owner) * tiles_x + column;
                    b.instance_in[at + mine] = g;
                }
            }
            at += all;
        }
        for (uint32_t slot = at + lane; slot < stop; slot += kWarp) b.tile_key[slot] = tiles_x * tiles_y;
    }
}

// tile_span is zero before.
__global__ void find_tiles(Buffers b, uint32_t room, uint32_t tiles) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= room) return;
    const uint32_t tile = b.tile_sorted[i];
    if (tile >= tiles) return;
    if (i == 0 || b.tile_sorted[i - 1] != tile) b.tile_span[2 * tile] = i;
    if (i + 1 == room || b.tile_sorted[i + 1] != tile) b.tile_span[2 * tile + 1] = i + 1;
}

__global__ void count_buckets(Buffers b, int tiles) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < tiles) b.tile_buckets[i] = (b.tile_span[2 * i + 1] - b.tile_span[2 * i] + kBucket - 1) / kBucket;
}

inline int bits_for(uint32_t most) {
    int bits = 1;
    while (bits < 32 && (most >> bits) != 0) ++bits;
    return bits;
}

#ifndef SPLAT_ON_CPU
inline cudaError_t sort_pairs(void* temporary, size_t& bytes, const uint32_t* keys, uint32_t* keys_out,
                              const uint32_t* values, uint32_t* values_out, int n, int bits, cudaStream_t stream) {
    return cub::DeviceRadixSort::SortPairs(temporary, bytes, keys, keys_out, values, values_out, n, 0, bits, stream);
}
inline cudaError_t inclusive_sum(void* temporary, size_t& bytes, const uint32_t* in, uint32_t* out, int n,
                                 cudaStream_t stream) {
    return cub::DeviceScan::InclusiveSum(temporary, bytes, in, out, n, stream);
}
#endif

inline cudaError_t temporary_bytes(int n, int room, int tiles, size_t& bytes) {
    size_t need[4] = {0, 0, 0, 0};
    uint32_t* none = nullptr;
    cudaError_t e = sort_pairs(nullptr, need[0], none, none, none, none, n, kDepthBits, 0);
    if (e == cudaSuccess) e = sort_pairs(nullptr, need[1], none, none, none, none, room, bits_for(tiles), 0);
    if (e == cudaSuccess) e = inclusive_sum(nullptr, need[2], none, none, n, 0);
    if (e == cudaSuccess) e = inclusive_sum(nullptr, need[3], none, none, tiles, 0);
    bytes = 0;
    for (size_t b : need) bytes = b > bytes ? b : bytes;
    return e;
}

#define SPLAT_TRY(call)                          \
    do {                                         \
        const cudaError_t error_ = (call);       \
        if (error_ != cudaSuccess) return error_; \
    } while (0)

inline cudaError_t assign_tiles(const Buffers& b, const Camera& cam, int n, int room, cudaStream_t stream) {
    size_t bytes = b.temporary_bytes;
    const int tiles = cam.tiles();
    SPLAT_TRY(sort_pairs(b.temporary, bytes, b.depth_key, b.depth_sorted, b.identity, b.order, n, kDepthBits, stream));
    SPLAT_LAUNCH(gather_hits, blocks_for(n, 256), 256, stream, b, n);
    bytes = b.temporary_bytes;
    SPLAT_TRY(inclusive_sum(b.temporary, bytes, b.hits_sorted, b.offsets, n, stream));
    if (b.instances_seen != nullptr)
        SPLAT_TRY(cudaMemcpyAsync(b.instances_seen, b.offsets + n - 1, sizeof(uint32_t), cudaMemcpyDeviceToHost, stream));
    SPLAT_TRY(cudaMemsetAsync(b.many, 0, sizeof(uint32_t), stream));
    SPLAT_LAUNCH(write_instances, blocks_for(n, 256), 256, stream, b, n, cam.tiles_x(), cam.tiles_y(), room);
    SPLAT_LAUNCH(write_many_instances, kManyBlocks, 128, stream, b, cam.tiles_x(), cam.tiles_y(), room);
    bytes = b.temporary_bytes;
    SPLAT_TRY(sort_pairs(b.temporary, bytes, b.tile_key, b.tile_sorted, b.instance_in, b.instance, room,
                         bits_for(tiles), stream));
    SPLAT_TRY(cudaMemsetAsync(b.tile_span, 0, 2 * sizeof(uint32_t) * tiles, stream));
    SPLAT_LAUNCH(find_tiles, blocks_for(room, 256), 256, stream, b, static_cast<uint32_t>(room),
                 static_cast<uint32_t>(tiles));
    SPLAT_LAUNCH(count_buckets, blocks_for(tiles, 256), 256, stream, b, tiles);
    bytes = b.temporary_bytes;
    SPLAT_TRY(inclusive_sum(b.temporary, bytes, b.tile_buckets, b.bucket_end, tiles, stream));
    return cudaGetLastError();
}

}  // namespace splat
