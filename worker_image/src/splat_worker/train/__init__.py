"""Training of Gaussians from posed photos: one loop (loop.py) that holds one of three trainers (cpu/, cuda/, gsplat/).
Never reads files or the network; time, progress and checkpoints come in through TrainContext.
"""

from splat_worker.train import runtime as runtime  # sets the threading environment before numba and torch load
