"""Scores near the true outlines only: the trimap experiment."""

from collections.abc import Sequence

import torch
from torch import Tensor

from segedu.labels import is_void
from segedu.metrics.bands import compact, corners, within
from segedu.metrics.confusion import Scores
from segedu.metrics.inputs import checked_num_classes, image_maps
from segedu.metrics.pairs import classes_of, pair_counts, refuse_strays
from segedu.metrics.tally import Tally


class TrimapIoU(Tally):
    """Confusion matrices inside bands around the true outlines, for several widths in one pass, streamed.

    The band of width ``w`` holds the valid pixels with another true label, which may be void, in the square of
    ``2 w + 1`` pixels around them (chessboard distance; the frame of the picture is no outline). Errors inside it are
    mostly misplaced outlines, which scores of whole images hardly show (Kohli et al., IJCV 82, 2009; Krähenbühl and
    Koltun, NIPS 2011, section 6, plot the share of wrong pixels over the width, ``1 - pixel_accuracy``; DeepLab v2,
    arXiv 1606.00915, figure 10, the mean IoU).

    DeepLab's published evaluation takes a band around void alone, which rings every object in VOC: there both are the
    same. Here outlines without such a ring count too, so that any data set can be measured.
    """

    settings = ("num_classes", "widths", "ignore_index")

    def __init__(
        self,
        num_classes: int,
        widths: Sequence[int] = (1, 2, 4, 8, 16, 32),
        ignore_index: int = 255,
        device: torch.device | str | None = None,
    ) -> None:
        if not widths or min(widths) < 1 or sorted(set(widths)) != list(widths):
            raise ValueError(f"widths are {tuple(widths)}, expected whole pixels from 1 on in rising order")
        self.num_classes = checked_num_classes(num_classes)
        self.widths = tuple(widths)
        self.ignore_index = ignore_index
        super().__init__(device)

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        # A table for the pixels that each width adds to the one before it, and a last one for those in no band.
        return {"pairs": ((len(self.widths) + 1, self.num_classes + 2, self.num_classes + 2), torch.int64)}

    @torch.no_grad()
    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Count a batch of images: scores ``(N, K, H, W)`` or labels ``(N, H, W)``, against labels ``(N, H, W)``.

        Raises ``ValueError`` for a label that is neither a class nor ``ignore_index``. On a GPU, where asking would
        hold up the queue, that complaint comes from ``scores``.
        """
        predictions, target = image_maps(predictions, target, self.num_classes)
        changes = corners({1: compact(target, self.num_classes), 2: is_void(target, self.ignore_index)})
        outside = torch.stack([within(changes, width) == 0 for width in self.widths]).sum(0, dtype=torch.int32)
        pairs = pair_counts(predictions, target, self.num_classes, self.ignore_index, outside, len(self.widths) + 1)
        if target.device.type == "cpu":
            refuse_strays(pairs, self.ignore_index)
        self._add(pairs=pairs)

    @property
    def matrices(self) -> dict[int, Tensor]:
        """The confusion matrix inside the band of each width, ``(K, K)`` int64: rows are the target."""
        refuse_strays(self._sums["pairs"], self.ignore_index)
        return dict(zip(self.widths, classes_of(self._sums["pairs"]).cumsum(0), strict=False))

    def scores(self) -> dict[int, Scores]:
        """All pixel scores inside the band of each width."""
        return {width: Scores.of(matrix) for width, matrix in self.matrices.items()}
