"""Times the explanations of arXiv 2502.03957 as its authors run them, on the shipped detector through onnxruntime: the adversarial
sample picture by picture, then RISE with 4000 masks in batches of 128, or lime with 2000 samples in batches of 10.

Written from the description of their pipeline, not from their code. The session has onnxruntime's own defaults. Their noise is
drawn by a slower routine of the same distribution; here it is drawn the fast way.

Prints a line of JSON: passes and seconds of each.

    python paper.py MODEL PICTURE
"""

import json
import sys
import time

import cv2
import numpy as np
import onnxruntime as ort
from PIL import Image

MEAN = np.float32([0.485, 0.456, 0.406])
STD = np.float32([0.229, 0.224, 0.225])
REAL = 0


def softmax(x):
    shares = np.exp(x - x.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


class Detector:
    """The model as a function of normalised pictures [N, H, W, 3]."""

    def __init__(self, path):
        self.session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name
        self.passes = 0

    def __call__(self, pictures):
        self.passes += len(pictures)
        tensors = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), dtype=np.float32)
        return softmax(self.session.run(None, {self.name: tensors})[0])


def attack(detector, x, rng, deviation=0.001, pairs=40, steps=80, step=1 / 255, bound=16 / 255):
    """Natural evolution strategies towards "real": every probe alone, one plane of noise for all channels."""
    x = x.copy()
    for _ in range(steps):
        if detector(x[None])[0].argmax() == REAL:
            break
        slope = np.zeros((*x.shape[:2], 1))
        for _ in range(pairs):
            noise = rng.standard_normal((*x.shape[:2], 1))
            slope += detector((x + deviation * noise)[None])[0, REAL] * noise
            slope -= detector((x - deviation * noise)[None])[0, REAL] * noise
        x += np.minimum(step * np.sign(slope / (2 * pairs * deviation)), bound).astype(np.float32)
    return x


def rise(detector, x, adversarial, label, rng, count=4000, grid=7, batch=128):
    side = x.shape[0]
    cell = -(-side // grid)
    saliency = np.zeros((side, side))
    for start in range(0, count, batch):
        masks = []
        for _ in range(min(batch, count - start)):
            bits = (rng.standard_normal((grid, grid)) < 0.1).astype(np.float32)
            large = cv2.resize(bits, ((grid + 1) * cell, (grid + 1) * cell), interpolation=cv2.INTER_LINEAR)
            top, left = rng.integers(0, cell, 2)
            masks.append(large[top : top + side, left : left + side])
        masks = np.stack(masks)
        hidden = masks[..., None] * x + (1 - masks[..., None]) * adversarial
        saliency += np.tensordot(softmax(detector(hidden))[:, label], masks, 1)
    return saliency / (count * 0.1)


def lime(detector, picture, adversarial):
    """lime with a picture of the caller's as what stands where a segment is hidden, which its interface has not."""
    from lime import lime_image
    from skimage.segmentation import slic
    from sklearn.metrics import pairwise_distances

    explainer = lime_image.LimeImageExplainer(random_state=0)
    segments = slic(picture, n_segments=50, compactness=10, start_label=0)
    predict = lambda pictures: softmax(detector((np.asarray(pictures) - MEAN) / STD))  # noqa: E731
    original = picture.astype(np.double)
    data, labels = explainer.data_labels(
        original, adversarial.astype(np.double), segments, predict, 2000, batch_size=10
    )
    distances = pairwise_distances(data, data[0].reshape(1, -1), metric="cosine").ravel()
    for label in range(labels.shape[1]):
        explainer.base.explain_instance_with_data(data, labels, distances, label, 100000)


def main():
    path, file = sys.argv[1:]
    detector = Detector(path)
    picture = np.asarray(Image.open(file).convert("RGB")).astype(np.float32) / 255
    x = (picture - MEAN) / STD
    rng = np.random.default_rng(0)
    label = int(detector(x[None])[0].argmax())
    detector.passes, started = 0, time.perf_counter()
    adversarial = attack(detector, x, rng)
    told = {"search": {"passes": detector.passes, "seconds": time.perf_counter() - started}}
    for name, explain in (
        ("rise", lambda: rise(detector, x, adversarial, label, rng)),
        ("lime", lambda: lime(detector, picture, adversarial * STD + MEAN)),
    ):
        detector.passes, started = 0, time.perf_counter()
        explain()
        told[name] = {"passes": detector.passes, "seconds": time.perf_counter() - started}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
