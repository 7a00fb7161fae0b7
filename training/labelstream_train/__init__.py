"""Trains a labelstream model package: read data, fine-tune, export, calibrate, package, evaluate.

Only `train`, `encoder` and `export` need torch. `scorer`, `evaluate` and `golden` need no more than
numpy, onnxruntime and tokenizers, so that a package can be checked on a machine without torch.
"""
