"""Training of Gaussians from posed photos: one trainer for both devices.
Never reads files or the network; time, progress and checkpoints come in through TrainContext.
"""
