"""Compares settings of the bounded adversarial search: python search.py --evalset DIR --model FILE [--fakes 10]

A prototype of `explainer/src/fill/adversarial/bounded.rs` in numpy, for trying settings; needs numpy, OpenCV, Pillow and
onnxruntime. Prints a line of Markdown for each setting. DIR is what models/training/evalset.py writes.
"""

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from PIL import Image

MEAN = np.float32([0.485, 0.456, 0.406])[:, None, None]
STD = np.float32([0.229, 0.224, 0.225])[:, None, None]
BOUND, MOST = 16, 2000

BASE = {"grids": (64,), "momentum": 0.9, "sigma": 6.0, "pairs": 10, "step": 4.0, "margin": 2.0, "adaptive": True}
SETTINGS = {
    "start: grid 32, momentum 0.7, sigma 11.5, step 2, margin 1, no adaptation":
        {"grids": (32,), "momentum": 0.7, "sigma": 11.5, "step": 2.0, "margin": 1.0, "adaptive": False},
    "grid 32, momentum 0.7, sigma 11.5, step 4, adaptive": {"grids": (32,), "momentum": 0.7, "sigma": 11.5},
    "grid 32, sigma 11.5": {"grids": (32,), "sigma": 11.5},
    "grids 32 and 16 in turn, momentum 0.7, sigma 11.5": {"grids": (32, 16), "momentum": 0.7, "sigma": 11.5},
    "grids 32 and 64 in turn, sigma 11.5": {"grids": (32, 64), "sigma": 11.5},
    "grid 48, sigma 11.5": {"grids": (48,), "sigma": 11.5},
    "grid 64, momentum 0.7, sigma 11.5": {"momentum": 0.7, "sigma": 11.5},
    "grid 64, sigma 11.5": {"sigma": 11.5},
    "grid 128, sigma 8": {"grids": (128,), "sigma": 8.0},
    "grid 64, 5 pairs": {"pairs": 5},
    "**grid 64 (the default)**": {},
}


def margins(logits):
    """Log-odds of manipulated against real."""
    logits = logits.astype(np.float64)
    top = logits[:, 1:].max(1, keepdims=True)
    return top[:, 0] + np.log(np.exp(logits[:, 1:] - top).sum(1)) - logits[:, 0]


def search(ask, x, grids, momentum, sigma, pairs, step, margin, adaptive):
    """The sample's margin, whether it is called real, and the passes."""
    rng = np.random.default_rng(0)
    current, velocity, passes, steps, best, idle = x.copy(), None, 0, 0, np.inf, 0
    while True:
        logits = ask(current[None])
        passes += 1
        value = margins(logits)[0]
        idle = 0 if value < best - 1e-3 else idle + 1
        best = min(best, value)
        if value < -margin and logits[0].argmax() == 0:
            return True, passes
        if passes + 2 * pairs + 1 > MOST:
            return best < 0, passes
        if adaptive and idle >= 4:
            step, pairs, idle = max(step / 2, 0.5), min(2 * pairs, 63), 0
        side = grids[steps % len(grids)]
        noise = rng.standard_normal((pairs, 3, side, side)).astype(np.float32)
        fields = sigma * np.stack([[cv2.resize(p, x.shape[:0:-1], interpolation=cv2.INTER_CUBIC) for p in n] for n in noise])
        scores = margins(ask(np.concatenate([current + fields, current - fields])))
        passes += 2 * pairs
        slope = ((scores[:pairs] - scores[pairs:])[:, None, None, None] * fields).sum(0)
        slope /= np.abs(slope).mean() + 1e-30
        velocity = slope if velocity is None else momentum * velocity + slope
        current = np.clip(np.clip(current - step * np.sign(velocity), x - BOUND, x + BOUND), 0, 255).astype(np.float32)
        steps += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evalset", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--fakes", type=int, default=10, help="of each family, the first that the detector calls fake")
    args = parser.parse_args()
    session = onnxruntime.InferenceSession(args.model)

    def ask(pictures):
        blocks = [pictures[i:i + 16] for i in range(0, len(pictures), 16)]
        return np.concatenate([session.run(None, {"input": ((b / 255 - MEAN) / STD).astype(np.float32)})[0] for b in blocks])

    chosen, found = [], {}
    with open(args.evalset / "items.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["family"] == "real" or found.get(row["family"], 0) == args.fakes:
                continue
            x = np.asarray(Image.open(args.evalset / row["file"]).convert("RGB"), np.float32).transpose(2, 0, 1)
            if ask(x[None])[0].argmax() != 0:
                found[row["family"]] = found.get(row["family"], 0) + 1
                chosen.append(x)
    print(f"| setting, {len(chosen)} fakes | flipped | median passes | mean passes | 90th percentile |\n|---|---|---|---|---|")
    for name, changes in SETTINGS.items():
        answers = [search(ask, x, **(BASE | changes)) for x in chosen]
        passes = [a[1] for a in answers]
        print(f"| {name} | {np.mean([a[0] for a in answers]):.1%} | {np.median(passes):.0f} | {np.mean(passes):.0f} "
              f"| {np.percentile(passes, 90):.0f} |", flush=True)


if __name__ == "__main__":
    main()
