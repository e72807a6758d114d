// Runs our CUDA kernels on a CPU, one block at a time and each CUDA thread as a fiber, so that their logic is
// tested where there is no GPU. Says nothing of speed, of memory ordering or of rounding on a real device.
//
// Kept strict where a GPU is lenient: every warp intrinsic must be reached by all 32 lanes (full mask), and a
// barrier that not all living threads reach aborts with a message instead of hanging.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <type_traits>
#include <vector>

#define __host__
#define __device__
#define __global__
#define __forceinline__ inline
#define __constant__
#define __launch_bounds__(...)
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct float2 { float x, y; };
struct float3 { float x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaMemcpyKind { cudaMemcpyDeviceToHost };
using cudaStream_t = void*;
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t e) { return e == cudaSuccess ? "no error" : "invalid argument"; }
inline cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t) {
    std::memset(at, value, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
    std::memcpy(to, from, bytes);
    return cudaSuccess;
}

inline unsigned __float_as_uint(float f) { unsigned u; std::memcpy(&u, &f, 4); return u; }
inline float __uint_as_float(unsigned u) { float f; std::memcpy(&f, &u, 4); return f; }
inline int __ffs(unsigned v) { return __builtin_ffs(static_cast<int>(v)); }
inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
template <typename T>
T atomicAdd(T* at, T v) {
    const T before = *at;
    *at += v;
    return before;
}

namespace emulator {

constexpr int kMaxThreads = 1024;
constexpr size_t kStackBytes = 128 * 1024;

struct Barrier {
    int arrived = 0;
    unsigned generation = 0;
};

struct State {
    ucontext_t scheduler;
    std::vector<ucontext_t> fibers{kMaxThreads};
    std::unique_ptr<char[]> stacks{new char[kMaxThreads * kStackBytes]};
    std::vector<char> finished = std::vector<char>(kMaxThreads);
    std::function<void()> body;
    int current = 0, threads = 0, alive = 0;
    bool progress = false;
    Barrier block;
    Barrier warps[kMaxThreads / 32];
    uint64_t slots[kMaxThreads];
    dim3 thread, block_index, block_size, grid_size;
};

inline State& state() {
    static State s;
    return s;
}

inline void yield() {
    State& s = state();
    swapcontext(&s.fibers[s.current], &s.scheduler);
}

inline void run_fiber() {
    State& s = state();
    s.body();
    s.finished[s.current] = 1;
    s.alive--;
    s.progress = true;
    swapcontext(&s.fibers[s.current], &s.scheduler);
}

template <typename Expected>
void wait(Barrier& b, Expected expected) {
    State& s = state();
    const unsigned generation = b.generation;
    b.arrived++;
    s.progress = true;
    while (b.generation == generation) {
        if (b.arrived >= expected()) {
            b.arrived = 0;
            b.generation++;
            s.progress = true;
            return;
        }
        yield();
    }
}

inline void warp_barrier() {
    State& s = state();
    wait(s.warps[s.current / 32], [] { return 32; });
}

// Every lane gives `value`, every lane gets all 32.
inline const uint64_t* exchange(uint64_t value) {
    State& s = state();
    s.slots[s.current] = value;
    warp_barrier();
    return s.slots + s.current / 32 * 32;
}

inline void run_block() {
    State& s = state();
    s.alive = s.threads;
    s.block = Barrier{};
    for (Barrier& w : s.warps) w = Barrier{};
    for (int i = 0; i < s.threads; ++i) {
        s.finished[i] = 0;
        getcontext(&s.fibers[i]);
        s.fibers[i].uc_stack.ss_sp = s.stacks.get() + i * kStackBytes;
        s.fibers[i].uc_stack.ss_size = kStackBytes;
        s.fibers[i].uc_link = &s.scheduler;
        makecontext(&s.fibers[i], reinterpret_cast<void (*)()>(run_fiber), 0);
    }
    while (s.alive > 0) {
        s.progress = false;
        for (int i = 0; i < s.threads; ++i) {
            if (s.finished[i]) continue;
            s.current = i;
            s.thread = dim3(i, 0, 0);
            swapcontext(&s.scheduler, &s.fibers[i]);
        }
        if (!s.progress) {
            std::fprintf(stderr, "emulator: threads of a warp or block wait for others that never come\n");
            std::abort();
        }
    }
}

template <typename Kernel, typename... Args>
void launch(Kernel kernel, dim3 blocks, int threads, Args... args) {
    State& s = state();
    s.threads = threads;
    s.block_size = dim3(threads);
    s.grid_size = blocks;
    s.body = [=] { kernel(args...); };
    for (unsigned z = 0; z < blocks.z; ++z)
        for (unsigned y = 0; y < blocks.y; ++y)
            for (unsigned x = 0; x < blocks.x; ++x) {
                s.block_index = dim3(x, y, z);
                run_block();
            }
}

template <typename T>
uint64_t pack(T v) {
    uint64_t bits = 0;
    std::memcpy(&bits, &v, sizeof v);
    return bits;
}
template <typename T>
T unpack(uint64_t bits) {
    T v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}

}  // namespace emulator

#define threadIdx (emulator::state().thread)
#define blockIdx (emulator::state().block_index)
#define blockDim (emulator::state().block_size)
#define gridDim (emulator::state().grid_size)
#define SPLAT_BLOCKS_AT_ONCE 2
#define SPLAT_LAUNCH(kernel, blocks, threads, stream, ...) emulator::launch(kernel, dim3(blocks), threads, __VA_ARGS__)

inline void __syncthreads() {
    emulator::State& s = emulator::state();
    emulator::wait(s.block, [&s] { return s.alive; });
}
inline void __syncwarp() { emulator::warp_barrier(); }

template <typename T>
T shuffle_from(T value, int source) {
    const T got = emulator::unpack<T>(emulator::exchange(emulator::pack(value))[source]);
    emulator::warp_barrier();
    return got;
}
template <typename T>
T __shfl_sync(unsigned, T value, int source) {
    return shuffle_from(value, source & 31);
}
template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    return shuffle_from(value, (emulator::state().current % 32) ^ mask);
}
template <typename T>
T __shfl_up_sync(unsigned, T value, int delta) {
    const int lane = emulator::state().current % 32;
    return shuffle_from(value, lane >= delta ? lane - delta : lane);
}
inline unsigned __ballot_sync(unsigned, bool predicate) {
    const uint64_t* all = emulator::exchange(predicate ? 1 : 0);
    unsigned bits = 0;
    for (int i = 0; i < 32; ++i) bits |= static_cast<unsigned>(all[i]) << i;
    emulator::warp_barrier();
    return bits;
}
inline bool __all_sync(unsigned mask, bool predicate) { return __ballot_sync(mask, predicate) == 0xffffffffu; }

namespace splat {

inline cudaError_t sort_pairs(void* temporary, size_t& bytes, const uint32_t* keys, uint32_t* keys_out,
                              const uint32_t* values, uint32_t* values_out, int n, int bits, cudaStream_t) {
    if (temporary == nullptr) {
        bytes = 1;
        return cudaSuccess;
    }
    const uint32_t mask = bits >= 32 ? ~0u : (1u << bits) - 1;
    std::vector<int> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return (keys[a] & mask) < (keys[b] & mask); });
    for (int i = 0; i < n; ++i) {
        keys_out[i] = keys[order[i]];
        values_out[i] = values[order[i]];
    }
    return cudaSuccess;
}
inline cudaError_t inclusive_sum(void* temporary, size_t& bytes, const uint32_t* in, uint32_t* out, int n, cudaStream_t) {
    if (temporary == nullptr) {
        bytes = 1;
        return cudaSuccess;
    }
    std::partial_sum(in, in + n, out);
    return cudaSuccess;
}

}  // namespace splat
