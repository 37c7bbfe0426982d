"""Reads portraits and their landmarks, and splits people into training, validation and unseen."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from points import STORED

FACE_FACTOR = 1.35

LANDMARKS = Path(__file__).with_name("landmarks.json")
SOURCE = "the official portraits of the repository CivilServiceUSA/us-house (MIT), folder of NAME.jpg files of 512x512 pixels"
UNSEEN, VALIDATION = 145, 30


@dataclass
class Face:
    """One portrait: RGB uint8 [height, width, 3], points [n, 2] and face square (x0, y0, side) in its pixels."""

    name: str
    picture: np.ndarray
    points: np.ndarray
    square: tuple


def face_of(name, picture, entry):
    """The Face of a picture whose committed landmarks are `entry`; its square is what the detector expects."""
    x0, y0, x1, y1 = (value / 2 for value in entry["box"])
    side = FACE_FACTOR * max(x1 - x0, y1 - y0)
    points = np.array(entry["points"], np.float64).reshape(-1, 2) / 2
    return Face(name, picture, points, ((x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side))


def entries():
    """The committed landmarks: file name -> entry."""
    stored = json.loads(LANDMARKS.read_text())
    if stored["numbers"] != STORED:
        sys.exit(f"{LANDMARKS.name} holds other points than points.py names: run landmarks.py again")
    return stored["faces"]


def split():
    """File names of the portraits by person: {'train': [...], 'validation': [...], 'unseen': [...]}.

    The order is that of a digest of the name, so the split depends on nothing but the list of people.
    """
    people = [name for name in entries() if name.endswith(".jpg")]
    people.sort(key=lambda name: hashlib.sha256(b"split 1 " + name.encode()).digest())
    return {"unseen": sorted(people[:UNSEEN]),
            "validation": sorted(people[UNSEEN:UNSEEN + VALIDATION]),
            "train": sorted(people[UNSEEN + VALIDATION:])}


def load(folder, part):
    """The faces of one part of the split, in the order of their names; leaves with a clear message when one is missing."""
    stored, names = entries(), split()[part]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        sys.exit(f"{folder} lacks {len(missing)} of {len(names)} portraits ({missing[0]}, ...): --faces wants {SOURCE}")
    return [face_of(name, np.asarray(Image.open(folder / name).convert("RGB")), stored[name]) for name in names]


def add_faces_argument(parser):
    parser.add_argument("--faces", type=Path, required=True, metavar="DIR", help=SOURCE)
