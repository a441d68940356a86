"""A progress bar for terminals and notebooks."""

from typing import Any

__all__ = ["bar"]


def bar(total: int, *, done: int = 0, unit: str = "step", shown: bool = True) -> Any:
    """A tqdm bar: on standard error in a terminal, a widget in a notebook, nothing at all unless ``shown``.

    It is imported here, because in a notebook it brings ipywidgets along.
    """
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, unit=unit, disable=not shown)
