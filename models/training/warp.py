"""Moves pixels: elastic noise, small rigid changes, and the landmark warp of a swap.

A warp is a map [SIZE, SIZE, 2] float32 that says for each pixel where in the
source it comes from. Coordinates are rounded to 1/64 pixel, so that the last
bits of a processor's arithmetic never show in a picture.
"""

import cv2
import numpy as np

from crop import SIZE

GRID = np.stack(np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32)), -1)
SPLINE_CELLS = 25


def rounded(coordinates):
    return np.rint(coordinates * 64).astype(np.float32) / 64


def elastic(rng, cells, amplitude):
    """A smooth random displacement: normal noise on a coarse grid, enlarged; `amplitude` in pixels is its spread."""
    noise = (rng.standard_normal((cells, cells, 2)) * amplitude).astype(np.float32)
    return rounded(GRID + cv2.resize(noise, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC))


def nudge(rng):
    """What a self-blend does to its source: rotation within 3 degrees, scale 0.95-1.05, shift within 3 %, elastic noise."""
    turn = np.deg2rad(rng.uniform(-3, 3))
    zoom_x, zoom_y = rng.uniform(0.95, 1.05, 2)
    shift = rng.uniform(-0.03, 0.03, 2) * SIZE
    middle = (SIZE - 1) / 2
    turned = np.array([[np.cos(turn) / zoom_x, -np.sin(turn)], [np.sin(turn), np.cos(turn) / zoom_y]], np.float32)
    moved = (GRID - middle) @ turned.T + (middle + shift).astype(np.float32)
    return rounded(moved + elastic(rng, cells=6, amplitude=0.8) - GRID)


def spline(target, source):
    """The smooth warp (thin-plate spline) that fetches the source's landmarks to the target's; both [n, 2] pixels."""
    to, fro = target / SIZE, source / SIZE
    count = len(to)
    system = np.zeros((count + 3, count + 3))
    # The small diagonal term smooths: landmarks are rounded and never exact.
    system[:count, :count] = kernel(to, to) + 1e-3 * np.eye(count)
    system[:count, count], system[:count, count + 1:] = 1, to
    system[count, :count], system[count + 1:, :count] = 1, to.T
    weights = np.linalg.solve(system, np.vstack([fro, np.zeros((3, 2))]))
    knots = np.linspace(0, SIZE - 1, SPLINE_CELLS)
    at = np.stack(np.meshgrid(knots, knots), -1).reshape(-1, 2) / SIZE
    there = kernel(at, to) @ weights[:count] + weights[count] + at @ weights[count + 1:]
    coarse = rounded((there * SIZE).reshape(SPLINE_CELLS, SPLINE_CELLS, 2))
    # Interpolating by an exact map of pixel to knot avoids the half-cell shift of a plain resize.
    steps = GRID * np.float32((SPLINE_CELLS - 1) / (SIZE - 1))
    return rounded(cv2.remap(coarse, steps[..., 0], steps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def kernel(a, b):
    """The thin-plate kernel r^2 log r between points a [n, 2] and b [m, 2]."""
    squared = (a[:, None, 0] - b[None, :, 0]) ** 2 + (a[:, None, 1] - b[None, :, 1]) ** 2
    return 0.5 * squared * np.log(np.maximum(squared, 1e-12))


def resample(picture, coordinates):
    """The picture seen through a warp; its edge is repeated outwards."""
    return cv2.remap(picture, coordinates[..., 0], coordinates[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
