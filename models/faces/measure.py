"""How what the detector of manipulations means by a face lies to the boxes of the face model: `face_scale` and `face_drop`.

    python measure.py --bundle ../centerface/1 --faces DIR
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

LANDMARKS = Path(__file__).parent.parent / "training" / "landmarks.json"
EVERY, SIZE, LEAST = 6, 512, 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True, help="the portraits that models/training/README.md names")
    args = parser.parse_args()
    session = onnxruntime.InferenceSession(args.bundle / "model.onnx", providers=["CPUExecutionProvider"])
    known = json.loads(LANDMARKS.read_text())["faces"]
    rows = []
    for name in sorted(name for name in known if name.endswith(".jpg"))[::EVERY]:
        picture = np.asarray(Image.open(args.faces / name).convert("RGB").resize((SIZE, SIZE)), np.float32)
        face = session.run(["faces"], {"input": picture.transpose(2, 0, 1)[None]})[0][0][:15]
        if face[0] < LEAST:
            print(f"{name}: no face")
            continue
        x0, y0, x1, y1 = (value / 2 for value in known[name]["box"])
        left, top, right, bottom = face[1:5] * SIZE
        side = max(right - left, bottom - top)
        rows.append([max(x1 - x0, y1 - y0) / side, ((y0 + y1) - (top + bottom)) / 2 / side, ((x0 + x1) - (left + right)) / 2 / side])
    for name, values in zip(["face_scale", "face_drop", "to the right"], np.transpose(rows)):
        print(f"{name}: median {np.median(values):.3f}, standard deviation {np.std(values):.3f}, {len(values)} portraits")


if __name__ == "__main__":
    main()
