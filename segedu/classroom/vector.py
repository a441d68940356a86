"""A figure as an SVG file: lines that stay sharp at any size, its words inside, the same text each time it is drawn."""

from html import escape
from io import StringIO
from typing import Any

import matplotlib
from matplotlib import rc_context
from matplotlib.figure import Figure

SAME: dict[Any, Any] = {"svg.hashsalt": "segedu", "svg.fonttype": "path"}  # letters as outlines need no font
UNSAID = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # matplotlib would add the time and its exact version


def svg(canvas: Figure, title: str, words: str) -> str:
    """The text of an SVG file that shows ``canvas``, with a short ``title`` and ``words`` for who cannot see it.

    It is the same text on every machine with the same minor version of matplotlib, which it names.
    """
    drawn = StringIO()
    with rc_context(SAME):
        canvas.savefig(drawn, format="svg", metadata=UNSAID)
    head, opening, rest = drawn.getvalue().partition("<svg ")
    attributes, end, body = rest.partition(">")
    named = f'<title id="title">{escape(title)}</title>\n <desc id="words">{escape(words)}</desc>'
    made_by = f"<!-- matplotlib {'.'.join(matplotlib.__version__.split('.')[:2])} -->\n"
    return f'{head}{made_by}{opening}role="img" aria-labelledby="title words" {attributes}{end}\n {named}{body}'
