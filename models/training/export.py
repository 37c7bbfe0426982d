"""Writes a checkpoint as ONNX: batch normalisation folded, any batch size, one file.

The export is refused when it is not the same function as the trained network.
"""

import steady  # noqa: F401  (first: it settles the numeric libraries)

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crop import SIZE
from model import trained

OPSET = 17
BATCHES = (1, 5, 16)
TOLERANCE = 1e-5
LARGEST = 10_000_000


def folded(net):
    """The same network with every batch normalisation folded into the convolution before it."""
    for block in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for place in range(len(block) - 1):
            if isinstance(block[place], nn.Conv2d) and isinstance(block[place + 1], nn.BatchNorm2d):
                block[place] = fuse_conv_bn_eval(block[place], block[place + 1])
                block[place + 1] = nn.Identity()
    return net


def write(net, path):
    torch.onnx.export(net, (torch.zeros(1, 3, SIZE, SIZE),), path, opset_version=OPSET, dynamo=False,
                      input_names=["input"], output_names=["logits"],
                      dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}})


def check(net, path):
    """Largest difference between the ONNX file and the network, over several batch sizes; leaves when it is no match."""
    graph = onnx.load(path)
    onnx.checker.check_model(graph, full_check=True)
    domains = {(entry.domain, entry.version) for entry in graph.opset_import}
    if domains != {("", OPSET)} or any(node.op_type == "BatchNormalization" for node in graph.graph.node):
        sys.exit(f"the export is not plain opset {OPSET} without batch normalisation: {domains}")
    if path.stat().st_size > LARGEST:
        sys.exit(f"{path.name} has {path.stat().st_size} bytes, more than {LARGEST}")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng, worst = np.random.default_rng(0), 0.0
    for batch in BATCHES:
        inputs = rng.standard_normal((batch, 3, SIZE, SIZE)).astype(np.float32)
        with torch.no_grad():
            expected = net(torch.from_numpy(inputs)).numpy()
        worst = max(worst, float(np.abs(session.run(["logits"], {"input": inputs})[0] - expected).max()))
    if worst > TOLERANCE:
        sys.exit(f"ONNX and torch differ by {worst:.1e}, more than {TOLERANCE:.0e}")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="written by train.py")
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the model bundle; model.onnx is written there")
    args = parser.parse_args()
    args.bundle.mkdir(parents=True, exist_ok=True)
    path = args.bundle / "model.onnx"
    write(folded(trained(args.checkpoint)), path)
    worst = check(trained(args.checkpoint), path)
    print(f"{path}: {path.stat().st_size} bytes, differs from torch by at most {worst:.1e} at batch {BATCHES}")


if __name__ == "__main__":
    main()
