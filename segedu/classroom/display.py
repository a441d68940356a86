"""Put something on the reader's screen: rich in a notebook, plain in a terminal, the same bytes on every machine."""

from collections.abc import Mapping
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display


def show(
    plain: str, *, html: str | None = None, markdown: str | None = None, data: Mapping[str, Any] | None = None
) -> None:
    """Show ``plain``, or its ``html`` or ``markdown`` form where the front end can draw one.

    ``data`` maps a MIME type of ours, which no front end draws, to what a program finds in the stored notebook.
    A notebook stores every form that is given and strict validation compares them all, so none may hold a time, a path,
    a memory address, or a figure that varies between machines. Outside IPython the plain form is printed.
    """
    if not InteractiveShell.initialized():
        print(plain)
        return
    forms = {"text/plain": plain, "text/html": html, "text/markdown": markdown, **(data or {})}
    display({kind: form for kind, form in forms.items() if form is not None}, raw=True)  # type: ignore[no-untyped-call]
