// The C interface of the kernels: one entry a phase and one for a whole training step, all on the caller's stream.
// Allocates nothing, waits for nothing; returns a cudaError_t, 0 for success.
#include "loss.cuh"
#include "raster.cuh"
#include "update.cuh"

namespace {

using namespace splat;

// Calls f with the degree as a compile-time constant.
template <typename F>
cudaError_t with_degree(int degree, F f) {
    switch (degree) {
        case 0: return f(std::integral_constant<int, 0>{});
        case 1: return f(std::integral_constant<int, 1>{});
        case 2: return f(std::integral_constant<int, 2>{});
        case 3: return f(std::integral_constant<int, 3>{});
        default: return cudaErrorInvalidValue;
    }
}

cudaError_t forward(const Buffers& b, const Camera& cam, int n, int room, int degree, const float* background,
                    bool train, cudaStream_t stream) {
    SPLAT_TRY(with_degree(degree, [&](auto d) {
        SPLAT_LAUNCH((preprocess<decltype(d)::value>), blocks_for(n, 128), 128, stream, b, cam, n);
        return cudaGetLastError();
    }));
    SPLAT_TRY(assign_tiles(b, cam, n, room, stream));
    const float3 bg = make_float3(background[0], background[1], background[2]);
    const int tiles = cam.tiles(), blocks = blocks_for(tiles, kRasterWarps), threads = kRasterWarps * kWarp;
    if (train)
        SPLAT_LAUNCH((raster_forward<true>), blocks, threads, stream, b, cam.width, cam.height, cam.tiles_x(), tiles, bg);
    else
        SPLAT_LAUNCH((raster_forward<false>), blocks, threads, stream, b, cam.width, cam.height, cam.tiles_x(), tiles, bg);
    return cudaGetLastError();
}

cudaError_t backward(const Buffers& b, const Camera& cam, int n, int room, int degree, const Update& u, bool step,
                     const float* map, cudaStream_t stream) {
    const int most = room / kBucket + cam.tiles();
    SPLAT_LAUNCH(raster_backward, blocks_for(most, kRasterWarps), kRasterWarps * kWarp, stream, b, cam.width, cam.height,
                 cam.tiles_x(), cam.tiles(), map);
    return with_degree(degree, [&](auto d) {
        if (step)
            SPLAT_LAUNCH((update<decltype(d)::value, true>), blocks_for(n, 128), 128, stream, b, cam, n, u);
        else
            SPLAT_LAUNCH((update<decltype(d)::value, false>), blocks_for(n, 128), 128, stream, b, cam, n, u);
        return cudaGetLastError();
    });
}

}  // namespace

extern "C" {

// Sizes of the shared structs, for the caller to compare with its own.
void splat_layout(int64_t* sizes) {
    sizes[0] = sizeof(Camera);
    sizes[1] = sizeof(Buffers);
    sizes[2] = sizeof(Update);
    sizes[3] = sizeof(Photo);
    sizes[4] = kRows;
    sizes[5] = kTile;
    sizes[6] = kBucket;
}

int splat_temporary_bytes(int n, int room, int tiles, uint64_t* bytes) {
    size_t need = 0;
    const cudaError_t error = temporary_bytes(n, room, tiles, need);
    *bytes = need;
    return error;
}

int splat_render(const Buffers* b, const Camera* cam, int n, int room, int degree, const float* background, int train,
                 void* stream) {
    return forward(*b, *cam, n, room, degree, background, train != 0, static_cast<cudaStream_t>(stream));
}

// image_grad to grads; `splat_render` with train came before.
int splat_gradients(const Buffers* b, const Camera* cam, int n, int room, int degree, void* stream) {
    return backward(*b, *cam, n, room, degree, Update{}, false, nullptr, static_cast<cudaStream_t>(stream));
}

// image and photo to loss_sums and image_grad.
int splat_loss(const Buffers* b, const Camera* cam, const Photo* photo, float ssim_share, void* stream) {
    return loss_and_gradient(*b, *cam, *photo, ssim_share, static_cast<cudaStream_t>(stream));
}

// One training step: render, loss, gradients, Adam.
int splat_step(const Buffers* b, const Camera* cam, int n, int room, int degree, const float* background,
               const Photo* photo, float ssim_share, const Update* u, void* stream) {
    const cudaStream_t s = static_cast<cudaStream_t>(stream);
    SPLAT_TRY(forward(*b, *cam, n, room, degree, background, true, s));
    SPLAT_TRY(loss_and_gradient(*b, *cam, *photo, ssim_share, s));
    return backward(*b, *cam, n, room, degree, *u, true, photo->map, s);
}

const char* splat_error(int code) { return cudaGetErrorString(static_cast<cudaError_t>(code)); }

}  // extern "C"
