"""Trains the detector and writes the averaged weights to a checkpoint.

Ordinary training: crops, mirroring, JPEG and colour are the only augmentation.
Nothing is hidden, greyed out or attacked, because that would teach the detector
the very perturbations by which it is later explained.
"""

import steady  # noqa: F401  (first: it settles the numeric libraries)

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from dataset import Pairs
from faces import add_faces_argument, load
from forge import FAMILIES, LABELS
from model import fake_margin, network, normalised
from scores import auc

PAIRS = 32
RATE, DECAY, SMOOTHING, WARM_UP, AVERAGE = 1e-3, 1e-2, 0.05, 50, 0.996
VALIDATE_EVERY, VALIDATION_PAIRS = 150, 320


def rate_at(step, steps):
    """Learning rate: a linear warm-up, then half a cosine down to zero."""
    if step < WARM_UP:
        return RATE * (step + 1) / WARM_UP
    return RATE * 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / (steps - WARM_UP)))


def tensor(pictures):
    return torch.from_numpy(normalised(pictures)).contiguous(memory_format=torch.channels_last)


def average(kept, net, step):
    """Moves the averaged weights towards the current ones, faster at the start."""
    share = min(AVERAGE, (step + 1) / (step + 10))
    with torch.no_grad():
        for mine, theirs in zip(kept.state_dict().values(), net.state_dict().values()):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - share)
            else:
                mine.copy_(theirs)


def validate(net, pairs, labels):
    """AUC of real against fake, overall and per family, and five-class accuracy."""
    with torch.no_grad():
        logits = [np.concatenate([net(tensor(part)).numpy() for part in np.array_split(pairs[:, side], 5)]) for side in (0, 1)]
    reals, fakes = fake_margin(logits[0]), fake_margin(logits[1])
    figures = {"auc": auc(reals, fakes)}
    for label, name in enumerate(FAMILIES, start=1):
        figures[name] = auc(reals, fakes[labels == label])
    figures["accuracy"] = ((logits[0].argmax(1) == 0).mean() + (logits[1].argmax(1) == labels).mean()) / 2
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_faces_argument(parser)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes that make the pictures; they do not change them")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    held_out = Pairs(load(args.faces, "validation"), args.seed + 1_000_000, VALIDATION_PAIRS)
    held_pairs, held_labels = zip(*(held_out[i] for i in range(VALIDATION_PAIRS)))
    held_pairs, held_labels = np.stack(held_pairs), np.array(held_labels)

    net = network().to(memory_format=torch.channels_last)
    kept = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    pairs = Pairs(load(args.faces, "train"), args.seed, args.steps * PAIRS)
    loader = DataLoader(pairs, batch_size=PAIRS, num_workers=args.workers, prefetch_factor=8)
    started, running = time.monotonic(), 0.0
    net.train()
    for step, (batch, labels) in enumerate(loader):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, args.steps)
        pictures = batch.numpy().transpose(1, 0, 2, 3, 4).reshape(-1, *batch.shape[2:])
        truth = torch.cat([torch.zeros_like(labels), labels])
        loss = cross_entropy(net(tensor(pictures)), truth, label_smoothing=SMOOTHING)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        average(kept, net, step)
        running = loss.item() if step == 0 else 0.97 * running + 0.03 * loss.item()
        if (step + 1) % VALIDATE_EVERY == 0 or step + 1 == args.steps:
            figures = validate(kept, held_pairs, held_labels)
            torch.save(kept.state_dict(), args.out)
            print(f"step {step + 1} loss {running:.3f} {time.monotonic() - started:.0f} s",
                  *(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)
    print(f"{args.out}: labels {LABELS}")


if __name__ == "__main__":
    main()
