"""What every metric does with what it is given: read label maps, count integers, add up over processes."""

import torch
import torch.distributed as dist
from torch import Tensor


def label_maps(predictions: Tensor, target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Two label maps of one shape: scores ``(N, K, H, W)`` become labels ``(N, H, W)``, labels stay as they are.

    Raises ``TypeError`` where the target holds no integers, ``ValueError`` where shapes, channels or devices disagree.
    """
    predictions, target = predictions.detach().as_subclass(Tensor), target.as_subclass(Tensor)
    if not _holds_integers(target):
        raise TypeError(f"target has dtype {target.dtype}, expected integer class labels such as torch.int64")
    if predictions.device != target.device:
        raise ValueError(
            f"predictions lie on {predictions.device} and target on {target.device}: move one to the other"
        )
    if _holds_integers(predictions):
        if predictions.shape != target.shape:
            raise ValueError(
                f"predictions have shape {tuple(predictions.shape)} and target {tuple(target.shape)}; "
                "predicted labels need the shape of the target"
            )
        return predictions, target
    if not predictions.is_floating_point():
        raise TypeError(f"predictions have dtype {predictions.dtype}, expected integer labels or floating point scores")
    expected = (*target.shape[:1], num_classes, *target.shape[1:])
    if predictions.shape != expected:
        raise ValueError(
            f"scores have shape {tuple(predictions.shape)}, expected {expected} for a target of shape "
            f"{tuple(target.shape)} and {num_classes} classes; resize the scores to the target first"
        )
    # The same labels as argmax, which on the CPU takes about four times as long over a strided dimension.
    return predictions.max(dim=1).indices, target


def _holds_integers(tensor: Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)


def checked_num_classes(num_classes: int) -> int:
    if num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}, expected at least 1")
    return num_classes


def stray_sentence(name: str, pixels: int, num_classes: int, ignore_index: int) -> str:
    """The complaint about labels that are neither a class nor void."""
    return (
        f"{name} hold {pixels} pixels whose label is outside 0..{num_classes - 1}, the {num_classes} classes; "
        f"give them a class, or in the target ignore_index={ignore_index}"
    )


@torch.library.custom_op("segedu::histogram", mutates_args=())
def histogram(keys: Tensor, bins: int) -> Tensor:
    """How often each of ``0..bins-1`` occurs in ``keys``: ``(P,) integers -> (bins,) int64``.

    ``torch.bincount``, whose result's length depends on the data unless told otherwise. As an operator of its own it
    promises that length, so that fake tensors and ``torch.compile`` can follow it. Integer counts are deterministic
    on every device.
    """
    return torch.bincount(keys, minlength=bins)


@histogram.register_fake
def _(keys: Tensor, bins: int) -> Tensor:
    return keys.new_empty(bins, dtype=torch.int64)


def sum_over_ranks(tensor: Tensor) -> None:
    """Add ``tensor`` up, in place, over the processes of ``torch.distributed``; one process alone has nothing to
    add."""
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(tensor)
