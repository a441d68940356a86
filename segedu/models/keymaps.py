"""Weights saved under other projects' names, brought to ours.

A foreign state dict is renamed, checked name by name and shape by shape, and loaded; nothing is guessed. Read the
file itself with ``torch.load(path, weights_only=True)`` or safetensors.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from segedu.layers.aspp import ASPP
from segedu.layers.upsample import BilinearUpsample, bilinear_kernel
from segedu.models.bisenet_coincheung import CoinCheungBiSeNet
from segedu.models.deeplab_v2 import DeepLabV2
from segedu.models.deeplab_v3 import DeepLabV3
from segedu.models.fcn import FCN
from segedu.models.resnet import MSRABottleneck, ResNet
from segedu.models.torchvision_layout import TorchvisionSegmenter
from segedu.models.unet import UNet

_VGG_CONVS = [f"conv{stage}_{conv}" for stage, convs in enumerate((2, 2, 3, 3, 3), 1) for conv in range(1, convs + 1)]
_UPSAMPLING = {1: ["upscore"], 2: ["upscore2", "upscore16"], 3: ["upscore2", "upscore_pool4", "upscore8"]}


def load_wkentaro_fcn(model: FCN, state_dict: Mapping[str, Tensor]) -> None:
    """Load wkentaro's FCN-32s/16s/8s layout (``conv1_1`` ... ``upscore8``) into an FCN over VGG16.

    Its upsampling filters are dense, ``(K, K, k, k)``, and zero off the diagonal; their diagonal goes into learnt
    upsampling, and a model with fixed upsampling takes them only if they are bilinear. Raises ``ValueError`` naming
    the first entry that is missing, left over, of another shape, or not what a grouped filter can hold.
    """
    names = _wkentaro_names(model)
    ours = _renamed(names, state_dict, _describe(model))
    for coarse, upsample in model.upsample.items():
        name = f"upsample.{coarse}.weight"
        ours[name] = _grouped(names[name], ours[name])
        if isinstance(upsample, BilinearUpsample):
            _check_bilinear(names[name], ours.pop(name), upsample.factor)
    _load(model, ours)


def load_milesial_unet(model: UNet, state_dict: Mapping[str, Tensor]) -> None:
    """Load milesial's U-Net layout (``inc.double_conv.0`` ... ``outc.conv``) into the padded U-Net of the same size.

    Its checkpoints also hold ``mask_values``, the grey levels of the masks it was trained on, which say nothing about
    the network and are left out. The layout's other form, which interpolates on the way up, has no place here. Raises
    ``ValueError`` naming the first entry that is missing, left over or of another shape.
    """
    weights = {name: value for name, value in state_dict.items() if name != "mask_values"}
    _load(model, _renamed(_milesial_names(model), weights, "a U-Net with up-convolutions"))


def load_kazuto_deeplabv2(model: DeepLabV2, state_dict: Mapping[str, Tensor]) -> None:
    """Load kazuto1011's DeepLab v2 layout (``layer1.conv1.conv`` ... ``aspp.c3``) into ours over ``resnet101_msra``.

    Its released files have ``base.`` before every name, for the wrapper of several scales; both are taken. Those
    weights expect images in BGR, from 0 to 255, less the mean. Raises ``ValueError`` for a backbone that strides
    elsewhere than Caffe's, and naming the first entry that is missing, left over or of another shape.
    """
    blocks = _kazuto_blocks(model.backbone)
    blocks |= {f"classifier.branches.{at}": f"aspp.c{at}" for at in range(len(model.classifier.branches))}
    weights = {name.removeprefix("base."): value for name, value in state_dict.items()}
    _load(model, _renamed(_of_blocks(blocks, model), weights, "DeepLab v2 over this ResNet"))


def load_kazuto_deeplabv3(model: DeepLabV3, state_dict: Mapping[str, Tensor]) -> None:
    """Load kazuto1011's DeepLab v3 layout (``layer1.conv1.conv`` ... ``fc2``) into ours over an MSRA ResNet.

    ``base.`` before every name is taken too. Raises ``ValueError`` as `load_kazuto_deeplabv2`.
    """
    blocks = _kazuto_blocks(model.backbone)
    *views, pooling = range(len(cast(ASPP, model.classifier[0]).convs))
    for at in views:
        blocks |= _conv_and_norm(f"classifier.0.convs.{at}", (0, 1), f"aspp.stages.c{at}")
    blocks |= _conv_and_norm(f"classifier.0.convs.{pooling}", (1, 2), "aspp.stages.imagepool.conv")
    blocks |= _conv_and_norm("classifier.0.project", (0, 1), "fc1") | {"classifier.1": "fc2"}
    weights = {name.removeprefix("base."): value for name, value in state_dict.items()}
    _load(model, _renamed(_of_blocks(blocks, model), weights, "DeepLab v3 over this ResNet"))


def load_vainf_deeplabv3(model: TorchvisionSegmenter, state_dict: Mapping[str, Any]) -> None:
    """Load VainF's DeepLab v3 layout into torchvision's network without its second head, at the same output stride.

    That is ``create("deeplabv3_torchvision", aux=False, output_stride=16)`` for its usual files. A checkpoint that
    holds the weights as ``"model_state"`` is taken whole. Raises ``ValueError`` naming the first entry that is missing,
    left over or of another shape.
    """
    weights = state_dict.get("model_state", state_dict)
    names = {
        name: name.replace("classifier.", "classifier.classifier.", 1) if name.startswith("classifier.") else name
        for name in model.state_dict()
    }
    _load(model, _renamed(names, weights, "torchvision's DeepLab v3 without a second head (aux=False)"))


def load_coincheung_bisenet(model: CoinCheungBiSeNet, state_dict: Mapping[str, Tensor]) -> None:
    """Load CoinCheung's BiSeNet layout (``cp.resnet.conv1`` ... ``conv_out.conv_out``) into ``bisenet_coincheung``.

    His files of trained weights have both auxiliary heads; for weights without, build the model with ``aux=()``. Their
    names tell what a map was made from, ours what it is: his ``conv_out16`` scores the map at 1/8. Raises
    ``ValueError`` naming the first entry that is missing, left over or of another shape.
    """
    described = f"CoinCheung's BiSeNet with auxiliary heads at {model.aux}"
    _load(model, _renamed(_of_blocks(_coincheung_blocks(model), model), state_dict, described))


def _renamed(names: Mapping[str, str], state_dict: Mapping[str, Tensor], model: str) -> dict[str, Tensor]:
    """The foreign weights under our names, once they are found to be those of ``model``, all of them and no others."""
    if missing := sorted(set(names.values()) - set(state_dict)):
        raise ValueError(f"the weights hold no {missing[0]!r}; they are not those of {model}")
    if extra := sorted(set(state_dict) - set(names.values())):
        raise ValueError(f"the weights hold {extra[0]!r}, for which {model} has no place")
    return {name: state_dict[theirs] for name, theirs in names.items()}


def _load(model: nn.Module, ours: Mapping[str, Tensor]) -> None:
    own = model.state_dict()
    for name, tensor in ours.items():
        if tensor.shape != own[name].shape:
            raise ValueError(f"{name!r} has shape {tuple(own[name].shape)}, but the weights hold {tuple(tensor.shape)}")
    model.load_state_dict(ours)


def _milesial_names(model: UNet) -> dict[str, str]:
    """Our names of parameters and buffers to milesial's; within a level both count convolutions and norms alike."""
    blocks = {"contract.0": "inc.double_conv", "score": "outc.conv"}
    blocks |= {
        f"contract.{level}": f"down{level}.maxpool_conv.1.double_conv" for level in range(1, len(model.contract))
    }
    for step in range(len(model.expand)):
        blocks |= {
            f"expand.{step}.up": f"up{step + 1}.up",
            f"expand.{step}.convs": f"up{step + 1}.conv.double_conv",
        }
    return _of_blocks(blocks, model)


def _kazuto_blocks(backbone: ResNet) -> dict[str, str]:
    """Our names of the backbone's layers to kazuto's, whose stages count from the stem and whose units from 1."""
    if not isinstance(backbone.layer1[0], MSRABottleneck):
        raise ValueError(
            "kazuto's layout is that of Caffe's ResNet, which strides in the first 1x1 layer of a unit; build the "
            "model over resnet50_msra or resnet101_msra"
        )
    blocks = {"backbone.conv1": "layer1.conv1.conv", "backbone.bn1": "layer1.conv1.bn"}
    for stage in range(1, 5):
        for unit, layers in backbone.get_submodule(f"layer{stage}").named_children():
            ours, theirs = f"backbone.layer{stage}.{unit}", f"layer{stage + 1}.block{int(unit) + 1}"
            for at, name in enumerate(("reduce", "conv3x3", "increase"), 1):
                blocks |= {f"{ours}.conv{at}": f"{theirs}.{name}.conv", f"{ours}.bn{at}": f"{theirs}.{name}.bn"}
            if isinstance(layers.downsample, nn.Sequential):
                blocks |= _conv_and_norm(f"{ours}.downsample", (0, 1), f"{theirs}.shortcut")
    return blocks


def _coincheung_blocks(model: CoinCheungBiSeNet) -> dict[str, str]:
    """Our names of a BiSeNet's layers to CoinCheung's, who names a refinement by the map that it starts from."""
    blocks = {"context_path.trunk": "cp.resnet"} | _conv_and_norm("context_path.global_context", (1, 2), "cp.conv_avg")
    for at, name in enumerate(("conv1", "conv2", "conv3", "conv_out")):
        blocks |= _conv_and_norm(f"spatial_path.{at}", (0, 1), f"sp.{name}")
    for source, target in ((32, 16), (16, 8)):
        ours, theirs = f"context_path.attention{source}", f"cp.arm{source}"
        blocks |= _conv_and_norm(f"{ours}.conv", (0, 1), f"{theirs}.conv")
        blocks |= {f"{ours}.gate.1": f"{theirs}.conv_atten", f"{ours}.gate.2": f"{theirs}.bn_atten"}
        blocks |= _conv_and_norm(f"context_path.refine{target}", (0, 1), f"cp.conv_head{source}")
    blocks |= _conv_and_norm("fusion.mix", (0, 1), "ffm.convblk") | _conv_and_norm("fusion.gate", (1, 2), "ffm")
    heads = {"head": "conv_out"} | {f"aux_heads.aux{stride}": f"conv_out{2 * stride}" for stride in model.aux}
    for ours, theirs in heads.items():
        blocks |= _conv_and_norm(f"{ours}.0", (0, 1), f"{theirs}.conv") | {f"{ours}.1": f"{theirs}.conv_out"}
    return blocks


def _conv_and_norm(ours: str, places: tuple[int, int], theirs: str) -> dict[str, str]:
    """A convolution and its batch norm: two places of a sequence here, two names there."""
    return {f"{ours}.{places[0]}": f"{theirs}.conv", f"{ours}.{places[1]}": f"{theirs}.bn"}


def _of_blocks(blocks: Mapping[str, str], model: nn.Module) -> dict[str, str]:
    """The names of every parameter and buffer in ``blocks``, ours to theirs, from those of the blocks themselves."""
    return {
        name: theirs + name.removeprefix(ours)
        for ours, theirs in blocks.items()
        for name in model.state_dict()
        if name.startswith(f"{ours}.")
    }


def _wkentaro_names(model: FCN) -> dict[str, str]:
    """Our parameter names to wkentaro's; of upsampling also where ours is fixed and has no parameter."""
    convs = [name for name, layer in model.trunk.features.named_children() if isinstance(layer, nn.Conv2d)]
    if len(convs) != len(_VGG_CONVS):
        raise ValueError("wkentaro's layout is that of FCN over VGG16; this model has another backbone")
    layers = {f"trunk.features.{ours}": theirs for ours, theirs in zip(convs, _VGG_CONVS, strict=True)}
    layers |= {"trunk.head.fc6": "fc6", "trunk.head.fc7": "fc7", "score.conv7": "score_fr"}
    layers |= {f"score.{name}": f"score_{name}" for name in model.score if name != "conv7"}
    names = {f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in layers.items() for kind in ("weight", "bias")}
    upsampling = _UPSAMPLING[len(model.upsample)]
    return names | {
        f"upsample.{n}.weight": f"{theirs}.weight" for n, theirs in zip(model.upsample, upsampling, strict=True)
    }


def _grouped(name: str, dense: Tensor) -> Tensor:
    """``(K, K, k, k) -> (K, 1, k, k)``: the diagonal, once the rest is known to be zero."""
    if dense.ndim != 4 or dense.shape[0] != dense.shape[1]:
        raise ValueError(f"{name!r} has shape {tuple(dense.shape)}, but wkentaro's upsampling filters are (K, K, k, k)")
    classes = torch.arange(len(dense), device=dense.device)
    rest = dense.clone()
    rest[classes, classes] = 0
    if rest.any():
        raise ValueError(f"{name!r} mixes classes (it is not zero off the diagonal); a grouped filter cannot hold it")
    return dense[classes, classes][:, None]


def _check_bilinear(name: str, filters: Tensor, factor: int) -> None:
    kernel = bilinear_kernel(factor).to(filters)
    if filters.shape[-2:] != kernel.shape or not torch.allclose(filters, kernel.expand_as(filters), atol=1e-6):
        raise ValueError(f"{name!r} is not the bilinear kernel; build the model with learn_upsampling=True to keep it")


def _describe(model: FCN) -> str:
    return f"FCN-{32 >> (len(model.upsample) - 1)}s over VGG16"
