"""Runs ONNX models in a process of its own: `onnx_answers.py INPUT.npy MODEL.onnx...` writes MODEL.onnx.npy beside each model.

Imports ONNX Runtime and NumPy alone, so that an emulated processor or an old runtime needs nothing else.
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime


def main(source: str, models: list[str]) -> None:
    """Feeds the inputs [N,...] one by one to each model."""
    inputs = np.load(source)
    for path in models:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        np.save(f"{path}.npy", np.concatenate([session.run(None, {name: value[None]})[0] for value in inputs]))
    print(onnxruntime.__version__)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
