"""The receptive field of every layer of a network, exact for any graph of them: branches, skips and upsampling too."""

from collections import Counter
from collections.abc import Iterator, Mapping

from torch import nn
from torch.fx import Node

from segedu.receptive_field import rules, window_rules  # noqa: F401 (they enter their rules)
from segedu.receptive_field.fields import Axis
from segedu.receptive_field.maps import Map, unknown_map
from segedu.receptive_field.rulebook import Given, Result, apply
from segedu.receptive_field.table import AxisField, ReceptiveField, Row
from segedu.receptive_field.trace import Call, Trace, shape_of, trace

LAYERS = ("conv2d", "conv_transpose2d", "linear", "max_pool2d", "avg_pool2d")  # rows, even where they read one cell
TELL_PLACES = ("max_pool2d_with_indices", "offset_max_pool")  # one row for the maxima and their places


def receptive_field(model: nn.Module, input_size: tuple[int, int], *, in_channels: int | None = None) -> ReceptiveField:
    """What every unit of every layer of ``model`` sees of an image of ``input_size=(H, W)``.

    The network is traced once (`torch.export`) and intervals of pixels are carried through its graph, along each axis
    on their own, so the answer is exact for branches, skips, even and asymmetric kernels, transposed convolutions and
    interpolation. Along a single path it is the usual recurrence, ``R += (k - 1) d J``, ``J *= s`` (claim D4 of the
    notes). Batch norm counts as in evaluation; a tap counts whatever its weight, even a zero that was padded. An
    operator without a rule makes what follows unknown, by name. ``in_channels`` is what the first convolution takes, if
    left out; the model's mode is put back. Raises ``ValueError`` when the network cannot be traced on such an image.
    """
    traced = trace(model, input_size, in_channels)
    maps = propagate(traced, input_size)
    results = {name: maps.get(node) for name, node in traced.outputs.items()}
    outputs = {name: _row(name, "output", one) for name, one in results.items() if isinstance(one, Map)}
    if not outputs:
        raise ValueError(f"{type(model).__name__} returns nothing that depends on the image")
    return ReceptiveField(tuple(_rows(traced, maps)), outputs)


def propagate(traced: Trace, input_size: tuple[int, int]) -> dict[Node, Result]:
    """What the units of each map of a traced network see; no entry for what the image has no part in."""
    height = Axis.of_image(input_size[0])
    width = height if input_size[0] == input_size[1] else Axis.of_image(input_size[1])
    maps: dict[Node, Result] = {traced.image: Map(shape_of(traced.image), (height, width), (2, 3))}
    stored = {traced.image: traced.image}  # whose memory a node's numbers may lie in
    for call in traced.calls:
        if not any(node in maps for node in call.inputs):
            continue
        maps[call.node] = apply(Given(call, maps, traced.constant))
        if call.is_view or call.writes:
            stored[call.node] = stored.get(call.inputs[0], call.inputs[0])
        if call.writes and not _same(maps[call.node], maps.get(call.inputs[0])):
            _forget(maps, stored, call)
    return maps


def _forget(maps: dict[Node, Result], stored: Mapping[Node, Node], call: Call) -> None:
    """A map that was written into is not what it was, nor is any view of it: unknown from here on."""
    for node in [*stored, stored[call.node]]:
        if node is not call.node and stored.get(node, node) is stored[call.node] and node in maps:
            maps[node] = unknown_map(shape_of(node), f"{call.op} into a part of a map")


def _same(one: Result, two: Result | None) -> bool:
    return isinstance(one, Map) and isinstance(two, Map) and one.axes == two.axes


def _rows(traced: Trace, maps: Mapping[Node, Result]) -> Iterator[Row]:
    """A row for each layer, and for whatever else changes what the units see."""
    names: Counter[str] = Counter()
    pools = {call.node for call in traced.calls if call.op in TELL_PLACES}
    for call in traced.calls:
        result = maps.get(call.node)
        if call.node in pools and isinstance(result, list):
            result = result[0]
        elif not pools.isdisjoint(call.inputs) and call.op == "getitem":
            continue
        sources = [maps[node] for node in call.inputs if node in maps]
        if not isinstance(result, Map) or not (call.op in LAYERS or not all(_same(result, one) for one in sources)):
            continue
        name = (
            call.module
            if call.is_layer and call.op != "pad"
            else f"{call.module}.{call.op.strip('_')}".removeprefix(".")
        )
        names[name] += 1
        unique = name if names[name] == 1 else f"{name}:{names[name]}"
        yield _row(unique, call.description, result, call.dilation)


def _row(name: str, operation: str, result: Map, dilation: tuple[int, ...] = (1, 1)) -> Row:
    vertical, horizontal = map(AxisField, result.axes)
    return Row(name, operation, result.shape, (dilation[0], dilation[1]), vertical, horizontal)
