"""What each ATen operator does to a feature map: a rule for each family of operators, and "unknown" for the rest."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor
from torch.fx import Node

from segedu.receptive_field.maps import Map, joined, unknown_map
from segedu.receptive_field.matrices import read_matrix
from segedu.receptive_field.reads import Bins, Border, Everything, Reads, Resample, Spread, Window
from segedu.receptive_field.trace import Call, pair, shape_of

Result = Map | list[Map]


@dataclass(frozen=True)
class Given:
    """What a rule works with: the ``call``, the ``maps`` among its inputs, and the value of any other input."""

    call: Call
    maps: Mapping[Node, Result]
    constant: Callable[[Node], Tensor | None]

    def __getitem__(self, name: str) -> Any:
        return self.call.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The argument ``name``, or ``default`` where this operator has none."""
        return self.call.arguments.get(name, default)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.call.shape

    @property
    def operands(self) -> list[Map]:
        """Every map that goes in."""
        held = (self.maps[node] for node in self.call.inputs if node in self.maps)
        return [one for result in held for one in (result if isinstance(result, list) else [result])]

    @property
    def source(self) -> Map:
        """The one map that goes in; all of it unknown where the image reaches the operator by another way as well."""
        return self.first if len(self.operands) == 1 else unknown_map(self.operands[0].shape, self.call.op)

    @property
    def first(self) -> Map:
        """The map that goes in first, where another lends its shape alone; unknown where that is no map."""
        node = self.call.node.args[0]
        result = self.maps.get(node) if isinstance(node, Node) else None
        return result if isinstance(result, Map) else unknown_map(self.operands[0].shape, self.call.op)


Rule = Callable[[Given], Result]
RULES: dict[str, Rule] = {}


def apply(given: Given) -> Result:
    """What a call makes of the maps that it is given."""
    call = given.call
    known = RULES.get(call.op) or RULES.get(call.op.removesuffix("_"))
    if known is None and torch.Tag.pointwise in call.tags:
        known = _pointwise
    return unknown_map(call.shape, call.op) if known is None else known(given)


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Make a function the rule of these operators."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, function))
        return function

    return enter


@rule("cat", "concat", "concatenate")
def _cat(given: Given) -> Result:
    dim = int(given["dim"]) % len(given.shape)
    if any(one.across(dim) for one in given.operands):
        return unknown_map(given.shape, "cat of places")
    return joined(given.operands, given.shape)


@rule("stack")
def _stack(given: Given) -> Result:
    dim = int(given["dim"]) % len(given.shape)
    return joined([_unsqueezed(one, dim, given.shape) for one in given.operands], given.shape)


@rule("where", "hardswish", "hardsigmoid", "silu", "mish", "gelu", "elu", "celu", "selu", "leaky_relu", "prelu",
      "rrelu", "softplus", "log_sigmoid", "softshrink", "hardshrink", "threshold", "relu6", "hardtanh")  # fmt: skip
def _pointwise(given: Given) -> Result:
    """Cell by cell. ATen tags most such operators itself; these lack the tag."""
    return joined(given.operands, given.shape)


@rule(
    "contiguous", "clone", "detach", "alias", "to", "_to_copy", "type_as", "lift_fresh", "lift_fresh_copy",
    "dropout", "feature_dropout", "alpha_dropout", "native_dropout", "channel_shuffle",
)  # fmt: skip
def _same(given: Given) -> Result:
    return given.first


@rule("batch_norm", "instance_norm", "group_norm", "native_group_norm")
def _norm(given: Given) -> Result:
    """With the statistics that it has learnt a batch norm joins no places; every other norm measures the image."""
    learnt = not given.get("training", False) and not given.get("use_input_stats", False)
    keeps = learnt and given.call.op in ("batch_norm", "instance_norm")
    return given.source if keeps else given.source.mixing(range(len(given.shape)))


@rule("layer_norm", "native_layer_norm", "rms_norm")
def _layer_norm(given: Given) -> Result:
    return given.source.mixing(range(-len(given["normalized_shape"]), 0))


@rule("softmax", "log_softmax", "_softmax", "_log_softmax", "cumsum", "cumprod", "flip")
def _along(given: Given) -> Result:
    """Along the channels these join no places."""
    dims = given.get("dims") or [given["dim"]]
    if given.call.op in ("cumsum", "cumprod", "flip") and any(given.source.across(dim) for dim in dims):
        return unknown_map(given.shape, given.call.op)
    return given.source.mixing(dims)


@rule("mean", "sum", "amax", "amin", "prod", "var", "std", "max", "min", "argmax", "argmin", "logsumexp", "var_mean",
      "linalg_vector_norm", "norm", "any", "all")  # fmt: skip
def _reduction(given: Given) -> Result:
    if len(given.operands) > 1:  # the larger of two maps
        return _pointwise(given)
    dims = given.get("dim")
    dims = range(len(given.source.shape)) if dims is None or dims == [] else dims
    summed = given.source.without([dims] if isinstance(dims, int) else dims, keepdim=bool(given.get("keepdim", False)))
    return _one_each(given, summed)


def _one_each(given: Given, one: Map) -> Result:
    """The same map as often as the operator has results."""
    values = given.call.node.meta["val"]
    return [replace(one, shape=tuple(value.shape)) for value in values] if isinstance(values, list | tuple) else one


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
    return _one_each(given, _windows(given, stride, given["padding"], given.get("dilation", 1)))


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
    return _one_each(given, _over_places(given, reads))


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


@rule("slice")
def _slice(given: Given) -> Result:
    dim = int(given["dim"]) % len(given.shape)
    size = given.source.shape[dim]
    start = range(size)[slice(given["start"], None)]
    first = start[0] if start else size
    return given.source.reading({dim: Window(stride=int(given["step"]), padding=-first)}, given.shape)


@rule("select")
def _select(given: Given) -> Result:
    dim, index = int(given["dim"]), int(given["index"])
    size = given.source.shape[dim]
    return given.source.without([dim], reads=Window(stride=0, padding=-(index % size)))


@rule("chunk", "split", "split_with_sizes", "tensor_split")
def _split(given: Given) -> Result:
    dim = int(given["dim"]) % len(given.source.shape)
    pieces, first = [], 0
    for value in given.call.node.meta["val"]:
        shape = tuple(value.shape)
        pieces.append(given.source.reading({dim: Window(padding=-first)}, shape))
        first += shape[dim]
    return pieces


@rule("unbind")
def _unbind(given: Given) -> Result:
    dim = int(given["dim"])
    return [
        given.source.without([dim], reads=Window(stride=0, padding=-index)) for index in range(given.source.shape[dim])
    ]


@rule("getitem")
def _getitem(given: Given) -> Result:
    results = given.maps[given.call.inputs[0]]
    return results[given.call.node.args[1]] if isinstance(results, list) else results  # type: ignore[index]


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as", "reshape_as")
def _reshape(given: Given) -> Result:
    return given.first.reshaped(given.shape)


@rule("permute")
def _permute(given: Given) -> Result:
    return given.source.permuted(given["dims"])


@rule("movedim", "moveaxis")
def _move(given: Given) -> Result:
    count = len(given.shape)
    to, at = (
        [dim % count for dim in ([dims] if isinstance(dims, int) else dims)]
        for dims in (given["destination"], given["source"])
    )
    moved = dict(zip(to, at, strict=True))
    others = iter(dim for dim in range(count) if dim not in moved.values())
    return given.source.permuted([moved[at] if at in moved else next(others) for at in range(count)])


@rule("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "adjoint")
def _transpose(given: Given) -> Result:
    count = len(given.shape)
    one, two = (given.get("dim0", -2) % count, given.get("dim1", -1) % count)
    order = {one: two, two: one}
    return given.source.permuted([order.get(dim, dim) for dim in range(count)])


@rule("squeeze")
def _squeeze(given: Given) -> Result:
    dims = given.get("dim")
    dims = range(len(given.source.shape)) if dims is None else [dims] if isinstance(dims, int) else dims
    gone = [dim for dim in dims if given.source.shape[dim] == 1]
    return given.source.without(gone, reads=Window(stride=0))


@rule("unsqueeze")
def _unsqueeze(given: Given) -> Result:
    return _unsqueezed(given.source, int(given["dim"]) % len(given.shape), given.shape)


def _unsqueezed(one: Map, dim: int, shape: Sequence[int]) -> Map:
    dims = [own if own is None or own < dim else own + 1 for own in one.dims]
    return replace(one, shape=(*one.shape[:dim], 1, *one.shape[dim:]), dims=(dims[0], dims[1]))


@rule("expand", "expand_as", "broadcast_to")
def _expand(given: Given) -> Result:
    return joined([given.first], given.shape)


@rule("roll")
def _roll(given: Given) -> Result:
    dims = given["dims"] or range(len(given.shape))
    if any(given.source.across(dim) for dim in dims):
        return unknown_map(given.shape, "roll")
    return given.source


@rule("linear")
def _linear(given: Given) -> Result:
    one = given.source.without([-1])
    return replace(one, shape=given.shape)


@rule("matmul", "mm", "bmm", "addmm", "baddbmm")
def _matmul(given: Given) -> Result:
    """A product with weights sums up one dimension; with a constant matrix along an axis, its rows say what is read."""
    left, right = given.call.node.args[-2:]  # addmm has its summand before them
    if not isinstance(left, Node) or not isinstance(right, Node) or len(given.operands) > 1:
        return unknown_map(given.shape, given.call.op)
    if left not in given.maps and right not in given.maps:  # the summand of addmm
        return unknown_map(given.shape, given.call.op)
    own, matrix = (left, right) if left in given.maps else (right, left)
    source = given.maps[own]
    if not isinstance(source, Map) or len(source.shape) != len(given.shape):
        return unknown_map(given.shape, given.call.op)
    dim = len(source.shape) - (1 if own is left else 2)
    if not source.across(dim):
        return replace(source, shape=given.shape)
    return read_matrix(source, dim, given.constant(matrix), transposed=own is left, shape=given.shape)
