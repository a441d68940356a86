"""Show the package's own text in a lesson, so that what is read is what runs."""

import ast
import inspect
from textwrap import dedent
from types import FunctionType, MethodType
from typing import Any

from segedu.classroom import display


def show(*objects: Any, docstring: bool = False) -> None:
    """Show the source of functions, methods or classes of ``segedu``, each under its full name.

    A docstring is cut to its first line unless ``docstring=True``. The text goes out as Markdown, which JupyterLab
    colours in its own theme, light or dark. No line numbers and no path: a change elsewhere in the file leaves a stored
    lesson valid, a change of the text shown here does not, until ``make notebooks`` runs the lesson again. Raises
    ``TypeError`` for anything without a source of its own, and ``ValueError`` for what is not ours: the text of a
    library changes with its version.
    """
    texts = [(_name(one), _source(one, docstring)) for one in objects]
    display.show(
        "\n\n".join(f"# {name}\n{text}" for name, text in texts),
        markdown="\n\n".join(f"`{name}`\n\n````python\n{text}\n````" for name, text in texts),
    )


def _name(thing: Any) -> str:
    plain = inspect.unwrap(thing) if callable(thing) else thing
    if not isinstance(plain, type | FunctionType | MethodType):
        raise TypeError(f"{type(thing).__name__} has no source of its own; hand over a function, a method or a class")
    name = f"{plain.__module__}.{plain.__qualname__}"
    if not name.startswith("segedu."):
        raise ValueError(f"{name} is no part of segedu; a lesson shows only the package's own source")
    return name


def _source(thing: Any, docstring: bool) -> str:
    text = dedent(inspect.getsource(inspect.unwrap(thing))).strip()
    return text if docstring else _folded(text)


def _folded(text: str) -> str:
    """``text`` with every docstring of several lines cut to its first."""
    lines: list[str | None] = [*text.splitlines()]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            written = node.body[0]
            first, after = written.lineno - 1, written.end_lineno or written.lineno
            if after - first > 1:
                lines[first:after] = [f'{lines[first]}"""', *[None] * (after - first - 1)]
    return "\n".join(line for line in lines if line is not None)
