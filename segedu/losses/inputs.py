"""What every loss does with what it is given: check it, and make labels safe to look up with.

The promises that the losses build on: a checker says one sentence or nothing; ``safe_labels`` returns int64 labels that
all lie in ``0..K-1`` and a boolean map of the pixels that count; nothing here waits for an accelerator.
"""

import torch
from torch import Tensor

_LABEL_DTYPES = (torch.int64, torch.int32, torch.int16, torch.uint8)


def arithmetic_dtype(logits: Tensor) -> torch.dtype:
    """What is computed in, whatever the logits are: float64 for float64, float32 for all others."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def accumulator(logits: Tensor) -> torch.dtype:
    """What pixels are summed in: float64, which keeps every digit over millions of them. MPS has none."""
    return torch.float32 if logits.device.type == "mps" else torch.float64


def check_shapes(logits: Tensor, target: Tensor) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless logits ``(N, K, ...)`` go with integer labels ``(N, ...)``."""
    check_logits(logits)
    check_label_dtype(target)
    if logits.ndim < 3 or target.shape != logits.shape[:1] + logits.shape[2:]:
        raise ValueError(
            f"target is {tuple(target.shape)} and logits are {tuple(logits.shape)}; logits (N, K, H, W) need labels "
            "(N, H, W): upsample the logits or resize the labels with nearest neighbour"
        )


def check_logits(logits: Tensor) -> None:
    """Raises ``TypeError`` where logits are no floating-point numbers."""
    if not logits.is_floating_point():
        raise TypeError(f"logits are {logits.dtype}; they must be raw floating-point scores, not labels")


def check_class_weights(weight: Tensor | None, num_classes: int, name: str = "weight") -> None:
    """Raises ``ValueError`` unless there is one weight for each class, or none at all."""
    if weight is not None and weight.shape != (num_classes,):
        raise ValueError(f"{name} is {tuple(weight.shape)}; it must hold one number for each of {num_classes} classes")


def safe_labels(target: Tensor, num_classes: int, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Labels that are safe to look up with, and which of them count: int64 with void -> 0, and boolean.

    A label that is neither a class nor void raises ``ValueError`` on the CPU. On CUDA that would make the host wait for
    the device at every step, so there an assertion is queued on the device, with the same sentence: it fails the
    program at its next synchronisation (``CUDA_LAUNCH_BLOCKING=1`` says where). Compiled code and other accelerators
    have only the bounds checks of their own look-ups. ``check_labels``, once for a data set, is clear everywhere.
    """
    target = target.long()
    void = target == ignore_index
    index = target.masked_fill(void, 0)
    if not torch.compiler.is_compiling():
        limit = f"logits have {num_classes} channels"
        if index.device.type == "cpu":
            _raise_out_of_range(index, num_classes, ignore_index, limit)
        elif index.device.type == "cuda":
            inside = (index.clamp(0, num_classes - 1) == index).all()
            torch._assert_async(inside, _out_of_range("a stray label", num_classes, ignore_index, limit))
    return index, ~void


def kept_labels(index: Tensor, num_classes: int) -> Tensor:
    """Safe labels in as few bytes as they need, to wait for the backward pass in; ``.long()`` looks up with them."""
    return index.to(torch.uint8 if num_classes <= 256 else torch.int32)


def check_labels(target: Tensor, num_classes: int, ignore_index: int = 255) -> None:
    """Look once at labels of any shape, on any device, and wait for the answer: are all of them classes or void?

    The losses look on the CPU at every step, where that is cheap; on an accelerator they do not wait. Call this over a
    data set before training there. Raises ``TypeError`` for what are no integers, ``ValueError`` for a stray label.
    """
    check_label_dtype(target)
    target = target.long()
    index = target.masked_fill(target == ignore_index, 0)
    _raise_out_of_range(index, num_classes, ignore_index, f"num_classes is {num_classes}")


def check_label_dtype(target: Tensor) -> None:
    if target.dtype not in _LABEL_DTYPES:
        raise TypeError(f"target is {target.dtype}; labels must be integers (int64 by custom, uint8 accepted)")


def _raise_out_of_range(index: Tensor, num_classes: int, ignore_index: int, limit: str) -> None:
    if not index.numel():
        return
    lowest, highest = (int(value) for value in torch.aminmax(index))
    if lowest < 0 or highest >= num_classes:
        worst = highest if highest >= num_classes else lowest
        raise ValueError(_out_of_range(f"class {worst}", num_classes, ignore_index, limit))


def _out_of_range(found: str, num_classes: int, ignore_index: int, limit: str) -> str:
    return (
        f"target holds {found}, but {limit}; classes are 0..{num_classes - 1} and void is ignore_index={ignore_index}"
    )
