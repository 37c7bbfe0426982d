"""RISE's fold over given masks: the sum of score times mask over N p1 (as the code of arXiv 2502.03957 has it, p1 = 0.1),
and the centred fold of this project. Masks are stretched by OpenCV, whose bilinear is align_corners = false.
"""

import cv2
import numpy as np

from common import write

HEIGHT, WIDTH, GRID, MASKS, P1 = 30, 24, 5, 60, 0.1


def main():
    rng = np.random.default_rng(7)
    bits = (rng.random((MASKS, GRID, GRID)) < 0.54).astype(np.float32)
    cell = (-(-HEIGHT // GRID), -(-WIDTH // GRID))
    offsets = np.stack([rng.integers(0, cell[0], MASKS), rng.integers(0, cell[1], MASKS)], axis=1)
    scores = rng.normal(size=MASKS)
    plane = ((GRID + 1) * cell[1], (GRID + 1) * cell[0])
    masks = np.stack([cv2.resize(b, plane, interpolation=cv2.INTER_LINEAR)[y:y + HEIGHT, x:x + WIDTH]
                      for b, (y, x) in zip(bits, offsets)]).astype(np.float64)
    weighted = (scores[:, None, None] * masks).sum(0)
    write("rise", __file__, ["numpy", "opencv-python-headless"],
          bits=bits.ravel().astype(int).tolist(), offsets=offsets.ravel().tolist(), scores=scores.tolist(),
          paper=np.round(weighted / (MASKS * P1), 9).ravel().tolist(),
          centred=np.round(weighted / masks.sum(0) - scores.mean(), 9).ravel().tolist())


if __name__ == "__main__":
    main()
