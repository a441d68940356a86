# mypy: disable-error-code="import-untyped,import-not-found"
"""Which logits the Triton kernels take, and which are left to PyTorch's own operations."""

import subprocess
import warnings
from functools import cache

import torch
from torch import Tensor


def takes_kernels(logits: Tensor) -> bool:
    """Whether a pass over these logits is one Triton kernel: on a GPU where Triton is installed and can build.

    That is a GPU of compute capability 8.0 or more, below which bfloat16 is emulated. Triton is looked for at the first
    logits on such a GPU, never at import.
    """
    return logits.is_cuda and _can_build() and _is_recent(logits.device)


@cache
def _can_build() -> bool:
    if not torch.cuda.is_available():  # the logits are fake
        return False
    try:
        from triton.runtime import driver

        driver.active.get_current_target()
    except ImportError:
        return False
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        warnings.warn(
            f"Triton is installed but cannot build kernels ({error}); the losses use PyTorch's own operations, which "
            "are slower. It needs a C compiler and Python's headers",
            stacklevel=2,
        )
        return False
    return True


@cache
def _is_recent(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)
