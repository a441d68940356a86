"""What every binary loss does with what it is given: logits, one a pixel, and the labels 0, 1 and void, checked."""

import torch
from torch import Tensor

from segedu.labels import is_void
from segedu.losses.inputs import check_label_dtype, check_logits


def binary_labels(logits: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """What a binary loss works on: logits, which pixels are of class 1, and which of them count, ``(N, P)`` each.

    ``logits`` are ``(N, 1, H, W)`` or ``(N, H, W)``; ``target`` holds 0, 1 and void, in either shape, as integers or
    booleans; the two maps that come back are boolean, and what the logits held at void is gone where it was not finite.
    Raises what ``check_shapes`` and ``safe_labels`` raise.
    """
    logits, target = _maps(logits, target)
    positive, valid = _two_maps(target, ignore_index)
    return _covered(logits, valid), positive, valid


def signed_labels(logits: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same in one map: logits, 1 at class 0, -1 at class 1 and 0 at void, ``(N, P)`` each, and how many count.

    Where nothing is void, as in most sets of two classes, a CPU reads the labels twice and is done.
    """
    logits, target = _maps(logits, target)
    if _on_cpu(target) and target.numel() and ignore_index not in (0, 1):
        lowest, highest = torch.aminmax(target)
        if int(lowest) >= 0 and int(highest) <= 1:
            count = torch.tensor(target.numel(), device=target.device)
            return logits, torch.rsub(target.to(torch.int8), 1, alpha=2), count
    positive, valid = _two_maps(target, ignore_index)
    against = valid.view(torch.int8) - 2 * positive.view(torch.int8)
    return _covered(logits, valid), against, valid.count_nonzero()


def binary_maps(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """``(N, 1, H, W)`` or ``(N, H, W)`` each -> ``(N, P)`` each. Raises ``ValueError`` for other shapes."""
    one_map, labels = (tensor.squeeze(1) if tensor.ndim == 4 else tensor for tensor in (logits, target))
    if one_map.ndim != 3 or one_map.shape != labels.shape:
        raise ValueError(
            f"target is {tuple(target.shape)} and logits are {tuple(logits.shape)}; a binary loss needs one logit a "
            "pixel, (N, 1, H, W) or (N, H, W), and labels of the same height and width"
        )
    return one_map.flatten(1), labels.flatten(1)


def _maps(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both as ``(N, P)``, of types that were checked."""
    check_logits(logits)
    if target.dtype == torch.bool:
        target = target.byte()
    check_label_dtype(target)
    return binary_maps(logits, target)


def _covered(logits: Tensor, valid: Tensor) -> Tensor:
    """The logits without what they hold at void, if that could be anything but a number."""
    if _on_cpu(logits) and logits.sum().isfinite():
        return logits
    return logits.masked_fill(~valid, 0)


def _on_cpu(tensor: Tensor) -> bool:
    """Whether a look at the numbers costs no more than reading them."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def _two_maps(target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Which pixels are of class 1, and which of them count, boolean. Raises ``ValueError`` for a stray label."""
    if _on_cpu(target) and ignore_index == 255 and target.numel():
        lowest, highest = torch.aminmax(target)
        # Comparing takes a CPU many times as long as arithmetic on bytes: void, 0 and 1 become 0, 1 and 2.
        ranks = target.to(torch.uint8) + 1
        if int(lowest) >= 0 and int(highest) <= 255 and int(ranks.amax()) <= 2:
            positive = ranks >> 1
            return positive.view(torch.bool), (ranks - positive).view(torch.bool)
    valid = ~is_void(target, ignore_index)
    positive = (target == 1) & valid
    stray = valid & ~positive & (target != 0)
    if _on_cpu(target) and stray.any():
        raise ValueError(_stray_binary(f"class {int(target[stray][0])}", ignore_index))
    if target.device.type == "cuda" and not torch.compiler.is_compiling():
        torch._assert_async(~stray.any(), _stray_binary("a stray label", ignore_index))
    return positive, valid


def _stray_binary(found: str, ignore_index: int) -> str:
    return f"target holds {found}, but a binary loss knows the classes 0 and 1, and void is ignore_index={ignore_index}"
