"""The mean face that crates/explainer/src/face/template.rs holds: outlines of its parts around the five landmarks of the face model.

    python parts.py --bundle ../centerface/1 --faces DIR

The middle of the eyes is (0, 0) and they are 1 apart; x runs right, y runs down. Every portrait is brought to that frame by the affine
map of least squares between its five landmarks and the mean ones, once as it is and once mirrored, so that the mean face is symmetric.
"""

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from PIL import Image

TRAINING = Path(__file__).parent.parent / "training"
sys.path.insert(0, str(TRAINING))
from points import LEFT_BROW, LEFT_EYE, LIPS_OUTER, NOSE, OVAL, RIGHT_BROW, RIGHT_EYE, rows  # noqa: E402

SIZE, LEAST, ROUNDS = 512, 0.5, 10
MIRROR = np.array([-1.0, 1.0])
# The points that change places in a mirror: eyes and corners of the mouth.
SWAPPED = [1, 0, 2, 4, 3]
# How far a part reaches beyond its outline, in distances of the eyes.
MARGIN = {"EYE": 0.12, "NOSE": 0.06, "MOUTH": 0.14, "OVAL": 0.0}


def affine(source, target):
    weights = np.linalg.lstsq(np.c_[source, np.ones(len(source))], target, rcond=None)[0]
    return lambda points: np.c_[points, np.ones(len(points))] @ weights


def normed(five):
    """The same points turned, moved and scaled so that the eyes lie at (-0.5, 0) and (0.5, 0)."""
    left, right = (complex(*point) for point in five[:2])
    moved = [(complex(*point) - (left + right) / 2) / (right - left) for point in five]
    return np.array([[point.real, point.imag] for point in moved])


def grown(points, margin):
    """The convex hull of points, each moved away from the middle."""
    hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)
    away = hull - hull.mean(0)
    return hull + away / np.linalg.norm(away, axis=1, keepdims=True) * margin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True, help="the portraits that models/training/README.md names")
    args = parser.parse_args()
    session = onnxruntime.InferenceSession(args.bundle / "model.onnx", providers=["CPUExecutionProvider"])
    known = json.loads((TRAINING / "landmarks.json").read_text())
    faces = []
    for name in sorted(name for name in known["faces"] if name.endswith(".jpg")):
        picture = np.asarray(Image.open(args.faces / name).convert("RGB").resize((SIZE, SIZE)), np.float32)
        face = session.run(["faces"], {"input": picture.transpose(2, 0, 1)[None]})[0][0][:15]
        if face[0] >= LEAST:
            dense = np.array(known["faces"][name]["points"], float).reshape(-1, 2) * known["unit"]
            faces.append((face[5:].reshape(5, 2) * SIZE, dense))
    mean = np.mean([(normed(five) + normed((five * MIRROR)[SWAPPED])) / 2 for five, _ in faces], axis=0)

    def outline(left, right=None):
        """The mean place of points of the left half of the picture, with those of the right half mirrored."""
        both = []
        for five, dense in faces:
            to_mean = affine(five, mean)
            both.append(to_mean(dense[rows(left)]))
            if right is not None:
                both.append(to_mean(dense[rows(right)]) * MIRROR)
        return np.mean(both, axis=0)

    def symmetric(numbers):
        half = outline(numbers)
        mirrored = half * MIRROR
        pairs = np.linalg.norm(half[:, None] - mirrored[None], axis=2).argmin(axis=1)
        return (half + mirrored[pairs]) / 2

    # The person's right eye is the left one in the picture.
    parts = {
        "EYE": outline(RIGHT_EYE + RIGHT_BROW, LEFT_EYE + LEFT_BROW),
        "NOSE": symmetric(NOSE),
        "MOUTH": symmetric(LIPS_OUTER),
        "OVAL": symmetric(OVAL),
    }
    print(f"{len(faces)} portraits")
    print("LANDMARKS", [tuple(np.round(point, 3) + 0.0) for point in mean.tolist()])
    for name, points in parts.items():
        hull = grown(points, MARGIN[name])
        print(name, [tuple(np.round(point, 3) + 0.0) for point in hull.tolist()])
    covered = {name: [] for name in ("eyes", "mouth", "nose", "face")}
    for five, dense in faces:
        to_mean = affine(five, mean)
        for name, numbers, polygon in (
            ("eyes", RIGHT_EYE, "EYE"), ("mouth", LIPS_OUTER, "MOUTH"), ("nose", NOSE, "NOSE"), ("face", OVAL, "OVAL"),
        ):
            hull = grown(parts[polygon], MARGIN[polygon]).astype(np.float32)
            inside = [cv2.pointPolygonTest(hull, tuple(map(float, point)), True) for point in to_mean(dense[rows(numbers)])]
            covered[name].append(np.mean([distance >= -0.1 for distance in inside]))
    for name, shares in covered.items():
        print(f"{name}: {np.mean(shares):.3f} of the dense points lie in the part or within a tenth of the distance of the eyes of it")


if __name__ == "__main__":
    main()
