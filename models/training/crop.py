"""Cuts the detector's picture, 128x128, out of a portrait.

Pillow's antialiased bilinear resize on bytes, once from the portrait to the
detector's size, is what the service does too; manipulations come after it, so
training, evaluation and service see the same pixels.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

SIZE = 128
# A crop keeps at least this share of the face's landmarks in the picture.
LEAST_SEEN = 0.88


@dataclass
class View:
    """What a crop shows: picture [SIZE, SIZE, 3] uint8 RGB, and the points [n, 2] in its pixels, some perhaps outside."""

    name: str
    picture: np.ndarray
    points: np.ndarray


def take(face, square):
    """The View of a face through a square (x0, y0, side) of its portrait."""
    x0, y0, side = square
    picture, height, width = face.picture, *face.picture.shape[:2]
    # Pillow resizes only squares inside the picture, so an edge that is too near is repeated outwards.
    pad = max(0, int(np.ceil(max(-x0, -y0, x0 + side - width, y0 + side - height))))
    if pad:
        picture = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    box = (x0 + pad, y0 + pad, x0 + pad + side, y0 + pad + side)
    small = Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
    return View(face.name, np.asarray(small), (face.points - (x0, y0)) * (SIZE / side))


def centred(face):
    """The View that the detector expects."""
    return take(face, face.square)


def moved(face, dx, dy, zoom):
    """The face's square, `zoom` times as large, off by (dx, dy) of its side, then pushed back into the portrait."""
    x0, y0, side = face.square
    height, width = face.picture.shape[:2]
    wide = min(side * zoom, height, width)
    left = x0 + side / 2 - wide / 2 + dx * wide
    top = y0 + side / 2 - wide / 2 + dy * wide
    return min(max(left, 0.0), width - wide), min(max(top, 0.0), height - wide), wide


def seen(face, square):
    """The share of the face's landmarks that a square shows."""
    x0, y0, side = square
    return ((face.points >= (x0, y0)) & (face.points <= (x0 + side, y0 + side))).all(1).mean()


def jittered(face, rng):
    """An ordinary training crop: nearly centred two times in three, else with the face off to a side."""
    reach = 0.06 if rng.random() < 2 / 3 else 0.24
    for _ in range(20):
        square = moved(face, *rng.uniform(-reach, reach, 2), rng.uniform(0.9, 1.25))
        if seen(face, square) >= LEAST_SEEN:
            return square
    return face.square


def off_centre(face, rng, least):
    """A crop whose centre is off the face's by at least `least` of its side, or None where the portrait has no room."""
    x0, y0, side = face.square
    middle = np.array([x0, y0]) + side / 2
    for _ in range(500):
        left, top, wide = moved(face, *rng.uniform(-0.25, 0.25, 2), rng.uniform(0.95, 1.15))
        away = np.abs(np.array([left, top]) + wide / 2 - middle).max() / wide
        if away >= least and seen(face, (left, top, wide)) >= LEAST_SEEN:
            return left, top, wide
    return None
