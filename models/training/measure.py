"""Measures the shipped detector on unseen people and writes the tables of its card.

Everything between the two marks in card.md is replaced; nothing else of the
card is touched, and no figure of the card comes from anywhere else.
"""

import steady  # noqa: F401  (first: it settles the numeric libraries)

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crop import centred, jittered, take
from dataset import Pairs
from detector import Detector
from faces import add_faces_argument, load
from forge import FAMILIES, LABELS, forge
from model import fake_margin
from scores import auc, calibration_error, reliability, softmax

SEED = 77
DRAWS = 3
RESAMPLES = 1000
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


@dataclass
class Trial:
    """Logits of pairs: real and fake [n, 5], the fake's label, the person, and whether it is a Poisson swap."""

    real: np.ndarray
    fake: np.ndarray
    label: np.ndarray
    person: np.ndarray
    poisson: np.ndarray

    def auc(self, where=slice(None)):
        return auc(fake_margin(self.real), fake_margin(self.fake[where]))

    def family(self, name):
        return self.label == LABELS.index(name)


def untouched(faces, detector):
    """Pairs whose target nobody edited or compressed: every person, every family, DRAWS times, in training's crops."""
    donors, pictures, rows = [centred(face) for face in faces], [], []
    for number, face in enumerate(faces):
        for label, family in enumerate(FAMILIES, start=1):
            for draw in range(DRAWS):
                rng = np.random.Generator(np.random.PCG64([SEED, number, label, draw]))
                forged = forge(take(face, jittered(face, rng)), family, rng, donors)
                pictures.append([forged.original, forged.fake])
                rows.append((label, number, forged.poisson))
    return trial(np.array(pictures), rows, detector)


def edited(faces, detector):
    """Pairs as in training: the target edited, and the pair compressed, 40 % of the time each."""
    pairs = Pairs(faces, SEED, len(faces) * len(FAMILIES) * DRAWS)
    pictures, labels = zip(*(pairs[i] for i in range(len(pairs))))
    return trial(np.array(pictures), [(label, -1, False) for label in labels], detector)


def trial(pictures, rows, detector):
    label, person, poisson = (np.array(column) for column in zip(*rows))
    return Trial(detector.logits(pictures[:, 0]), detector.logits(pictures[:, 1]), label, person, poisson)


def interval(found):
    """95 % interval of the AUC when people are drawn again with replacement."""
    rng = np.random.default_rng(SEED)
    people = np.unique(found.person)
    of = [np.flatnonzero(found.person == person) for person in people]
    reals, fakes, values = fake_margin(found.real), fake_margin(found.fake), []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([of[i] for i in rng.integers(len(people), size=len(people))])
        values.append(auc(reals[drawn], fakes[drawn]))
    return np.percentile(values, [2.5, 97.5])


def percent(values):
    return f"{100 * float(np.mean(values)):.1f} %"


def auc_table(clean, rough):
    low, high = interval(clean)
    lines = ["| real against | fakes | AUC, untouched target | AUC, edited and compressed |", "|---|---|---|---|",
             f"| all fakes | {len(clean.fake)} | **{clean.auc():.4f}** ({low:.4f} to {high:.4f}) | {rough.auc():.4f} |"]
    for name in FAMILIES:
        lines.append(f"| {name} | {clean.family(name).sum()} | {clean.auc(clean.family(name)):.4f} | {rough.auc(rough.family(name)):.4f} |")
    for name, poisson in (("swap, feathered edge", False), ("swap, Poisson", True)):
        where = clean.family("swap") & (clean.poisson == poisson)
        lines.append(f"| {name} | {where.sum()} | {clean.auc(where):.4f} | |")
    return lines


def decision_table(clean, rough):
    lines = ["| | untouched target | edited and compressed |", "|---|---|---|"]

    def row(name, figure):
        lines.append(f"| {name} | {figure(clean)} | {figure(rough)} |")

    row("five classes: accuracy, half reals", lambda t: percent(np.concatenate([t.real.argmax(1) == 0, t.fake.argmax(1) == t.label])))
    row("real or fake: accuracy, largest logit", lambda t: percent(np.concatenate([t.real.argmax(1) == 0, t.fake.argmax(1) != 0])))
    row("real or fake: accuracy, margin above 0", lambda t: percent(np.concatenate([fake_margin(t.real) <= 0, fake_margin(t.fake) > 0])))
    row("false positives, largest logit", lambda t: percent(t.real.argmax(1) != 0))
    row("false positives, margin above 0", lambda t: percent(fake_margin(t.real) > 0))
    for name in FAMILIES:
        row(f"{name}: found (margin above 0)", lambda t, name=name: percent(fake_margin(t.fake[t.family(name)]) > 0))
        row(f"{name}: named {name}", lambda t, name=name: percent(t.fake[t.family(name)].argmax(1) == LABELS.index(name)))
    return lines


def portrait_table(faces, detector):
    logits = detector.logits(np.stack([centred(face).picture for face in faces]))
    return ["| untouched portraits, the crop that the detector expects, one per person | share |", "|---|---|",
            f"| false positives, largest logit | {percent(logits.argmax(1) != 0)} |",
            f"| false positives, margin above 0 | {percent(fake_margin(logits) > 0)} |"]


def calibration_table(found):
    probability = 1 - np.concatenate([softmax(found.real)[:, 0], softmax(found.fake)[:, 0]])
    truth = np.repeat([0.0, 1.0], [len(found.real), len(found.fake)])
    rows = reliability(probability, truth)
    return [f"Expected calibration error of P(fake), ten bins: **{calibration_error(rows):.3f}**.", "",
            "| P(fake) | pictures | mean P(fake) | share fake |", "|---|---|---|---|",
            *(f"| {low:.1f} to {high:.1f} | {count} | {mean:.3f} | {share:.3f} |" for low, high, count, mean, share in rows)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_faces_argument(parser)
    parser.add_argument("--bundle", type=Path, required=True, help="folder that holds model.onnx and card.md")
    args = parser.parse_args()
    card = args.bundle / "card.md"
    text = card.read_text()
    if BEGIN not in text or END not in text:
        sys.exit(f"{card} lacks the marks {BEGIN.strip()} and {END.strip()} between which the figures go")
    detector, faces = Detector(args.bundle), load(args.faces, "unseen")
    clean, rough = untouched(faces, detector), edited(faces, detector)
    tables = [auc_table(clean, rough), decision_table(clean, rough), portrait_table(faces, detector),
              calibration_table(clean)]
    intro = [f"{len(faces)} people whom training and validation never saw; "
             f"{len(clean.fake)} fakes and as many reals in each of the two columns."]
    measured = "\n\n".join("\n".join(lines) for lines in [intro, *tables]) + "\n"
    card.write_text(text[:text.index(BEGIN) + len(BEGIN)] + measured + text[text.index(END):])
    print(measured)


if __name__ == "__main__":
    main()
