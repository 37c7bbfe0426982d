"""Draws the soft mask inside which a face is changed.

Each family owns regions of the face: whole-face families use the face oval or
the inner face, the mouth family the mouth or the lower face, the eye family
both eyes with their brows, as one band or as two islands.
"""

import cv2
import numpy as np

from crop import SIZE
from points import CHEEKS, CHIN, LEFT_BROW, LEFT_EYE, LIPS_OUTER, NOSE, OVAL, RIGHT_BROW, RIGHT_EYE, rows
from warp import elastic, resample

# Weights below this are no more than a faint halo: cutting them keeps the mask about as large as what is seen.
FAINT = 0.04
LOWER_OVAL = OVAL[9:28]

REGIONS = {
    "oval": [OVAL],
    "inner": [RIGHT_BROW + LEFT_BROW + RIGHT_EYE + LEFT_EYE + LIPS_OUTER + NOSE + CHEEKS[:4]],
    "lower": [LOWER_OVAL + LIPS_OUTER + CHIN + [2, 98, 327]],
    "mouth": [LIPS_OUTER],
    "eyes": [RIGHT_EYE + RIGHT_BROW + LEFT_EYE + LEFT_BROW],
    "eye islands": [RIGHT_EYE + RIGHT_BROW, LEFT_EYE + LEFT_BROW],
}
# How far a hull grows about its centre, and the widest edge (sigma in pixels) that it can carry.
GROWTH = {"oval": (0.92, 1.0), "inner": (0.95, 1.15), "lower": (0.9, 1.0), "mouth": (1.15, 1.6),
          "eyes": (1.05, 1.25), "eye islands": (1.1, 1.35)}
WIDEST_EDGE = {"oval": 6.0, "inner": 6.0, "lower": 5.0, "mouth": 3.0, "eyes": 3.5, "eye islands": 3.0}


def hard(points, region, rng):
    """The region's hulls, grown and elastically deformed: [SIZE, SIZE] float32 of 0..1."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    growth = rng.uniform(*GROWTH[region])
    for numbers in REGIONS[region]:
        hull = cv2.convexHull(points[rows(numbers)].astype(np.float32))[:, 0]
        centre = hull.mean(0)
        cv2.fillConvexPoly(mask, np.rint((hull - centre) * growth + centre).astype(np.int32), 1)
    return resample(mask.astype(np.float32), elastic(rng, cells=5, amplitude=2.0))


def soft(points, region, rng):
    """The mask of a blend: a deformed hull with a Gaussian edge, times the blend ratio; [SIZE, SIZE] float32."""
    mask = hard(points, region, rng)
    sigma = rng.uniform(1.0, WIDEST_EDGE[region])
    mask = cv2.GaussianBlur(mask, (0, 0), sigma)
    mask *= (1.0 if rng.random() < 0.4 else rng.uniform(0.5, 1.0)) / max(mask.max(), 1e-6)
    mask[mask < FAINT] = 0
    return mask
