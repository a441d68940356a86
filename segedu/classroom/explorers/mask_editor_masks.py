"""The masks of the mask editor: true objects to choose from, and what a hand or a button makes of a prediction."""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

ROWS, COLS = SHAPE = (16, 24)
OBJECT, BACKGROUND = "#", "."
VOID = 255
NOISE = 0.05  # the share of the pixels that the noise turns over
TOOLS = ("flip", "paint", "erase")

Mask = npt.NDArray[np.bool_]
Drawing = tuple[str, ...]  # a mask as lines of # and ., which a state can hold and a person can read
Place = tuple[int, int]


class Masks(NamedTuple):
    """A true object by its name, the predicted mask, and the prediction before its last change."""

    truth: str
    predicted: Drawing
    before: Drawing

    def becoming(self, mask: Mask) -> "Masks":
        """The prediction changed to ``mask``; the same masks where nothing changes."""
        predicted = drawn(mask)
        return self if predicted == self.predicted else Masks(self.truth, predicted, self.predicted)


def drawn(mask: Mask) -> Drawing:
    """A mask ``(16, 24)`` as a drawing."""
    return tuple("".join(OBJECT if pixel else BACKGROUND for pixel in row) for row in mask.tolist())


def mask_of(drawing: Drawing) -> Mask:
    """The mask ``(16, 24)`` of a drawing."""
    mask: Mask = np.array([list(row) for row in drawing]) == OBJECT
    return mask


def is_drawing(value: object) -> bool:
    """Whether ``value`` is a drawing of a whole mask."""
    return (
        isinstance(value, tuple)
        and len(value) == ROWS
        and all(isinstance(row, str) and len(row) == COLS and set(row) <= {OBJECT, BACKGROUND} for row in value)
    )


def _disc(row: float, col: float, radius: float) -> Mask:
    down, across = np.indices(SHAPE)
    return np.asarray((down - row) ** 2 + (across - col) ** 2 <= radius**2)


def _line() -> Mask:
    """One pixel thick, falling from left to right, with steps."""
    mask = np.zeros(SHAPE, bool)
    across = np.arange(3, 21)
    mask[4 + (across - 3) * 2 // 5, across] = True
    return mask


def _speck() -> Mask:
    mask = np.zeros(SHAPE, bool)
    mask[7:9, 11:13] = True
    return mask


TRUTHS: dict[str, Mask] = {
    "disc": _disc(7.5, 10.5, 5.2),
    "thin line": _line(),
    "two blobs": _disc(5, 6, 3.4) | _disc(10, 17, 2.6),
    "1 % speck": _speck(),
}
"""The true objects by name: ``(16, 24)`` masks."""


def dilated(mask: Mask) -> Mask:
    """With the pixels beside, above and below."""
    padded = np.pad(mask, 1)
    return mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def eroded(mask: Mask) -> Mask:
    """Without the pixels that have background beside, above or below; the frame of the picture takes none away."""
    return ~dilated(~mask)


def shifted(mask: Mask) -> Mask:
    """One pixel to the right; what leaves the picture is gone."""
    return np.pad(mask, ((0, 0), (1, 0)))[:, :-1]


def noisy(mask: Mask) -> Mask:
    """Some pixels turned over: always the same of the same mask, others of what comes out."""
    draw = np.random.default_rng(zlib.crc32(mask.tobytes()))
    return mask ^ (draw.random(SHAPE) < NOISE)


def cleared(mask: Mask) -> Mask:
    """Background everywhere."""
    return np.zeros_like(mask)


EDITS: dict[str, Callable[[Mask], Mask]] = {
    "Erode": eroded,
    "Dilate": dilated,
    "Shift": shifted,
    "Noise": noisy,
    "Clear": cleared,
}
"""What a button makes of the prediction."""


def footprint(place: Place, width: int) -> tuple[slice, slice]:
    """The rows and columns under a square brush of odd ``width``, as far as they are in the picture."""
    reach = width // 2
    rows, cols = (slice(max(0, at - reach), min(at + reach + 1, end)) for at, end in zip(place, SHAPE, strict=True))
    return rows, cols


def brushed(mask: Mask, place: Place, tool: str, width: int) -> Mask:
    """A brush put down once; ``flip`` turns the pixel under its middle over and gives all others its new label."""
    changed = mask.copy()
    changed[footprint(place, width)] = {"paint": True, "erase": False, "flip": not mask[place]}[tool]
    return changed


def labels_of(truth: str, void_border: bool) -> npt.NDArray[np.uint8]:
    """The true labels ``(16, 24)``: 1 object, 0 background; with a border, the pixels around the object are void."""
    mask = TRUTHS[truth]
    labels = mask.astype(np.uint8)
    if void_border:
        padded = np.pad(mask, ((1, 1), (0, 0)))
        tall = padded[:-2] | mask | padded[2:]
        wide = np.pad(tall, ((0, 0), (1, 1)))
        labels[(wide[:, :-2] | tall | wide[:, 2:]) & ~mask] = VOID
    return labels
