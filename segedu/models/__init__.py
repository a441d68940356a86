"""The course's networks, by name: ``create("fcn8s", num_classes=12, backbone="vgg16")``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from torchvision.models import WeightsEnum

from segedu.models import released
from segedu.models.atrous import AtrousSegmenter
from segedu.models.backbones import TRUNKS, load_imagenet
from segedu.models.bisenet import BiSeNet, SharedBiSeNet, bisenet
from segedu.models.bisenet_coincheung import CoinCheungBiSeNet, bisenet_coincheung
from segedu.models.deeplab import DeepLabV1, dilated_vgg_mini, load_vgg16
from segedu.models.deeplab_v2 import DeepLabV2
from segedu.models.deeplab_v3 import DeepLabV3
from segedu.models.fcn import FCN, SKIPS
from segedu.models.multi_scale import MultiScaleMax
from segedu.models.resnet import MULTI_GRID, RESNETS, ResNet, load_resnet
from segedu.models.segnet import SegNet, SegNetBasic, load_vgg16_bn
from segedu.models.torchvision_layout import TorchvisionSegmenter, torchvision_deeplabv3, torchvision_fcn
from segedu.models.unet import UNet, UNetOriginal
from segedu.models.xception import Xception39

__all__ = [
    "ARCHITECTURES",
    "FCN",
    "MULTI_GRID",
    "RESNETS",
    "Architecture",
    "AtrousSegmenter",
    "BiSeNet",
    "CoinCheungBiSeNet",
    "DeepLabV1",
    "DeepLabV2",
    "DeepLabV3",
    "MultiScaleMax",
    "SegNet",
    "SegNetBasic",
    "SharedBiSeNet",
    "TorchvisionSegmenter",
    "UNet",
    "UNetOriginal",
    "Xception39",
    "create",
    "default_backbone",
]


def create(
    name: str,
    num_classes: int | None = None,
    backbone: str | None = None,
    weights: str | WeightsEnum | None = None,
    **options: Any,
) -> nn.Module:
    """Build a model that maps ``(N, 3, H, W)`` to ``{"out": (N, K, H, W)}``.

    ``name`` is one of ``ARCHITECTURES``. ``backbone`` is one that this architecture stands on, its first if left out:
    for ``fcn32s``, ``fcn16s`` and ``fcn8s`` that is ``vgg16``, ``alexnet``, ``googlenet`` or ``vgg_mini``, for
    ``segnet`` ``vgg16_bn``, for ``deeplabv1`` ``vgg16`` or ``vgg_mini``, for ``deeplabv2`` ``resnet101_msra``, the
    ResNet that it was published with, for ``deeplabv3`` ``resnet50`` or any other of ``RESNETS``, and for ``bisenet``
    ``resnet18``, ``xception39`` or another ResNet; ``segnet_basic``, ``unet`` and ``unet_original`` have none (and the
    last scores the image without its outer 92 pixels). ``deeplabv3_torchvision`` and ``fcn_torchvision`` are
    torchvision's own networks, and ``bisenet_coincheung`` is CoinCheung's, which differ from the papers'.

    ``weights`` is None for random weights, ``"imagenet"`` for torchvision's weights of the backbone, or one of
    torchvision's weights enums; only then is anything downloaded. ``"streets"`` gives a small network that was trained
    here on painted streets, from the files in ``assets/weights``: its backbone, options and 11 classes are those of its
    card, and need not be named. Otherwise ``num_classes`` is 21 if left out. The other ``options`` go to the model:
    ``in_channels`` and ``width`` for a U-Net, ``way_back`` for a SegNet, ``padding=100`` for FCN's release geometry
    (VGG16 and AlexNet), ``width`` and ``rate`` for DeepLab v1, ``output_stride`` for a DeepLab or FCN on a ResNet,
    ``multi_grid``, ``rates`` and ``width`` for DeepLab v3, ``width`` for BiSeNet (128, or 16 over ``resnet_mini``),
    ``aux`` for CoinCheung's. Raises ``ValueError`` for a name, backbone or weights that do not exist, and for what
    contradicts a card; ``FileNotFoundError`` where trained weights are not there.
    """
    architecture = _architecture(name)
    if isinstance(weights, str) and weights in released.SETS:
        return _released(weights, name, {"num_classes": num_classes, "backbone": backbone, **options})
    num_classes = 21 if num_classes is None else num_classes
    if num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}; a segmenter needs at least one class")
    if isinstance(weights, str) and weights != "imagenet":
        raise ValueError(
            f"weights is {weights!r}; pass None, 'imagenet', {', '.join(map(repr, released.SETS))} or one of "
            "torchvision's weights enums"
        )
    if not architecture.backbones:
        _refuse(name, backbone=backbone, weights=weights)
        return architecture.build(num_classes, **options)
    backbone = default_backbone(name) if backbone is None else backbone
    if backbone not in architecture.backbones:
        raise ValueError(
            f"there is no backbone {backbone!r} for {name}; choose one of {', '.join(architecture.backbones)}"
        )
    return architecture.build(num_classes, backbone=backbone, weights=weights, **options)


def default_backbone(name: str) -> str | None:
    """The backbone that ``create(name)`` takes if none is given; None for a model that has none.

    Raises ``ValueError`` for a name that does not exist.
    """
    return next(iter(_architecture(name).backbones), None)


@dataclass(frozen=True)
class Architecture:
    """What a name of ``create`` stands for.

    ``build(num_classes, **options)`` makes the model; where there are ``backbones`` (the default first) it is also
    given ``backbone=``, one of them, and ``weights=``: None, ``"imagenet"`` or one of torchvision's weights enums.
    """

    build: Callable[..., nn.Module]
    backbones: tuple[str, ...] = ()


def _released(weights: str, name: str, asked: Mapping[str, Any]) -> nn.Module:
    """The network that a card describes, filled with its weights, if that is what was asked for."""
    card = released.find(weights, name)
    released.require_agreement(card, asked)
    described = card.model
    model = create(described["name"], len(described["classes"]), described["backbone"], **described["options"])
    released.fill(model, card)
    return model


def _architecture(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        raise ValueError(f"there is no model {name!r}; choose one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def _refuse(name: str, **given: object) -> None:
    for argument, value in given.items():
        if value is not None:
            raise ValueError(f"{argument} is {value!r}, but {name} stands on no backbone; leave {argument} out")


def _fcn(name: str, num_classes: int, *, backbone: str, weights: str | WeightsEnum | None, **options: Any) -> nn.Module:
    trunk = TRUNKS[backbone](**_geometry(backbone, options))
    if weights is not None:
        load_imagenet(trunk, backbone, None if isinstance(weights, str) else weights)
    return FCN(trunk, num_classes, SKIPS[name], **options)


def _segnet(num_classes: int, *, backbone: str, weights: str | WeightsEnum | None, **options: Any) -> nn.Module:
    model = SegNet(num_classes, **options)
    if weights is not None:
        load_vgg16_bn(model, None if isinstance(weights, str) else weights)
    return model


def _deeplabv1(num_classes: int, *, backbone: str, weights: str | WeightsEnum | None, **options: Any) -> nn.Module:
    if backbone == "vgg_mini":
        if weights is not None:
            raise ValueError("torchvision publishes no ImageNet weights for backbone 'vgg_mini'; pass weights=None")
        return DeepLabV1(num_classes, dilated_vgg_mini(), **{"width": 128, **options})
    model = DeepLabV1(num_classes, **options)
    if weights is not None:
        load_vgg16(model, None if isinstance(weights, str) else weights)
    return model


def _resnet(backbone: str, weights: str | WeightsEnum | None, **geometry: Any) -> ResNet:
    trunk = RESNETS[backbone](**geometry)
    if weights is not None:
        load_resnet(trunk, backbone, None if isinstance(weights, str) else weights)
    return trunk


def _deeplabv2(
    num_classes: int, *, backbone: str, weights: str | WeightsEnum | None, output_stride: int = 8, **options: Any
) -> nn.Module:
    return DeepLabV2(num_classes, _resnet(backbone, weights, output_stride=output_stride), **options)


def _deeplabv3(
    num_classes: int,
    *,
    backbone: str,
    weights: str | WeightsEnum | None,
    output_stride: int = 16,
    multi_grid: Sequence[int] | None = MULTI_GRID,
    **options: Any,
) -> nn.Module:
    trunk = _resnet(backbone, weights, output_stride=output_stride, multi_grid=multi_grid)
    return DeepLabV3(num_classes, trunk, **options)


def _bisenet(
    num_classes: int, *, backbone: str, weights: str | WeightsEnum | None, width: int | None = None
) -> nn.Module:
    if width is None:
        width = 16 if backbone == "resnet_mini" else 128  # an eighth, as its trunk's
    aux_width = width if backbone == "xception39" else 2 * width
    return bisenet(num_classes, _trunk(backbone, weights), width, aux_width=aux_width)


def _bisenet_coincheung(
    num_classes: int, *, backbone: str, weights: str | WeightsEnum | None, **options: Any
) -> nn.Module:
    return bisenet_coincheung(num_classes, _resnet(backbone, weights), **options)


def _trunk(backbone: str, weights: str | WeightsEnum | None) -> ResNet | Xception39:
    if backbone != "xception39":
        return _resnet(backbone, weights)
    if weights is not None:
        raise ValueError("nobody publishes ImageNet weights for backbone 'xception39'; pass weights=None")
    return Xception39()


def _torchvision(
    build: Callable[..., TorchvisionSegmenter],
    num_classes: int,
    *,
    backbone: str,
    weights: str | WeightsEnum | None,
    output_stride: int = 8,
    **options: Any,
) -> nn.Module:
    return build(num_classes, _resnet(backbone, weights, output_stride=output_stride), **options)


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


ARCHITECTURES: dict[str, Architecture] = {
    **{name: Architecture(partial(_fcn, name), tuple(TRUNKS)) for name in SKIPS},
    "unet": Architecture(UNet),
    "unet_original": Architecture(UNetOriginal),
    "segnet": Architecture(_segnet, ("vgg16_bn",)),
    "segnet_basic": Architecture(SegNetBasic),
    "deeplabv1": Architecture(_deeplabv1, ("vgg16", "vgg_mini")),
    "deeplabv2": Architecture(_deeplabv2, ("resnet101_msra", "resnet50_msra")),
    "deeplabv3": Architecture(_deeplabv3, tuple(RESNETS)),
    "bisenet": Architecture(_bisenet, ("resnet18", "xception39", "resnet34", "resnet50", "resnet101", "resnet_mini")),
    "bisenet_coincheung": Architecture(_bisenet_coincheung, ("resnet18",)),
    "deeplabv3_torchvision": Architecture(partial(_torchvision, torchvision_deeplabv3), ("resnet50", "resnet101")),
    "fcn_torchvision": Architecture(partial(_torchvision, torchvision_fcn), ("resnet50", "resnet101")),
}
