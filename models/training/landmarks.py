"""Finds the face landmarks of every portrait and of the astronaut, once.

The result, landmarks.json, is committed: coordinates are rounded to half a
pixel, so the evaluation set can be made again bit for bit without MediaPipe.
This script alone needs requirements-landmarks.txt, in an environment of its
own, because MediaPipe pins packages that the trainer does not want.
"""

import argparse
import json
import sys
from pathlib import Path

import mediapipe
import numpy as np
from PIL import Image

from points import STORED


def find(mesh, picture):
    """All 468 points of the one face in an RGB uint8 picture, in pixels, or None."""
    found = mesh.process(picture)
    if not found.multi_face_landmarks:
        return None
    height, width = picture.shape[:2]
    return np.array([(p.x * width, p.y * height) for p in found.multi_face_landmarks[0].landmark])


def entry(points):
    """What is stored of one face: the box of all points and the needed points, in half pixels."""
    halves = np.rint(points * 2).astype(int)
    box = [*halves.min(0).tolist(), *halves.max(0).tolist()]
    return {"box": box, "points": halves[STORED].reshape(-1).tolist()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True,
                        help="folder of the portraits *.jpg (repository CivilServiceUSA/us-house, MIT)")
    parser.add_argument("--astronaut", type=Path, required=True,
                        help="astronaut.png of scikit-image (in its wheel: skimage/data/astronaut.png)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("landmarks.json"))
    args = parser.parse_args()
    pictures = sorted(args.faces.glob("*.jpg"))
    if not pictures:
        sys.exit(f"no *.jpg in {args.faces}: --faces wants the portraits of the repository CivilServiceUSA/us-house")
    if not args.astronaut.is_file():
        sys.exit(f"{args.astronaut} is not a file: --astronaut wants scikit-image's astronaut.png")

    faces = {}
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1) as mesh:
        for path in [*pictures, args.astronaut]:
            points = find(mesh, np.asarray(Image.open(path).convert("RGB")))
            if points is None:
                sys.exit(f"no face found in {path.name}")
            faces[path.name] = entry(points)

    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(face, separators=(',', ':'))}" for name, face in faces.items())
    args.out.write_text('{"unit": 0.5, "numbers": ' + json.dumps(STORED, separators=(",", ":"))
                        + ',\n"faces": {\n' + rows + "\n}}\n")
    print(f"{len(faces)} faces, {args.out.stat().st_size} bytes: {args.out}")


if __name__ == "__main__":
    main()
