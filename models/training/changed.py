"""The exact mask of a fake: the pixels that differ from the original."""

import cv2
import numpy as np

# A blend may leave a few inner pixels at their old value by chance; such holes belong to the manipulation.
LARGEST_HOLE = 40


def mask_of(original, fake):
    """White where any channel differs, small holes filled: [height, width] uint8 of 0 or 255."""
    same = (original == fake).all(-1).astype(np.uint8)
    count, places, statistics, _ = cv2.connectedComponentsWithStats(same, connectivity=4)
    mask = np.where(same > 0, 0, 255).astype(np.uint8)
    for hole in range(1, count):
        if statistics[hole, cv2.CC_STAT_AREA] <= LARGEST_HOLE:
            mask[places == hole] = 255
    return mask
