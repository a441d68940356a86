"""Batch norm folded away: in inference it is linear, so the convolution before it can do its work."""

from collections.abc import Iterable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from segedu.inference import inference
from segedu.profile.exchange import exchange

Norm = nn.BatchNorm2d | nn.SyncBatchNorm
Module = TypeVar("Module", bound=nn.Module)


def fold_batch_norms(model: nn.Module, example: Tensor) -> int:
    """Fold, in place, every batch norm that alone reads a convolution; how many there were.

    A forward pass of ``example`` on fake tensors, which computes nothing, shows who reads whom: neither the order in
    which modules were registered nor their names are trusted. A norm stays where its convolution's output has another
    reader, where it follows something else, and where it has no running statistics. ``w * gamma / sqrt(var + eps)``
    rounds differently from the two steps, by about 1e-7 of the result in float32.
    """
    readers = _Readers(model)
    with inference(model), FakeTensorMode(allow_non_fake_inputs=True), readers:
        readers.read_by_caller(model(torch.empty_like(example)))
    pairs = readers.pairs()
    for conv, norm in pairs:
        mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, mean, variance, norm.eps, norm.weight, norm.bias
        )
    exchange(model, {norm: nn.Identity() for _, norm in pairs})
    return len(pairs)


class _Readers(TorchFunctionMode):
    """Notes, for every convolution of a model, which batch norms read what it makes; None stands for anything else."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        modules = list(model.modules())
        self.convs = _by_tensor((conv.weight, conv) for conv in modules if isinstance(conv, nn.Conv2d))
        self.norms = _by_tensor((norm.running_mean, norm) for norm in modules if isinstance(norm, Norm))
        self.made: dict[int, tuple[Tensor, nn.Conv2d]] = {}  # with the tensor itself, lest its id be given away
        self.read_by: dict[nn.Conv2d, set[Norm | None]] = {}
        self.reads: dict[Norm, set[nn.Conv2d | None]] = {}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if not any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            return result  # a size, a type: asked, not read
        given = tree_leaves((args, kwargs))
        norm = next((self.norms[id(leaf)] for leaf in given if id(leaf) in self.norms), None)
        if norm is not None:
            _, source = self.made.get(id(args[0]) if args else 0, (None, None))
            self.reads.setdefault(norm, set()).add(source)
        self._read(given, norm)
        conv = next((self.convs[id(leaf)] for leaf in given if id(leaf) in self.convs), None)
        if conv is not None:
            self.made[id(result)] = (result, conv)
        return result

    def read_by_caller(self, outputs: Any) -> None:
        """What the model returns somebody else will read."""
        self._read(tree_leaves(outputs), None)

    def _read(self, tensors: list[Any], norm: Norm | None) -> None:
        for tensor in tensors:
            if id(tensor) in self.made:
                self.read_by.setdefault(self.made[id(tensor)][1], set()).add(norm)

    def pairs(self) -> list[tuple[nn.Conv2d, Norm]]:
        """A convolution and the norm that are each other's only ones, in every call that was seen."""
        return [
            (conv, norm)
            for conv, (norm, *more) in self.read_by.items()
            if norm and not more and self.reads[norm] == {conv}
        ]


def _by_tensor(owners: Iterable[tuple[Tensor | None, Module]]) -> dict[int, Module]:
    """Whose a tensor is, by its id; one that two modules share has no owner."""
    found: dict[int, list[Module]] = {}
    for tensor, owner in owners:
        if tensor is not None:
            found.setdefault(id(tensor), []).append(owner)
    return {key: own for key, (own, *others) in found.items() if not others}
