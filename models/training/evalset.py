"""Writes the evaluation set: fakes of unseen people with exact masks, their originals, and reals.

The list is drawn by a fixed seed that no result has touched, and the files are
a function of that list, the portraits and landmarks.json. Their digests are
committed, so `--check` tells whether a folder was made again bit for bit.
Portraits are not ours to publish as fakes: keep the folder outside git.
"""

import steady  # noqa: F401  (first: it settles the numeric libraries)

import argparse
import csv
import hashlib
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from changed import mask_of
from crop import centred, off_centre, take
from faces import add_faces_argument, load
from forge import FAMILIES, forge

SEED = 20_261
PER_FAMILY = 66
DIGESTS = Path(__file__).with_name("evalset.sha256")
# An off-centre crop moves the face by at least this share of its side.
LEAST_SHIFT = 0.14
COLUMNS = ["id", "file", "family", "mask", "original", "off_centre", "person", "region", "poisson"]


def generator(*path):
    return np.random.Generator(np.random.PCG64([SEED, *path]))


def save(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    coded = io.BytesIO()
    Image.fromarray(picture).save(coded, "PNG")
    path.write_bytes(coded.getvalue())


def fakes(people, out):
    """Writes the fakes of every family, each family on its own draw of people; yields their rows."""
    donors = [centred(face) for face in people]
    for label, family in enumerate(FAMILIES):
        order = generator(label).permutation(len(people))
        roomy = iter([people[i] for i in order if off_centre(people[i], generator(label, 0, i), LEAST_SHIFT)])
        anyone = iter([people[i] for i in order[::-1]])
        for number in range(PER_FAMILY):
            off, rng = number % 3 == 0, generator(label, 1, number)
            face = next(roomy if off else anyone)
            view = take(face, off_centre(face, rng, LEAST_SHIFT) if off else face.square)
            forged = forge(view, family, rng, donors)
            name = f"{family}-{number:03}.png"
            save(forged.fake, out / "fakes" / name)
            save(forged.original, out / "originals" / name)
            save(mask_of(forged.original, forged.fake), out / "masks" / name)
            yield [name[:-4], f"fakes/{name}", family, f"masks/{name}", f"originals/{name}", int(off),
                   Path(face.name).stem, forged.region, int(forged.poisson)]


def reals(people, out):
    """Writes every unseen person as the detector expects, and every second one off-centre too; yields their rows."""
    for number, face in enumerate(people):
        # A portrait without room around the face has no off-centre crop.
        shifted = off_centre(face, generator(len(FAMILIES), number), LEAST_SHIFT) if number % 2 == 0 else None
        for off, square in enumerate([face.square, shifted] if shifted else [face.square]):
            name = f"real-{number:03}-{off}.png"
            save(take(face, square).picture, out / "reals" / name)
            yield [name[:-4], f"reals/{name}", "real", "", "", off, Path(face.name).stem, "", 0]


def digests(out):
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    return "".join(f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}\n" for name in files)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_faces_argument(parser)
    parser.add_argument("--out", type=Path, required=True, help="new folder, outside git")
    parser.add_argument("--write-digests", action="store_true",
                        help=f"record the files in {DIGESTS.name} instead of checking them against it")
    args = parser.parse_args()
    if args.out.exists():
        sys.exit(f"{args.out} exists already: name a new folder")
    people = load(args.faces, "unseen")
    rows = [*fakes(people, args.out), *reals(people, args.out)]
    with open(args.out / "items.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    made = digests(args.out)
    if args.write_digests:
        DIGESTS.write_text(made)
        print(f"{len(rows)} items written, digests recorded in {DIGESTS.name}")
    elif made == DIGESTS.read_text():
        print(f"{len(rows)} items written, every file as recorded in {DIGESTS.name}")
    else:
        differing = len(set(made.splitlines()) ^ set(DIGESTS.read_text().splitlines()))
        sys.exit(f"{differing} lines of digests differ from {DIGESTS.name}: other portraits, packages or processor?")


if __name__ == "__main__":
    main()
