"""torchvision's bicubic resize without antialias, as the code of arXiv 2502.03957 brings a crop to its detector's size.

Runs in an environment of its own (requirements-torch.txt), because torch brings several gigabytes.
"""

import numpy as np
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from common import write

CASES = [(24, 20, 11, 9), (24, 20, 50, 60), (31, 31, 16, 16), (10, 14, 10, 7)]


def picture(height, width):
    y, x, c = np.ogrid[:height, :width, :3]
    return ((37 * y + 101 * x + 53 * c + 7 * x * y) % 256).astype(np.float32)


def case(height, width, to_height, to_width):
    tensor = torch.from_numpy(picture(height, width).transpose(2, 0, 1)) / 255
    resized = resize(tensor, [to_height, to_width], interpolation=InterpolationMode.BICUBIC, antialias=False)
    values = [float(f"{v:.6g}") for v in resized.numpy().transpose(1, 2, 0).ravel()]
    return {"from": [height, width], "to": [to_height, to_width], "values": values}


def main():
    write("resize", __file__, ["torch", "torchvision", "numpy"], cases=[case(*c) for c in CASES])


if __name__ == "__main__":
    main()
