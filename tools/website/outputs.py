"""What a cell showed, as HTML: text, tables and figures as they are, an explorer as its picture with its frames."""

import re
from collections.abc import Callable
from html import escape
from typing import Any

from nbformat import NotebookNode

from segedu.classroom.explorers.frames import MIME
from segedu.classroom.explorers.stage import INVITATION
from website.markdown import Writer

COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a traceback on a terminal
STILL = "A still picture. To play with it, run the lesson: <code>make lab</code>."

Keeper = Callable[[dict[str, Any]], str]
"""Keeps the frames of an explorer and returns the address of their file."""


def shown(output: NotebookNode, write: Writer, keep: Keeper) -> str:
    """One output of a cell as a block of HTML; of several forms the richest."""
    if output.output_type == "stream":
        return _printed(output.text)
    if output.output_type == "error":
        return _printed("\n".join(output.traceback))
    data = output.data
    if "image/png" in data and "text/html" not in data:
        return _picture(output, keep)
    if "text/html" in data:
        return f'<div class="rich wide" tabindex="0">{data["text/html"]}</div>'
    if "text/markdown" in data:
        return f'<div class="rich">{write(data["text/markdown"])}</div>'
    return _printed(data["text/plain"])


def _printed(text: str) -> str:
    return f'<pre class="printed" tabindex="0">{escape(COLOURS.sub("", text)).rstrip()}</pre>'


def _picture(output: NotebookNode, keep: Keeper) -> str:
    """A bare picture is an explorer's still."""
    given = output.metadata.get("image/png", {})
    label = given.get("alt", output.data["text/plain"]).removesuffix(INVITATION).strip()
    width = f' width="{given["width"]}"' if "width" in given else ""
    frames = f' data-frames="{escape(keep(output.data[MIME]))}"' if MIME in output.data else ""
    source = "data:image/png;base64," + output.data["image/png"].replace("\n", "")
    image = f'<img alt="{escape(label)}"{width} src="{source}">'
    return f'<figure class="segedu-explorer"{frames}>{image}<figcaption>{STILL}</figcaption></figure>'
