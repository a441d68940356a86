"""The course's networks, by name: ``create("fcn8s", num_classes=12, backbone="vgg16")``."""

from typing import Any

from torch import nn
from torchvision.models import WeightsEnum

from segedu.models.backbones import TRUNKS, load_imagenet
from segedu.models.fcn import FCN, SKIPS

__all__ = ["FCN", "create"]


def create(
    name: str,
    num_classes: int = 21,
    backbone: str | None = None,
    weights: str | WeightsEnum | None = None,
    **options: Any,
) -> nn.Module:
    """Build a model that maps ``(N, 3, H, W)`` to ``{"out": (N, K, H, W)}``.

    ``name`` is ``fcn32s``, ``fcn16s`` or ``fcn8s``; ``backbone`` is ``vgg16`` (the default), ``alexnet``,
    ``googlenet`` or ``vgg_mini``. ``weights`` is None for random weights, ``"imagenet"`` for torchvision's weights of
    the backbone, or one of torchvision's weights enums; only then is anything downloaded. ``padding=100`` gives FCN's
    release geometry (VGG16 and AlexNet); the other ``options`` go to ``FCN``. Raises ``ValueError`` for a name,
    backbone or weights that do not exist.
    """
    if name not in SKIPS:
        raise ValueError(f"there is no model {name!r}; choose one of {', '.join(SKIPS)}")
    backbone = "vgg16" if backbone is None else backbone
    if backbone not in TRUNKS:
        raise ValueError(f"there is no backbone {backbone!r} for {name}; choose one of {', '.join(TRUNKS)}")
    if num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}; a segmenter needs at least one class")
    if isinstance(weights, str) and weights != "imagenet":
        raise ValueError(f"weights is {weights!r}; pass None, 'imagenet' or one of torchvision's weights enums")
    trunk = TRUNKS[backbone](**_geometry(backbone, options))
    if weights is not None:
        load_imagenet(trunk, backbone, None if isinstance(weights, str) else weights)
    return FCN(trunk, num_classes, SKIPS[name], **options)


def _geometry(backbone: str, options: dict[str, Any]) -> dict[str, int]:
    """Take ``padding`` out of ``options``: with 100 the trunk pads the image and upsampling fades to zero."""
    padding = options.pop("padding", None)
    if padding is None:
        return {}
    if padding != 100 or backbone not in ("vgg16", "alexnet"):
        raise ValueError(
            f"padding={padding} over {backbone}: only FCN's release geometry exists, padding=100 over vgg16 or alexnet"
        )
    options["border"] = "zeros"
    return {"padding": padding}
