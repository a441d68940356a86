"""What every metric does with what it is given: read label maps and scores, or say what is wrong with them."""

import torch
from torch import Tensor


def label_maps(predictions: Tensor, target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Two label maps of one shape: scores ``(N, K, H, W)`` become labels ``(N, H, W)``, labels stay as they are.

    Raises ``TypeError`` where the target holds no integers, ``ValueError`` where shapes, channels or devices disagree.
    """
    predictions, target = _checked_pair("predictions", predictions, target)
    if _holds_integers(predictions):
        if predictions.shape != target.shape:
            raise ValueError(
                f"predictions have shape {tuple(predictions.shape)} and target {tuple(target.shape)}; "
                "predicted labels need the shape of the target"
            )
        return predictions, target
    if not predictions.is_floating_point():
        raise TypeError(f"predictions have dtype {predictions.dtype}, expected integer labels or floating point scores")
    _check_scores_shape(predictions, target, num_classes)
    # The same labels as argmax, which on the CPU takes about four times as long over a strided dimension.
    return predictions.max(dim=1).indices, target


def class_scores(scores: Tensor, target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Scores ``(N, K, H, W)`` and labels ``(N, H, W)`` as plain tensors, where only scores will do.

    Raises ``TypeError`` where they are no floating point numbers or the target holds no integers, ``ValueError`` where
    shapes, channels or devices disagree.
    """
    scores, target = _checked_pair("scores", scores, target)
    _check_floats(scores)
    _check_scores_shape(scores, target, num_classes)
    return scores, target


def pixel_scores(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """One score a pixel and the labels, of one shape, as plain tensors: raises as ``class_scores`` does."""
    scores, target = _checked_pair("scores", scores, target)
    _check_floats(scores)
    if scores.shape != target.shape:
        raise ValueError(
            f"scores have shape {tuple(scores.shape)} and target {tuple(target.shape)}: give one score for each label"
        )
    return scores, target


def _checked_pair(name: str, predictions: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    predictions, target = predictions.detach().as_subclass(Tensor), target.as_subclass(Tensor)
    if not _holds_integers(target):
        raise TypeError(f"target has dtype {target.dtype}, expected integer class labels such as torch.int64")
    if predictions.device != target.device:
        raise ValueError(f"{name} lie on {predictions.device} and target on {target.device}: move one to the other")
    return predictions, target


def _check_floats(scores: Tensor) -> None:
    if not scores.is_floating_point():
        raise TypeError(f"scores have dtype {scores.dtype}, expected floating point scores: labels have no confidence")


def _check_scores_shape(scores: Tensor, target: Tensor, num_classes: int) -> None:
    expected = (*target.shape[:1], num_classes, *target.shape[1:])
    if scores.shape != expected:
        raise ValueError(
            f"scores have shape {tuple(scores.shape)}, expected {expected} for a target of shape "
            f"{tuple(target.shape)} and {num_classes} classes; resize the scores to the target first"
        )


def image_maps(predictions: Tensor, target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """``label_maps`` of whole images, ``(N, H, W)`` and no other shape: raises ``ValueError`` otherwise."""
    if target.dim() != 3:
        raise ValueError(f"target has shape {tuple(target.shape)}, expected (N, H, W): this is a score per image")
    return label_maps(predictions, target, num_classes)


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
