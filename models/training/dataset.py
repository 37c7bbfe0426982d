"""Endless training pairs: a real picture and its fake in the same crop, mirrored and compressed alike.

Because the two differ only inside the mask, neither a crop nor a codec nor a
global edit can tell fake from real. Every pair is a function of (seed, index).
"""

import cv2
import numpy as np
from torch.utils.data import Dataset

from crop import centred, jittered, take
from forge import FAMILIES, LABELS, forge

# The families that are harder to tell from a real are shown a little more often.
SHARES = {"blend": 0.22, "swap": 0.24, "mouth": 0.27, "eyes": 0.27}
EDIT_TARGET, JPEG = 0.4, 0.4


def compressed(picture, quality):
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]


class Pairs(Dataset):
    """`count` pairs ([2, 128, 128, 3] uint8: real, fake; the fake's label) of these faces."""

    def __init__(self, faces, seed, count):
        self.faces, self.seed, self.count = faces, seed, count
        self.donors = [centred(face) for face in faces]

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.Generator(np.random.PCG64([self.seed, index]))
        face = self.faces[rng.integers(len(self.faces))]
        family = FAMILIES[rng.choice(len(FAMILIES), p=[SHARES[name] for name in FAMILIES])]
        forged = forge(take(face, jittered(face, rng)), family, rng, self.donors, EDIT_TARGET)
        pair = [forged.original, forged.fake]
        if rng.random() < JPEG:
            quality = int(rng.integers(60, 101))
            pair = [compressed(picture, quality) for picture in pair]
        pair = np.stack(pair)
        return (pair[:, :, ::-1].copy() if rng.random() < 0.5 else pair), LABELS.index(family)
