"""How long it takes to know a network's receptive fields: tracing it, and carrying intervals through its graph.

python benchmarks/receptive_field.py [--json benchmarks/results/receptive_field.json]
"""

import argparse

import torch
from common import median_time, table, write
from torch import nn
from torchvision import models
from torchvision.models import segmentation

from segedu.models import create
from segedu.receptive_field.analysis import propagate
from segedu.receptive_field.presets import PRESETS
from segedu.receptive_field.stack import stacked
from segedu.receptive_field.trace import trace

NETWORKS = {
    "VGG16": (lambda: models.vgg16(weights=None).features, 224),
    "FCN-8s, VGG16": (lambda: create("fcn8s", 21, backbone="vgg16"), 224),
    "ResNet-50": (lambda: nn.Sequential(*[*models.resnet50(weights=None).children()][:-2]), 224),
    "DenseNet-121": (lambda: models.densenet121(weights=None).features, 224),
    "DeepLab v3, ResNet-101": (lambda: segmentation.deeplabv3_resnet101(weights=None, weights_backbone=None), 513),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="write the rows and the machine's description here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, (build, pixels) in NETWORKS.items():
        model = build()
        traced = trace(model, (pixels, pixels))
        tracing = median_time(lambda m=model, p=pixels: trace(m, (p, p)), repeats=5, warm_up=1)
        carrying = median_time(lambda t=traced, p=pixels: propagate(t, (p, p)))
        rows.append(
            {
                "network": name,
                "image": f"{pixels}x{pixels}",
                "operations": len(traced.calls),
                "tracing s": tracing.wall,
                "intervals ms": 1e3 * carrying.wall,
            }
        )
    for name in ("VGG16 to fc6", "U-Net"):
        time = median_time(lambda layers=PRESETS[name]: stacked(layers, 512))
        rows.append(
            {
                "network": f"stack: {name}",
                "image": "512x512",
                "operations": len(PRESETS[name]),
                "tracing s": 0.0,
                "intervals ms": 1e3 * time.wall,
            }
        )
    print(table(rows))
    if options.json:
        write(options.json, rows)


if __name__ == "__main__":
    main()
