"""What the trainers share: numbers, schedule, rules for growth and floaters, checkpoints, progress, metrics.
Imports no trainer.
"""
