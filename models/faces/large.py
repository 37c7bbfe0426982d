"""How well the face model places landmarks of faces that fill the picture, by how large the picture is in its frame.

    python large.py --bundle ../centerface/1 --faces DIR

Portraits are cut to what a detector of manipulations sees (1.35 times the face, 128 x 128), and the landmarks are held against those that the
model finds in the whole portrait. The server looks again, with the face at 0.6 of the frame, where one is more than 0.7 of the picture.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

LANDMARKS = Path(__file__).parent.parent / "training" / "landmarks.json"
EVERY, SIZE, LEAST, FACTOR, CROP = 9, 512, 0.5, 1.35, 128


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True, help="the portraits that models/training/README.md names")
    args = parser.parse_args()
    session = onnxruntime.InferenceSession(args.bundle / "model.onnx", providers=["CPUExecutionProvider"])
    known = json.loads(LANDMARKS.read_text())["faces"]

    def found(picture, side):
        canvas = Image.new("RGB", (SIZE, SIZE))
        canvas.paste(picture.resize((side, side), Image.BILINEAR), (0, 0))
        frame = np.asarray(canvas, np.float32).transpose(2, 0, 1)[None]
        face = session.run(["faces"], {"input": frame})[0][0][:15]
        return (face[5:].reshape(5, 2) * SIZE / side, (face[3:5] - face[1:3]).max() * SIZE / side) if face[0] >= LEAST else None

    sides = [512, 448, 384, 320, 256, 192, 128]
    errors, shares = {side: [] for side in sides}, []
    for name in sorted(name for name in known if name.endswith(".jpg"))[::EVERY]:
        portrait = Image.open(args.faces / name).convert("RGB").resize((SIZE, SIZE))
        whole = found(portrait, SIZE)
        if whole is None:
            continue
        x0, y0, x1, y1 = (value / 2 for value in known[name]["box"])
        middle, side = np.array([x0 + x1, y0 + y1]) / 2, max(x1 - x0, y1 - y0) * FACTOR
        corner = np.round(middle - side / 2)
        cut = portrait.crop((*corner, *(corner + round(side)))).resize((CROP, CROP), Image.BILINEAR)
        wanted = (whole[0] * SIZE - corner) / round(side)
        apart = np.linalg.norm(wanted[0] - wanted[1])
        for one in sides:
            seen = found(cut, one)
            errors[one].append(np.nan if seen is None else np.linalg.norm(seen[0] - wanted, axis=1).mean() / apart)
            if one == SIZE and seen is not None:
                shares.append(seen[1])
    print(f"{len(errors[SIZE])} portraits; the larger side of a face is {np.median(shares):.2f} of its crop")
    for one in sides:
        values = np.array(errors[one])
        print(
            f"crop at {one} of {SIZE}: {np.isnan(values).sum()} missed, error over the distance of the eyes: "
            f"mean {np.nanmean(values):.3f}, 95 % at most {np.nanquantile(values, 0.95):.3f}"
        )


if __name__ == "__main__":
    main()
