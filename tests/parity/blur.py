"""OpenCV's box blur with its defaults: anchor in the middle, edges mirrored without the edge pixel."""

import cv2
import numpy as np

from common import write


def case(height, width, box):
    image = np.random.default_rng(height * width).normal(size=(height, width)).astype(np.float32)
    blurred = cv2.blur(image, (box, box))
    return {"height": height, "width": width, "box": box, "image": [float(f"{v:.7g}") for v in image.ravel()],
            "blurred": [float(f"{v:.7g}") for v in blurred.ravel()]}


def main():
    cases = [case(9, 7, 3), case(9, 7, 4), case(24, 31, 6), case(20, 26, 37), case(48, 40, 128)]
    write("blur", __file__, ["numpy", "opencv-python-headless"], cases=cases)


if __name__ == "__main__":
    main()
