"""Times a Python peer on the shipped detector: lime, shap (partition), and RISE and SOBOL written with care in numpy.

Each runs at the settings that suit it best, found by trying: sessions, threads and batch. Prints one line of JSON with the
passes, the seconds, and the passes/s of onnxruntime alone before and after it in the same process.

    python peers.py lime|shap|rise|sobol MODEL PICTURE
"""

import json
import sys
import threading
import time

import cv2
import numpy as np
import onnxruntime as ort
from PIL import Image

MEAN = np.float32([0.485, 0.456, 0.406])
STD = np.float32([0.229, 0.224, 0.225])
CORES = len(__import__("os").sched_getaffinity(0))


class Detector:
    """The model as a function of pictures [N, H, W, 3] in 0..255, split over sessions and into batches."""

    def __init__(self, path, sessions, threads, batch):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.sessions = [
            ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for _ in range(sessions)
        ]
        self.name = self.sessions[0].get_inputs()[0].name
        self.batch = batch
        self.passes = 0
        self.settings = f"{sessions} sessions of {threads} threads, batches of {batch}"

    def logits(self, tensors):
        """Logits of tensors [N, 3, H, W]."""
        parts = [tensors[i : i + self.batch] for i in range(0, len(tensors), self.batch)]
        out = [None] * len(parts)

        def work(which):
            for i in range(which, len(parts), len(self.sessions)):
                out[i] = self.sessions[which].run(None, {self.name: parts[i]})[0]

        if len(self.sessions) == 1 or len(parts) == 1:
            for i, part in enumerate(parts):
                out[i] = self.sessions[0].run(None, {self.name: part})[0]
        else:
            threads = [threading.Thread(target=work, args=(i,)) for i in range(len(self.sessions))]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
        self.passes += len(tensors)
        return np.concatenate(out)

    def probabilities(self, pictures):
        pictures = np.asarray(pictures, dtype=np.float32)
        tensors = np.ascontiguousarray(((pictures / 255 - MEAN) / STD).transpose(0, 3, 1, 2))
        logits = self.logits(tensors)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


def bare(path, seconds=1.0):
    """Passes/s of one single-thread session per core, at the best of several batches."""
    return max(bare_at(path, batch, seconds) for batch in (1, 4, 8))


def bare_at(path, batch, seconds):
    detector = Detector(path, CORES, 1, batch)
    shape = detector.sessions[0].get_inputs()[0].shape
    x = np.random.default_rng(0).standard_normal((batch, *shape[1:])).astype(np.float32)
    counts = [0] * CORES
    end = time.perf_counter() + seconds

    def work(i):
        while time.perf_counter() < end:
            detector.sessions[i].run(None, {detector.name: x})
            counts[i] += batch

    threads = [threading.Thread(target=work, args=(i,)) for i in range(CORES)]
    started = time.perf_counter()
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return sum(counts) / (time.perf_counter() - started)


def lime(detector, picture, passes):
    from lime import lime_image

    explainer = lime_image.LimeImageExplainer(random_state=0)
    explainer.explain_instance(
        picture.astype(np.double),
        lambda pictures: detector.probabilities(pictures),
        top_labels=1,
        num_samples=passes,
        batch_size=max(64, detector.batch * len(detector.sessions)),
        segmentation_fn=segments,
    )


def segments(picture):
    from skimage.segmentation import slic

    return slic(picture.astype(np.float64) / 255, n_segments=50, compactness=10, sigma=0, start_label=0)


def shap(detector, picture, passes):
    import shap as package

    masker = package.maskers.Image("blur(16,16)", picture.shape)
    explainer = package.Explainer(lambda x: detector.probabilities(x), masker)
    explainer(
        picture[None].astype(np.float32),
        max_evals=passes,
        batch_size=max(50, detector.batch * len(detector.sessions)),
        outputs=package.Explanation.argsort.flip[:1],
        silent=True,
    )


def tensor_of(picture):
    return np.ascontiguousarray(((picture.astype(np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1))


def rise(detector, picture, passes):
    x = tensor_of(picture)
    fill = x.mean(axis=(1, 2), keepdims=True)
    side, grid = x.shape[1], 7
    cell = -(-side // grid)
    rng = np.random.default_rng(0)
    total, shown, mean = np.zeros((side, side)), np.zeros((side, side)), 0.0
    chunk = 64
    for start in range(0, passes, chunk):
        count = min(chunk, passes - start)
        bits = (rng.random((count, grid, grid)) < 0.5).astype(np.float32)
        masks = np.empty((count, side, side), dtype=np.float32)
        for i in range(count):
            big = cv2.resize(bits[i], ((grid + 1) * cell, (grid + 1) * cell), interpolation=cv2.INTER_LINEAR)
            dy, dx = rng.integers(0, cell, 2)
            masks[i] = big[dy : dy + side, dx : dx + side]
        pictures = masks[:, None] * (x - fill) + fill
        logits = detector.logits(np.ascontiguousarray(pictures))
        scores = logits[:, 1] - logits[:, 0]
        total += np.tensordot(scores, masks, 1)
        shown += masks.sum(axis=0)
        mean += scores.sum()
    return total / shown - mean / passes


def sobol(detector, picture, passes):
    from scipy.stats import qmc

    x = tensor_of(picture)
    fill = x.mean(axis=(1, 2), keepdims=True)
    side, grid = x.shape[1], 8
    cells = grid * grid
    points = qmc.Sobol(2 * cells, scramble=False).random(passes // (cells + 2))
    a, b = points[:, :cells], points[:, cells:]
    designs = [a, b]
    for i in range(cells):
        c = a.copy()
        c[:, i] = b[:, i]
        designs.append(c)
    masks = np.concatenate(designs).reshape(-1, grid, grid).astype(np.float32)
    scores = []
    for start in range(0, len(masks), 64):
        part = masks[start : start + 64]
        big = np.stack([cv2.resize(m, (side, side), interpolation=cv2.INTER_NEAREST) for m in part])
        logits = detector.logits(np.ascontiguousarray(big[:, None] * (x - fill) + fill))
        scores.append(logits[:, 1] - logits[:, 0])
    return np.concatenate(scores)


PEERS = {"lime": (lime, 1000), "shap": (shap, 1000), "rise": (rise, 4000), "sobol": (sobol, 2112)}
SETTINGS = [(1, CORES, 32), (1, CORES, 64), *((CORES, 1, batch) for batch in (1, 2, 4, 8, 16, 32))]


def main():
    name, path, file = sys.argv[1:]
    picture = np.asarray(Image.open(file).convert("RGB"))
    peer, passes = PEERS[name]
    best = None
    for sessions, threads, batch in SETTINGS:
        detector = Detector(path, sessions, threads, batch)
        started = time.perf_counter()
        peer(detector, picture, max(passes // 8, 132))
        rate = detector.passes / (time.perf_counter() - started)
        if best is None or rate > best[0]:
            best = (rate, (sessions, threads, batch))
    detector = Detector(path, *best[1])
    before = bare(path)
    started = time.perf_counter()
    peer(detector, picture, passes)
    seconds = time.perf_counter() - started
    after = bare(path)
    print(
        json.dumps(
            {
                "passes": detector.passes,
                "seconds": seconds,
                "bare": (before + after) / 2,
                "settings": detector.settings,
            }
        )
    )


if __name__ == "__main__":
    main()
