"""Stacks to start from: the notes' example and the spines of well-known networks, as their papers give them."""

from segedu.receptive_field.stack import Layer

HALVE = Layer("pool", kernel=3, stride=2, padding=1)
TWICE = [Layer(padding=1)] * 2


def _vgg(*convolutions: int) -> list[Layer]:
    """Stages of 3x3 convolutions, each closed by a 2x2 pooling."""
    return [
        layer for count in convolutions for layer in [*[Layer(padding=1)] * count, Layer("pool", kernel=2, stride=2)]
    ]


def _resnet50(*rates: int) -> list[Layer]:
    """The 7x7 and 3x3 layers on ResNet-50's longest path, which sees all that its shortcuts see.

    Its 1x1 convolutions change nothing here. ``rates`` are those of stages 3 and 4 (torchvision's layer3 and layer4):
    a stage that is dilated does not stride, and its first block still has the rate of the stage before, since the
    stride that it gives up sits on its own 3x3 layer.
    """
    layers = [Layer(kernel=7, stride=2, padding=3), HALVE]
    before = 1
    for stage, (blocks, rate) in enumerate(zip((3, 4, 6, 3), (1, 1, *rates), strict=True)):
        layers.append(Layer(stride=1 if stage == 0 or rate > 1 else 2, padding=before, dilation=before))
        layers += [Layer(padding=rate, dilation=rate)] * (blocks - 1)
        before = rate
    return layers


def _inception(count: int) -> list[Layer]:
    """The 5x5 branch of each block, which sees the most."""
    return [Layer(kernel=5, padding=2)] * count


PRESETS: dict[str, tuple[Layer, ...]] = {
    "the notes' 5x5 example": (Layer(stride=2, padding=1), Layer(stride=2, padding=1)),
    "AlexNet to fc6": (
        Layer(kernel=11, stride=4, padding=2),
        Layer("pool", kernel=3, stride=2),
        Layer(kernel=5, padding=2),
        Layer("pool", kernel=3, stride=2),
        *[Layer(padding=1)] * 3,
        Layer("pool", kernel=3, stride=2),
        Layer(kernel=6, padding=3),
    ),
    "VGG16": tuple(_vgg(2, 2, 3, 3, 3)),
    "VGG16 to fc6": (*_vgg(2, 2, 3, 3, 3), Layer(kernel=7, padding=3)),
    "GoogLeNet": (
        Layer(kernel=7, stride=2, padding=3),
        HALVE,
        Layer(padding=1),
        HALVE,
        *_inception(2),
        HALVE,
        *_inception(5),
        HALVE,
        *_inception(2),
    ),
    "ResNet-50, output stride 32": tuple(_resnet50(1, 1)),
    "ResNet-50, output stride 16": tuple(_resnet50(1, 2)),
    "ResNet-50, output stride 8": tuple(_resnet50(2, 4)),
    "ResNet-50 and ASPP": (*_resnet50(1, 2), Layer("ASPP", dilation=6)),
    "U-Net": (
        *_vgg(2, 2, 2, 2),
        *TWICE,
        *[layer for _ in range(4) for layer in (Layer("transposed", kernel=2, stride=2), Layer("skip"), *TWICE)],
    ),
}
"""By name; the order is that of the lesson."""
