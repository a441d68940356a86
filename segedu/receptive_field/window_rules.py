"""What ATen operators do to a feature map that look through windows: convolution, pooling, and their ways back."""

import operator
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

from torch.fx import Node

from segedu.receptive_field.maps import Map, joined, unknown_map
from segedu.receptive_field.reads import Bins, Border, Everything, Reads, Resample, Spread, Window
from segedu.receptive_field.rulebook import Given, Result, one_each, rule
from segedu.receptive_field.trace import Call, pair, shape_of


@rule("conv2d")
def _conv(given: Given) -> Result:
    dilation = pair(given["dilation"])
    padding = given["padding"]
    if padding == "valid":
        padding = 0
    elif padding == "same":  # an odd number to add goes behind
        padding = [d * (k - 1) // 2 for d, k in zip(dilation, given.call.kernel, strict=True)]
    return _windows(given, given["stride"], padding, dilation)


@rule("max_pool2d", "max_pool2d_with_indices", "avg_pool2d")
def _pool(given: Given) -> Result:
    stride = given["stride"] or given.call.kernel
    return one_each(given, _windows(given, stride, given["padding"], given.get("dilation", 1)))


@rule("offset_max_pool")
def _offset_pool(given: Given) -> Result:
    """An offset reads the window that the number beside it reads; packed with others it has no place of its own."""
    pooled = _over_places(given, [Window(2, 2)] * 2)
    shape = tuple(given.call.node.meta["val"][1].shape)
    return [pooled, pooled if shape == pooled.shape else unknown_map(shape, "packed offsets")]


@rule("offset_max_unpool", "max_unpool2d")
def _unpool(given: Given) -> Result:
    """A pixel reads the cells whose window it lies in, and through the places of their maxima what those cells read.

    Known only where the places come straight from a pooling, of a map as large as the result: whatever happens to them
    on the way may send a value anywhere.
    """
    values, pool = given.first, _pool_of(given.call)
    cells = given.maps.get(pool.node) if pool else None
    if not pool or not isinstance(cells, list) or shape_of(pool.inputs[0])[-2:] != given.shape[-2:]:
        return unknown_map(given.shape, f"{given.call.op} by places that come from no pooling")
    read = joined([values, cells[0]], values.shape)
    settings = [(2, 2)] * 2
    if pool.op == "max_pool2d_with_indices":
        stride = pool.arguments["stride"] or pool.kernel
        others = (pair(one) for one in (stride, pool.arguments["padding"], pool.arguments["dilation"]))
        settings = list(zip(pool.kernel, *others, strict=True))
    dims = range(len(given.shape) - 2, len(given.shape))
    return read.reading({dim: Spread(*one) for dim, one in zip(dims, settings, strict=True)}, given.shape)


def _pool_of(call: Call) -> Call | None:
    """The pooling whose second result a call has as its second argument."""
    taken = call.node.args[1]
    if not isinstance(taken, Node) or taken.target is not operator.getitem or taken.args[1] != 1:
        return None
    node = taken.args[0]
    op = getattr(getattr(node, "target", None), "_opname", "")
    known = isinstance(node, Node) and op in ("offset_max_pool", "max_pool2d_with_indices")
    return Call(node, op, "", False, tuple(node.all_input_nodes)) if known and isinstance(node, Node) else None


@rule("pixel_unshuffle")
def _unshuffle(given: Given) -> Result:
    factor = given["downscale_factor"]
    return _over_places(given, [Window(factor, factor)] * 2)


def _windows(given: Given, stride: Any, padding: Any, dilation: Any) -> Map:
    settings = zip(given.call.kernel, pair(stride), pair(padding), pair(dilation), strict=True)
    return _over_places(given, [Window(*one) for one in settings])


def _over_places(given: Given, reads: Sequence[Reads]) -> Map:
    """A reading along the last two dimensions; unknown where those are not the height and the width of the image."""
    dims = (len(given.shape) - 2, len(given.shape) - 1)
    elsewhere = {dim for dim in given.source.dims if dim is not None} - {*dims}
    if elsewhere:
        return unknown_map(given.shape, f"{given.call.op} over channels")
    return given.source.reading(dict(zip(dims, reads, strict=True)), given.shape)


@rule("conv_transpose2d")
def _transposed(given: Given) -> Result:
    settings = zip(given.call.kernel, *(pair(given[name]) for name in ("stride", "padding", "dilation")), strict=True)
    return _over_places(given, [Spread(*one) for one in settings])


@rule("pixel_shuffle")
def _shuffle(given: Given) -> Result:
    factor = given["upscale_factor"]
    return _over_places(given, [Spread(factor, factor)] * 2)


@rule("adaptive_avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d")
def _adaptive(given: Given) -> Result:
    cells = given.source.shape[-2:]
    reads = [Everything() if b == 1 else Bins(c, b) for c, b in zip(cells, given.shape[-2:], strict=True)]
    return one_each(given, _over_places(given, reads))


@rule("upsample_bilinear2d", "upsample_bicubic2d", "upsample_nearest2d", "_upsample_nearest_exact2d")
def _resample(given: Given) -> Result:
    """A scale that was given is used as it is; otherwise it follows from the sizes, as in PyTorch."""
    cells, pixels = given.source.shape[-2:], given.shape[-2:]
    scales = given.get("scale_factors") or (given.get("scales_h"), given.get("scales_w"))
    steps = [
        Fraction(c, p) if not scale else 1 / Fraction(scale).limit_denominator(10_000)
        for c, p, scale in zip(cells, pixels, scales, strict=True)
    ]
    if given.call.op == "upsample_nearest2d":
        return _over_places(given, [Resample(Fraction(0), step, 0) for step in steps])
    if given.call.op == "_upsample_nearest_exact2d":
        return _over_places(given, [Resample(step / 2, step, 0) for step in steps])
    reach: Literal[1, 2] = 1 if "bilinear" in given.call.op else 2
    if given["align_corners"]:
        steps = [Fraction(c - 1, p - 1) if p > 1 else Fraction(0) for c, p in zip(cells, pixels, strict=True)]
        return _over_places(given, [Resample(Fraction(0), step, reach) for step in steps])
    return _over_places(given, [Resample((step - 1) / 2, step, reach) for step in steps])


@rule("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d")
def _pad(given: Given) -> Result:
    mode = given.get("mode", given.call.op)
    borders: tuple[Border, ...] = ("reflect", "replicate", "circular")
    border: Border = next((one for one in borders if mode.startswith(one[:6])), "zeros")
    widths = given.get("pad") or given["padding"]
    last = len(given.shape) - 1
    before = {last - at: width for at, width in enumerate(widths[::2])}
    reads = {dim: Window(padding=width, border=border) for dim, width in before.items()}
    return given.source.reading(reads, given.shape)
