"""Writes the sample pictures that ship: the astronaut's portrait and manipulations of it on itself.

No portrait of --faces is used. A swap needs a second person, so it has no
sample. Seeds are tried in order from zero until the detector names the family
with some margin; README.md beside the samples says which and how many.
"""

import steady  # noqa: F401  (first: it settles the numeric libraries)

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from changed import mask_of
from crop import centred
from detector import Detector
from faces import FACE_FACTOR, entries, face_of
from forge import LABELS, forge
from model import fake_margin

NAME = "astronaut.png"
FAMILIES = ["blend", "mouth", "eyes"]
MARGIN, TRIES = 2.0, 200

README = """# Samples

`astronaut-real.png` is the face of Eileen Collins, cut from a NASA portrait; the other pictures are manipulations of it on itself.
The portrait is in the public domain. NASA and the person endorse neither this project nor its pictures, and had no part in them.

* Source: `data.astronaut()` of scikit-image (file `astronaut.png`, 512x512), NASA, public domain.
  SHA-256 of the file: `{digest}`.
* Crop: the square x {x0:.3f} to {x1:.3f}, y {y0:.3f} to {y1:.3f} of the 512x512 picture, {factor} times the landmark box, resized to 128x128: the picture that the detector expects.
* `astronaut-FAMILY.mask.png`: white where the fake differs from `astronaut-real.png`. Outside it every pixel is equal.
* There is no `swap` sample: a swap needs a second person.

| sample | seed | seeds tried | fake margin (logits) | changed pixels | mask |
|---|---|---|---|---|---|
{rows}

Seeds were tried in order from 0, and the first kept whose family the detector names with a fake margin of at least {margin}.
The samples therefore show what the detector does when it is right; how often it is right stands in its card.
The detector was not trained or tuned on this portrait.

Made by `models/training/samples.py`.
"""


def drawn(view, family, detector):
    """The first fake of the family that the detector names with the wanted margin: picture, seed, margin."""
    for seed in range(TRIES):
        rng = np.random.Generator(np.random.PCG64([LABELS.index(family), seed]))
        fake = forge(view, family, rng).fake
        logits = detector.logits(fake[None])
        if LABELS[int(logits.argmax())] == family and fake_margin(logits)[0] >= MARGIN:
            return fake, seed, float(fake_margin(logits)[0])
    sys.exit(f"no {family} sample in {TRIES} seeds is named by the detector")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--astronaut", type=Path, required=True,
                        help="astronaut.png of scikit-image (in its wheel: skimage/data/astronaut.png)")
    parser.add_argument("--bundle", type=Path, required=True, help="folder that holds model.onnx")
    parser.add_argument("--out", type=Path, required=True, help="folder of the samples")
    args = parser.parse_args()
    if not args.astronaut.is_file():
        sys.exit(f"{args.astronaut} is not a file: --astronaut wants scikit-image's astronaut.png")

    detector = Detector(args.bundle)
    face = face_of(NAME, np.asarray(Image.open(args.astronaut).convert("RGB")), entries()[NAME])
    view = centred(face)
    real = view.picture
    logits = detector.logits(real[None])
    if logits.argmax() != 0:
        sys.exit("the detector does not call the astronaut's portrait real")
    args.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(real).save(args.out / "astronaut-real.png")
    rows = [f"| real | - | - | {fake_margin(logits)[0]:.2f} | - | - |"]
    for family in FAMILIES:
        fake, seed, margin = drawn(view, family, detector)
        mask, differs = mask_of(real, fake), (real != fake).any(-1)
        Image.fromarray(fake).save(args.out / f"astronaut-{family}.png")
        Image.fromarray(mask).save(args.out / f"astronaut-{family}.mask.png")
        rows.append(f"| {family} | {seed} | {seed + 1} | {margin:.2f} | {differs.mean():.1%} | {(mask > 0).mean():.1%} |")
    x0, y0, side = face.square
    (args.out / "README.md").write_text(README.format(
        digest=hashlib.sha256(args.astronaut.read_bytes()).hexdigest(), x0=x0, x1=x0 + side, y0=y0, y1=y0 + side,
        factor=FACE_FACTOR, margin=MARGIN, rows="\n".join(rows)))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
