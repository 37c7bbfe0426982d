"""Calibrates a checkpoint on the validation people: one temperature and one shift of the real logit.

A network is surer about the people it was trained on than about others. Both
numbers are fitted to people outside training and folded into the last layer,
so the exported graph is the same size and needs no extra step. Unseen people
take no part.
"""

import steady  # noqa: F401  (first: it settles the numeric libraries)

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from dataset import Pairs
from faces import add_faces_argument, load
from forge import LABELS
from model import normalised, trained

SEED, PAIRS = 2_000_001, 1440


def answers(net, faces):
    """Logits and labels of as many reals as fakes of these faces."""
    pairs, logits, labels = Pairs(faces, SEED, PAIRS), [], []
    for start in range(0, PAIRS, 16):
        pictures, names = zip(*(pairs[i] for i in range(start, start + 16)))
        with torch.no_grad():
            logits.append(net(torch.from_numpy(normalised(np.concatenate(pictures)))))
        labels += [label for name in names for label in (0, name)]
    return torch.cat(logits).double(), torch.tensor(labels)


def fit(logits, labels):
    """The temperature and the shift of the real logit with the least cross-entropy."""
    log_temperature = torch.zeros((), dtype=torch.double, requires_grad=True)
    shift = torch.zeros((), dtype=torch.double, requires_grad=True)
    real = torch.eye(len(LABELS), dtype=torch.double)[0]
    search = torch.optim.LBFGS([log_temperature, shift], max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        search.zero_grad()
        value = cross_entropy(logits * torch.exp(-log_temperature) + shift * real, labels)
        value.backward()
        return value

    before = cross_entropy(logits, labels).item()
    search.step(loss)
    print(f"cross-entropy {before:.4f} -> {loss().item():.4f}")
    return log_temperature.exp().item(), shift.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_faces_argument(parser)
    parser.add_argument("--checkpoint", type=Path, required=True, help="written by train.py")
    parser.add_argument("--out", type=Path, required=True, help="calibrated checkpoint to write")
    args = parser.parse_args()
    net = trained(args.checkpoint)
    temperature, shift = fit(*answers(net, load(args.faces, "validation")))
    head = net.classifier[1]
    with torch.no_grad():
        head.weight /= temperature
        head.bias /= temperature
        head.bias[0] += shift
    torch.save(net.state_dict(), args.out)
    print(f"{args.out}: temperature {temperature:.3f}, shift of the real logit {shift:.3f}")


if __name__ == "__main__":
    main()
