// What the kernels need from the machine: CUDA and CUB, or the emulator that the tests compile them with.
// Holds no algorithm; every other file includes this one and no CUDA header of its own.
#pragma once

#ifdef SPLAT_ON_CPU
#include "cuda_on_cpu.h"
#else
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>
#include <cuda_runtime.h>
// Small blocks that fill any of our GPUs about once, for kernels that loop over a list.
#define SPLAT_BLOCKS_AT_ONCE 512
#define SPLAT_LAUNCH(kernel, blocks, threads, stream, ...) kernel<<<(blocks), (threads), 0, (stream)>>>(__VA_ARGS__)
#endif

#include <cstdint>

#define SPLAT_HD __host__ __device__ __forceinline__
#define SPLAT_D __device__ __forceinline__

namespace splat {

constexpr unsigned kFullWarp = 0xffffffffu;
constexpr int kWarp = 32;

// Adds four neighbours at once; Hopper and later do it in one instruction.
SPLAT_D void add4(float4* at, float4 v) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    atomicAdd(at, v);
#else
    float* f = reinterpret_cast<float*>(at);
    atomicAdd(f + 0, v.x);
    atomicAdd(f + 1, v.y);
    atomicAdd(f + 2, v.z);
    atomicAdd(f + 3, v.w);
#endif
}

inline int blocks_for(long long items, int threads) { return static_cast<int>((items + threads - 1) / threads); }

}  // namespace splat
