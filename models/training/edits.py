"""Changes a whole picture's colours and sharpness, as cameras, editors and codecs do.

An edit alone is no manipulation: reals get edits as well as fakes. What gives a
fake away is that its two sides were edited differently.
"""

import cv2
import numpy as np


def to_bytes(picture):
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def shift_channels(picture, rng):
    return to_bytes(picture + rng.uniform(-20, 20, 3).astype(np.float32))


def shift_hue(picture, rng):
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.int16)
    hue, saturation, value = rng.integers(-5, 6), rng.integers(-30, 31), rng.integers(-20, 21)
    hsv[..., 0] = (hsv[..., 0] + hue) % 180
    hsv[..., 1:] = np.clip(hsv[..., 1:] + np.array([saturation, value], np.int16), 0, 255)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def stretch(picture, rng):
    gain, offset = rng.uniform(0.85, 1.15), rng.uniform(-12, 12)
    return to_bytes((picture - np.float32(128)) * np.float32(gain) + np.float32(128 + offset))


def soften(picture, rng):
    """Down-and-up-sampling."""
    height, width = picture.shape[:2]
    factor = rng.uniform(1.5, 3.5)
    small = cv2.resize(picture, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC)


def sharpen(picture, rng):
    wide = picture.astype(np.float32)
    return to_bytes(wide + np.float32(rng.uniform(0.5, 1.5)) * (wide - cv2.GaussianBlur(wide, (0, 0), 1.0)))


def edit(picture, rng):
    """One to four of the edits, at least one of them; uint8 RGB in and out."""
    frequency = rng.random() < 0.75
    colours = [change for change in (shift_channels, shift_hue, stretch) if rng.random() < 0.4]
    if not frequency and not colours:
        colours = [shift_channels]
    for change in colours:
        picture = change(picture, rng)
    if frequency:
        picture = (soften if rng.random() < 0.6 else sharpen)(picture, rng)
    return picture


def match_colours(picture, like, where, strength):
    """Moves mean and spread of the picture's channels inside the boolean mask towards those of `like`."""
    mine, theirs = picture[where].astype(np.float32), like[where].astype(np.float32)
    gain = np.clip(theirs.std(0) / np.maximum(mine.std(0), 1), 0.5, 2.0)
    matched = (picture - mine.mean(0)) * gain + theirs.mean(0)
    return to_bytes(picture + np.float32(strength) * (matched - picture))
