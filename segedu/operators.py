"""Functions of ours as operators of PyTorch: one node for autograd, compilers and fake tensors, whatever is inside."""

from collections.abc import Callable
from typing import Any

import torch
from torch import library

__all__ = ["operator"]

_OPERATORS: Any = library.Library("segedu", "FRAGMENT")  # type: ignore[no-untyped-call]


def operator(
    name: str,
    fake: Callable[..., Any],
    *,
    backward: Callable[..., Any] | None = None,
    setup_context: Callable[..., None] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Makes a function of tensors and plain values ``torch.ops.segedu.<name>``; its annotations are the signature.

    ``fake`` says what comes out, by shape and dtype, where tensors are fake or traced. ``backward`` and
    ``setup_context`` are those of PyTorch's ``register_autograd``. Its ``custom_op`` does the same as all of this, but
    imports the compiler at its first call, which takes seconds.
    """

    def register(function: Callable[..., Any]) -> Any:
        qualified = f"segedu::{name}"
        _OPERATORS.define(name + library.infer_schema(function, mutates_args=()))
        _OPERATORS.impl(name, function, "CompositeExplicitAutograd")
        library.register_fake(qualified, fake, lib=_OPERATORS)
        if backward is not None:
            library.register_autograd(qualified, backward, setup_context=setup_context, lib=_OPERATORS)
        return getattr(torch.ops.segedu, name).default

    return register
