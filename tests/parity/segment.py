"""SLIC and quickshift of scikit-image, on photographs and on pictures full of ties.

Writes golden/segment.json (the cases) and golden/segment/*.png (pictures, and their labels as 16-bit grey). Where quickshift
breaks ties with numpy's noise, it is given Unmask's own: Philox4x32-10 and Box-Muller, written here once more.

numpy's float32 powers and cube roots differ in the last bits between processors with and without AVX-512, and with them
scikit-image's SLIC of a picture full of ties: a tenth of the checker's pixels, three of chelsea's. The checker is therefore
converted to L*a*b* in float64 and rounded once; all other pictures go through scikit-image untouched.
"""

from unittest import mock

import numpy as np
from PIL import Image
from skimage import color, data, segmentation, transform

from common import GOLDEN, write

PLACE = GOLDEN / "segment"
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
STREAM = 1 << 63


def shrunk(image, height, width):
    """8-bit pixels of the largest crop of the same shape, from the middle."""
    rows, cols = image.shape[:2]
    scale = min(rows / height, cols / width)
    high, wide = int(height * scale), int(width * scale)
    top, left = (rows - high) // 2, (cols - wide) // 2
    crop = image[top : top + high, left : left + wide]
    return np.round(transform.resize(crop, (height, width), anti_aliasing=True) * 255).astype(np.uint8)


def checker(height, width):
    """Squares of 13 pixels in three colours: most pixels have a twin in every direction."""
    y, x = np.mgrid[:height, :width]
    colours = np.array([[220, 40, 40], [40, 200, 60], [128, 128, 128]], dtype=np.uint8)
    return colours[(y // 13 + x // 13) % 3]


PICTURES = {
    "chelsea": shrunk(data.chelsea(), 224, 224),
    "coffee": shrunk(data.coffee(), 128, 128),
    "astronaut": shrunk(data.astronaut(), 144, 96),
    "levels": shrunk(data.coffee(), 90, 150) // 64 * 80,
    "checker": checker(120, 96),
    "flat": np.full((224, 224, 3), 77, dtype=np.uint8),
}

SLIC = [
    ("chelsea", 50, 10.0, False, PLAIN, "rgb"),
    ("chelsea", 50, 10.0, True, IMAGENET, "rgb"),
    ("coffee", 50, 10.0, False, IMAGENET, "rgb"),
    ("coffee", 120, 30.0, True, IMAGENET, "bgr"),
    ("astronaut", 50, 10.0, False, PLAIN, "rgb"),
    ("astronaut", 300, 2.0, False, PLAIN, "rgb"),
    ("levels", 50, 10.0, False, PLAIN, "rgb"),
    ("checker", 50, 10.0, False, PLAIN, "rgb"),
    ("checker", 1000, 0.1, False, PLAIN, "rgb"),
    ("flat", 50, 10.0, False, PLAIN, "rgb"),
]
QUICKSHIFT = [
    ("chelsea", 4.0, 200.0, 0.2, 0),
    ("coffee", 4.0, 200.0, 0.2, 7),
    ("astronaut", 2.0, 6.0, 0.5, 1 << 40),
    ("checker", 4.0, 200.0, 0.2, 3),
]


def slic(pixels, segments, compactness, normalised, units, colour, rounded_once):
    image = pixels.astype(np.float32) / 255
    if normalised:
        # Mean and deviation belong to the channels of the model's tensor.
        order = slice(None, None, -1 if colour == "bgr" else 1)
        mean, std = np.array(units["mean"])[order], np.array(units["std"])[order]
        image = ((pixels / 255.0 - mean) / std).astype(np.float32)
    def run():
        return segmentation.slic(image, n_segments=segments, compactness=compactness, start_label=1) - 1

    if not rounded_once:
        return run()
    lab = lambda rgb: color.rgb2lab(rgb.astype(np.float64)).astype(np.float32)
    with mock.patch("skimage.segmentation.slic_superpixels.rgb2lab", lab):
        return run()


def philox(blocks, index, seed):
    """Four words for each block, as columns."""
    mask = np.uint64(0xFFFFFFFF)
    half = lambda number: (np.uint64(number & 0xFFFFFFFF), np.uint64(number >> 32))
    counter = [blocks.astype(np.uint64), np.zeros(len(blocks), np.uint64)]
    counter += [np.full(len(blocks), word) for word in half(index)]
    key = list(half(seed))
    for turn in range(10):
        if turn:
            key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
        a, b = counter[0] * np.uint64(0xD2511F53), counter[2] * np.uint64(0xCD9E8D57)
        high = np.uint64(32)
        counter = [(b >> high) ^ counter[1] ^ key[0], b & mask, (a >> high) ^ counter[3] ^ key[1], a & mask]
    return np.stack(counter, axis=-1)


class Draws:
    """Stands in for numpy's generator."""

    def __init__(self, seed):
        self.seed = seed

    def normal(self, scale, size):
        count = int(np.prod(size))
        words = philox(np.arange((count + 1) // 2), STREAM, self.seed).reshape(-1, 2)[:count].astype(np.float64)
        radius, turn = (words[:, 0] + 1) / 2**32, words[:, 1] / 2**32
        deviates = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * turn)
        return scale * deviates.astype(np.float32).astype(np.float64).reshape(size)


def quickshift(pixels, kernel_size, max_distance, ratio, seed):
    with mock.patch("numpy.random.default_rng", lambda _: Draws(seed)):
        return segmentation.quickshift(pixels / 255.0, kernel_size=kernel_size, max_dist=max_distance, ratio=ratio)


def save(name, array):
    Image.fromarray(array).save(PLACE / f"{name}.png", optimize=True)


PLACE.mkdir(parents=True, exist_ok=True)
for name, pixels in PICTURES.items():
    save(name, pixels)
cases = {"slic": [], "quickshift": []}
for picture, segments, compactness, normalised, units, colour in SLIC:
    labels = f"{picture}-slic-{segments}{'-normalised' if normalised else ''}"
    found = slic(PICTURES[picture], segments, compactness, normalised, units, colour, picture == "checker")
    save(labels, found.astype(np.uint16))
    case = {"picture": picture, "labels": labels, "segments": segments, "compactness": compactness}
    cases["slic"].append(case | {"normalised": normalised, "colour": colour, **units})
for picture, kernel_size, max_distance, ratio, seed in QUICKSHIFT:
    labels = f"{picture}-quickshift"
    found = quickshift(PICTURES[picture], kernel_size, max_distance, ratio, seed)
    save(labels, found.astype(np.uint16))
    case = {"picture": picture, "labels": labels, "kernel_size": kernel_size, "max_distance": max_distance}
    cases["quickshift"].append(case | {"ratio": ratio, "seed": seed})
write("segment", __file__, ["numpy", "pillow", "scikit-image"], **cases)
