"""A network as the list of operations that it runs on an image, each with the sizes that it makes."""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node, config
from torch.utils import _pytree

from segedu.mode import mode

VIEWS = ("getitem", "slice", "select", "view", "reshape", "flatten", "unflatten", "transpose", "permute", "movedim",
         "squeeze", "unsqueeze", "expand", "chunk", "split", "split_with_sizes", "tensor_split", "unbind", "detach",
         "alias", "contiguous", "to", "t")  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One operation of a traced network: ``op`` is ATen's name of it, ``module`` the path of the module that ran it."""

    node: Node
    op: str
    module: str
    is_layer: bool
    inputs: tuple[Node, ...]

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Its arguments by their names in ATen's schema, defaults filled in; a tensor is the `Node` that made it."""
        schema = getattr(self.node.target, "_schema", None)
        if schema is None:
            return dict(enumerate(self.node.args)) | self.node.kwargs  # type: ignore[return-value]
        names = [argument.name for argument in schema.arguments]
        defaults = {argument.name: argument.default_value for argument in schema.arguments}
        return defaults | dict(zip(names, self.node.args, strict=False)) | self.node.kwargs

    @property
    def kernel(self) -> tuple[int, ...]:
        """The size of its window, for a convolution or a pooling; empty for anything else."""
        if "conv" in self.op:
            return shape_of(self.arguments["weight"])[2:]
        return pair(self.arguments["kernel_size"]) if "kernel_size" in self.arguments else ()

    @property
    def dilation(self) -> tuple[int, ...]:
        """Its own dilation rate along both axes."""
        return pair(self.arguments.get("dilation", 1))

    @property
    def description(self) -> str:
        """``conv2d 3x3, stride 2, padding 1``: the operator with what differs from its defaults."""
        parts = [f"{self.op.strip('_')} {'x'.join(map(str, self.kernel))}".strip()]
        for name, plain in (("stride", 1), ("padding", 0), ("dilation", 1)) if self.kernel else ():
            value = self.arguments.get(name) or (self.kernel if name == "stride" else plain)  # a pooling's own default
            sides = (value,) if isinstance(value, str) else tuple(dict.fromkeys(pair(value)))
            if sides != (plain,):
                parts.append(f"{name} {'x'.join(map(str, sides))}")
        return ", ".join(parts)

    @property
    def is_view(self) -> bool:
        """Whether its result may lie in its input's memory."""
        return self.op in VIEWS

    @property
    def writes(self) -> bool:
        """Whether it changes its first input."""
        return torch.Tag.inplace in self.tags

    @property
    def tags(self) -> frozenset[torch.Tag]:
        """What ATen says of the operator: pointwise, in place, a view of its input, ..."""
        return frozenset(getattr(self.node.target, "tags", ()))

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the tensor that it makes; of the first, if it makes several."""
        return shape_of(self.node)


@dataclass(frozen=True)
class Trace:
    """The calls of a network in order, from the ``image`` node to the ``outputs``: names of results and their nodes."""

    program: ExportedProgram
    image: Node
    calls: tuple[Call, ...]
    outputs: dict[str, Node]

    def constant(self, node: Node) -> Tensor | None:
        """The value of a node that no image has a part in; None where the image has one or numbers lack."""
        if node is self.image:
            return None
        if node.op == "placeholder":
            return self._held.get(node.name)
        if node.op != "call_function":
            return None
        arguments = {one: self.constant(one) for one in node.all_input_nodes}
        if any(value is None for value in arguments.values()):
            return None
        args, kwargs = torch.fx.map_arg((node.args, node.kwargs), arguments.__getitem__)
        if kwargs.get("device") == torch.device("meta"):
            kwargs = {**kwargs, "device": torch.device("cpu")}  # a model without numbers; its constants have some
        result: Tensor = node.target(*args, **kwargs)  # type: ignore[operator]
        return None if result.is_meta else result

    @cached_property
    def _held(self) -> dict[str, Tensor]:
        """Parameters, buffers and constants of the network by the name of their node."""
        given = {**self.program.state_dict, **self.program.constants}
        specs = self.program.graph_signature.input_specs
        return {spec.arg.name: given[spec.target] for spec in specs if spec.target in given}


def trace(model: nn.Module, input_size: tuple[int, int], in_channels: int | None = None) -> Trace:
    """Run ``model`` on one empty image of ``input_size=(H, W)`` through ``torch.export``, in evaluation mode.

    ``in_channels`` is what the first convolution takes, if left out. Raises ``ValueError`` for a size that is not
    positive, and with what ``torch.export`` says for a model whose path depends on the values of the image.
    """
    height, width = input_size
    if height < 1 or width < 1:
        raise ValueError(f"input_size is {input_size}, expected a height and a width of at least 1 pixel")
    image = torch.zeros(1, in_channels or _channels_of(model), height, width, **_place_of(model))
    with mode(model, training=False), torch.no_grad(), _without_stack_traces():  # batch norm joins no places
        try:
            program = torch.export.export(model, (image,), strict=False)
        except (RuntimeError, ValueError, TypeError, torch._dynamo.exc.TorchDynamoException) as error:
            raise ValueError(
                f"{type(model).__name__} could not be traced on an image of {height}x{width}: {error}"
            ) from error
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes}
    leaves = {path for path, module in model.named_modules(remove_duplicate=False) if not any(module.children())}
    return Trace(program, nodes[names[0]], tuple(_calls(program, leaves)), _outputs(program, nodes))


@contextmanager
def _without_stack_traces() -> Iterator[None]:
    """Do not look up the source line of every operation, where PyTorch lets one choose: a sixth of the time."""
    before = getattr(config, "do_not_emit_stack_traces", None)
    config.do_not_emit_stack_traces = True
    try:
        yield
    finally:
        if before is None:
            del config.do_not_emit_stack_traces
        else:
            config.do_not_emit_stack_traces = before


def pair(value: Any) -> tuple[int, int]:
    """One number, or a list of one, for both axes; a list of two as it is."""
    sides = tuple(value) if isinstance(value, list | tuple) else (value,)
    return (int(sides[0]), int(sides[-1]))


def shape_of(node: Node) -> tuple[int, ...]:
    """The sizes of the tensor that a node makes; of the first, if it makes several."""
    value = node.meta.get("val")
    first = value[0] if isinstance(value, list | tuple) and value else value
    return tuple(map(int, first.shape)) if isinstance(first, Tensor) else ()


def _calls(program: ExportedProgram, leaves: set[str]) -> Iterator[Call]:
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        target = node.target
        op = "getitem" if target is operator.getitem else getattr(target, "_opname", getattr(target, "__name__", ""))
        stack = list(node.meta.get("nn_module_stack", {}).values())
        module = stack[-1][0] if stack else ""
        yield Call(node, op or str(target), module, module in leaves, tuple(node.all_input_nodes))


def _outputs(program: ExportedProgram, nodes: dict[str, Node]) -> dict[str, Node]:
    """``out`` and ``aux`` of a dictionary, ``output`` of a single tensor, numbers or paths of anything else."""
    spec = program.call_spec.out_spec
    names = list(program.graph_signature.user_outputs)
    if spec is None:
        return {}
    paths = _pytree.tree_flatten_with_path(_pytree.tree_unflatten(names, spec))[0]
    return {
        ".".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path) or "output": nodes[name]
        for path, name in paths
        if name in nodes
    }


def _channels_of(model: nn.Module) -> int:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    return 3


def _place_of(model: nn.Module) -> dict[str, Any]:
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            return {"device": tensor.device, "dtype": tensor.dtype}
    return {}
