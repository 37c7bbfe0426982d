"""Seals a bundle: writes golden.npy and model.toml beside model.onnx.

The golden rows are the astronaut samples as the graph sees them, so that a
service can prove at load that its runtime computes what this one computed.
"""

import steady  # noqa: F401  (first: it settles the numeric libraries)

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from detector import Detector
from crop import SIZE
from faces import FACE_FACTOR
from forge import LABELS
from model import MEAN, STD, normalised

GOLDEN = ["astronaut-real.png", "astronaut-mouth.png"]

MANIFEST = """schema = 1
name = "selfblend-mobilenetv2"
version = "1"
summary = "Tells real face pictures from self-blended whole-face, mouth and eye edits and from face swaps, all of them pseudo-fakes of our own making."
licence = "Apache-2.0 AND BSD-3-Clause"
sha256 = "{digest}"

[input]
name = "input"
layout = "NCHW"
width = {size}
height = {size}
colour = "RGB"
range = [0.0, 1.0]
mean = {mean}
std = {std}
resize = "bilinear"
antialias = true
picture = "face"
face_factor = {factor}

[output]
name = "logits"
activation = "softmax"
labels = {labels}
real = "real"

[groups]
whole = ["blend", "swap"]
part = ["mouth", "eyes"]

[golden]
input = "golden.npy"
scores = {scores}
tolerance = 1e-3
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="folder that holds model.onnx")
    parser.add_argument("--samples", type=Path, required=True, help="folder written by samples.py")
    args = parser.parse_args()
    missing = [name for name in GOLDEN if not (args.samples / name).is_file()]
    if missing:
        sys.exit(f"{args.samples} lacks {', '.join(missing)}: run samples.py first")
    pictures = np.stack([np.asarray(Image.open(args.samples / name).convert("RGB")) for name in GOLDEN])
    inputs = normalised(pictures)
    np.save(args.bundle / "golden.npy", inputs)
    scores = [[float(f"{value:.7g}") for value in row] for row in Detector(args.bundle).raw(inputs)]
    (args.bundle / "model.toml").write_text(MANIFEST.format(
        digest=hashlib.sha256((args.bundle / "model.onnx").read_bytes()).hexdigest(), size=SIZE,
        mean=json.dumps(MEAN), std=json.dumps(STD), factor=FACE_FACTOR, labels=json.dumps(LABELS), scores=json.dumps(scores)))
    print(f"{args.bundle / 'model.toml'}: {scores}")


if __name__ == "__main__":
    main()
