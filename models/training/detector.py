"""Runs the shipped ONNX file on pictures, as the service does."""

import numpy as np
import onnxruntime

from model import normalised


class Detector:
    def __init__(self, bundle):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(bundle / "model.onnx", options, providers=["CPUExecutionProvider"])

    def raw(self, inputs):
        """Logits [n, 5] of normalised inputs [n, 3, 128, 128]."""
        return self.session.run(["logits"], {"input": inputs})[0]

    def logits(self, pictures):
        """Logits [n, 5] float64 of uint8 pictures [n, 128, 128, 3], sixteen at a time."""
        parts = [self.raw(normalised(pictures[i:i + 16])) for i in range(0, len(pictures), 16)]
        return np.concatenate(parts).astype(np.float64)
