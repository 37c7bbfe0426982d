"""Makes one fake of one family from one face: the manipulations themselves.

Every fake is made at the detector's own size, and differs from the target only
where its mask is above zero. `blend`, `mouth` and `eyes` put a slightly changed
copy of the face over itself (self-blended images, arXiv 2204.08376); `swap`
puts another person's face there.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from edits import edit, match_colours
from masks import hard, soft
from points import CHEEKS, LEFT_BROW, LEFT_EYE, LIPS_OUTER, NOSE, OVAL, RIGHT_BROW, RIGHT_EYE, rows
from warp import nudge, resample, spline

FAMILIES = ["blend", "swap", "mouth", "eyes"]
LABELS = ["real", *FAMILIES]

# How often a family takes each of its regions.
CHOICES = {
    "blend": [("oval", 0.65), ("inner", 0.35)],
    "swap": [("oval", 0.6), ("inner", 0.4)],
    "mouth": [("mouth", 0.6), ("lower", 0.4)],
    "eyes": [("eyes", 0.6), ("eye islands", 0.4)],
}
POISSON = 0.3
# A change that moves its pixels by less than this on average shows nothing; it is drawn again.
LEAST_CHANGE = 5.0
DRAWS = 12

ANCHORS = rows(OVAL + LIPS_OUTER + RIGHT_EYE + LEFT_EYE + RIGHT_BROW + LEFT_BROW + NOSE + CHEEKS)


@dataclass
class Forged:
    """Pictures [SIZE, SIZE, 3] of the (perhaps edited) target and of its fake, and how the fake was made."""

    original: np.ndarray
    fake: np.ndarray
    family: str
    region: str
    poisson: bool


def forge(view, family, rng, donors=(), edit_target=0.0):
    """A fake of what a view shows.

    A swap takes a similar face of `donors`, which are centred views. The target itself is edited with probability `edit_target`.
    """
    names, weights = zip(*CHOICES[family])
    region = names[rng.choice(len(names), p=weights)]
    for _ in range(DRAWS):
        target_edited = rng.random() < edit_target
        target = edit(view.picture, rng) if target_edited else view.picture
        poisson = bool(family == "swap" and rng.random() < POISSON)
        if family == "swap":
            fake = swapped(target, view, donor_for(view, donors, rng), region, poisson, rng)
        else:
            fake = self_blended(target, view, region, target_edited, rng)
        if shows(target, fake):
            break
    return Forged(target, fake, family, region, poisson)


def shows(before, after):
    """Whether the changed pixels moved enough to be seen, in their channel that moved most."""
    red, green, blue = cv2.split(cv2.absdiff(before, after))
    most = np.maximum(np.maximum(red, green), blue)
    return most.any() and most[most > 0].mean() >= LEAST_CHANGE


def self_blended(target, view, region, target_edited, rng):
    """The target with its own moved (and, where the target was left alone, edited) copy inside the region."""
    source = view.picture if target_edited else edit(view.picture, rng)
    return mixed(target, resample(source, nudge(rng)), soft(view.points, region, rng))


def swapped(target, view, donor, region, poisson, rng):
    """The target with the donor's face, warped by landmarks and matched in colour, inside the region."""
    source = edit(donor.picture, rng) if rng.random() < 0.5 else donor.picture
    source = resample(source, spline(view.points[ANCHORS], donor.points[ANCHORS]))
    if poisson:
        return cloned(target, source, hard(view.points, region, rng))
    mask = soft(view.points, region, rng)
    # A swap at half strength would be a double exposure of two people, so its middle is all donor.
    mask = np.minimum(mask / mask.max(), 1)
    return mixed(target, match_colours(source, target, mask > 0.5, rng.uniform(0.6, 1.0)), mask)


def mixed(under, over, mask):
    """`over` weighed by the mask on top of `under`, in bytes."""
    weight = mask[..., None]
    return np.rint(under + weight * (over.astype(np.float32) - under)).astype(np.uint8)


def cloned(under, over, mask):
    """`over` put into `under` by Poisson blending inside the mask."""
    inside = (mask > 0.5).astype(np.uint8)
    inside[:3], inside[-3:], inside[:, :3], inside[:, -3:] = 0, 0, 0, 0
    x, y, width, height = cv2.boundingRect(inside)
    pasted = cv2.seamlessClone(np.ascontiguousarray(over), np.ascontiguousarray(under), inside * 255,
                               (x + width // 2, y + height // 2), cv2.NORMAL_CLONE)
    return np.where(inside[..., None] > 0, pasted, under)


def donor_for(view, donors, rng):
    """The view of most similar face shape among a few drawn from other people."""
    others = [donor for donor in donors if donor.name != view.name]
    drawn = [others[i] for i in rng.choice(len(others), size=min(16, len(others)), replace=False)]
    distance = [np.abs(shape(donor.points) - shape(view.points)).mean() for donor in drawn]
    return drawn[int(np.argmin(distance))]


def shape(points):
    """Landmarks freed of place and size."""
    away = points - points.mean(0)
    return away / np.sqrt((away ** 2).mean())
