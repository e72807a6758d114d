"""Whether a run is worth its price: photos and points before it, its steps, and the finished scene.
Pure decisions on numbers: loop.py, trainer.py and the job act on them.
"""
