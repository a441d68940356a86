"""What ATen operators do to a feature map that look through no window: joins, norms, sums, products, other layouts."""

from collections.abc import Sequence
from dataclasses import replace

from torch.fx import Node

from segedu.receptive_field.maps import Map, joined, unknown_map
from segedu.receptive_field.matrices import read_matrix
from segedu.receptive_field.reads import Window
from segedu.receptive_field.rulebook import Given, Result, one_each, pointwise, rule

rule(
    "where", "hardswish", "hardsigmoid", "silu", "mish", "gelu", "elu", "celu", "selu", "leaky_relu", "prelu",
    "rrelu", "softplus", "log_sigmoid", "softshrink", "hardshrink", "threshold", "relu6", "hardtanh",
)(pointwise)  # ATen tags most such operators itself; these lack the tag  # fmt: skip


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
        return pointwise(given)
    dims = given.get("dim")
    dims = range(len(given.source.shape)) if dims is None or dims == [] else dims
    summed = given.source.without([dims] if isinstance(dims, int) else dims, keepdim=bool(given.get("keepdim", False)))
    return one_each(given, summed)


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
