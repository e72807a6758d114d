// Which Gaussians each tile draws, front to back: sort by depth, write one instance per tile hit, sort by tile.
// The host never waits: it gives the number of instances to sort, and what does not fit (the farthest) is dropped.
#pragma once

#include "preprocess.cuh"

namespace splat {

// A Gaussian with more tiles than this is written by its whole warp.
constexpr uint32_t kManyTiles = 32;

__global__ void gather_hits(Buffers b, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) b.hits_sorted[i] = b.tiles_hit[b.order[i]];
}

__global__ void write_instances(Buffers b, int n, int tiles_x, int tiles_y, uint32_t room) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const int lane = threadIdx.x % kWarp;
    const uint32_t total = b.offsets[n - 1];
    const uint32_t nobody = tiles_x * tiles_y;

    uint32_t at = 0, stop = 0, gaussian = 0;
    if (i < n) {
        gaussian = b.order[i];
        at = i > 0 ? b.offsets[i - 1] : 0;
        stop = b.offsets[i] < room ? b.offsets[i] : room;
        if (at > stop) at = stop;
    }
    const bool many = stop - at > kManyTiles;
    if (stop > at && !many) {
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
    for (unsigned left = __ballot_sync(kFullWarp, many); left != 0; left &= left - 1) {
        const int owner = __ffs(left) - 1;
        const uint32_t g = __shfl_sync(kFullWarp, gaussian, owner);
        uint32_t begin = __shfl_sync(kFullWarp, at, owner);
        const uint32_t end = __shfl_sync(kFullWarp, stop, owner);
        const Ellipse e = ellipse_of(b.splats[3 * g], b.splats[3 * g + 1]);
        const Span rows = tile_rows(e, tiles_y);
        for (int row = rows.begin; row < rows.end; ++row) {
            const Span columns = tile_columns(e, row, tiles_x);
            for (int column = columns.begin + lane; column < columns.end; column += kWarp) {
                const uint32_t slot = begin + column - columns.begin;
                if (slot < end) {
                    b.tile_key[slot] = row * tiles_x + column;
                    b.instance_in[slot] = g;
                }
            }
            if (columns.end > columns.begin) begin += columns.end - columns.begin;
        }
        for (uint32_t slot = begin + lane; slot < end; slot += kWarp) b.tile_key[slot] = nobody;
    }
    for (uint32_t slot = total + i; slot < room; slot += gridDim.x * blockDim.x) b.tile_key[slot] = nobody;
}

// tile_begin and tile_end are zero before.
__global__ void find_tiles(Buffers b, uint32_t room, uint32_t tiles) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= room) return;
    const uint32_t tile = b.tile_sorted[i];
    if (tile >= tiles) return;
    if (i == 0 || b.tile_sorted[i - 1] != tile) b.tile_begin[tile] = i;
    if (i + 1 == room || b.tile_sorted[i + 1] != tile) b.tile_end[tile] = i + 1;
}

__global__ void count_buckets(Buffers b, int tiles) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < tiles) b.tile_buckets[i] = (b.tile_end[i] - b.tile_begin[i] + kBucket - 1) / kBucket;
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
    SPLAT_LAUNCH(write_instances, blocks_for(n, 256), 256, stream, b, n, cam.tiles_x(), cam.tiles_y(), room);
    bytes = b.temporary_bytes;
    SPLAT_TRY(sort_pairs(b.temporary, bytes, b.tile_key, b.tile_sorted, b.instance_in, b.instance, room,
                         bits_for(tiles), stream));
    SPLAT_TRY(cudaMemsetAsync(b.tile_begin, 0, sizeof(uint32_t) * tiles, stream));
    SPLAT_TRY(cudaMemsetAsync(b.tile_end, 0, sizeof(uint32_t) * tiles, stream));
    SPLAT_LAUNCH(find_tiles, blocks_for(room, 256), 256, stream, b, static_cast<uint32_t>(room),
                 static_cast<uint32_t>(tiles));
    SPLAT_LAUNCH(count_buckets, blocks_for(tiles, 256), 256, stream, b, tiles);
    bytes = b.temporary_bytes;
    SPLAT_TRY(inclusive_sum(b.temporary, bytes, b.tile_buckets, b.bucket_end, tiles, stream));
    return cudaGetLastError();
}

}  // namespace splat
