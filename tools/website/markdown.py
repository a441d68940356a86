"""Markdown as lessons write it: with tables, raw HTML, formulas, highlighted code, and JupyterLab's own anchors."""

import itertools
from collections.abc import Callable
from html import escape
from typing import Any

import mistune
import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, TextLexer, get_lexer_by_name
from pygments.util import ClassNotFound

from website.mathml import mathml

FORMULA = r"(?P<fence>\$\$?)(?P<tex>[^$]+)(?P=fence)"
Heading = tuple[int, str, str]  # level, anchor, HTML of its words


def highlighted(source: str, language: str = "python") -> str:
    """Source code as a block of HTML; in a language that nobody knows, as plain text."""
    try:
        lexer = PythonLexer() if language == "python" else get_lexer_by_name(language)
    except ClassNotFound:
        lexer = TextLexer()
    code = pygments.highlight(source, lexer, HtmlFormatter(nowrap=True)).rstrip("\n")
    return f'<pre class="code" tabindex="0"><code>{code}</code></pre>'


class Writer:
    """Turns the Markdown of one page into HTML, and keeps its ``headings`` for a list of contents."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        renderer = _Renderer(self.headings)
        self._markdown = mistune.create_markdown(escape=False, renderer=renderer, plugins=["table", _formulas])

    def __call__(self, source: str) -> str:
        """Raises ``ValueError`` for a formula that cannot be set."""
        return str(self._markdown(source))


class _Renderer(mistune.HTMLRenderer):
    def __init__(self, headings: list[Heading]) -> None:
        super().__init__(escape=False)
        self._headings = headings

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        """With the anchor that JupyterLab gives it, so that links between lessons lead to the same place in both."""
        anchor = self._unused(_words(text).replace(" ", "-"))
        self._headings.append((level, anchor, text))
        return f'<h{level} id="{escape(anchor)}">{text}</h{level}>\n'

    def _unused(self, anchor: str) -> str:
        """A second heading of the same words gets a number, as a page's anchors differ."""
        taken = [other for _, other, _ in self._headings]
        numbered = (f"{anchor}-{count}" for count in itertools.count(2))
        return next(name for name in (anchor, *itertools.islice(numbered, len(taken))) if name not in taken)

    def block_code(self, code: str, info: str | None = None) -> str:
        return highlighted(code, (info or "text").split()[0]) + "\n"

    def table(self, text: str) -> str:
        return f'<div class="wide" tabindex="0"><table>{text}</table></div>\n'


def _words(html: str) -> str:
    """The text of a heading without its tags."""
    parts = mistune.util.striptags(html)
    return mistune.util.unescape(parts)


def _formulas(markdown: mistune.Markdown) -> None:
    """A plugin: ``$...$`` in a line of words, ``$$...$$`` for a line of its own."""

    def parse(inline: mistune.InlineParser, match: Any, state: mistune.InlineState) -> int:
        state.append_token({"type": "formula", "raw": match["tex"], "attrs": {"display": match["fence"] == "$$"}})
        return int(match.end())

    def render(renderer: mistune.HTMLRenderer, tex: str, display: bool) -> str:
        return mathml(tex, display=display)

    parse_formula: Callable[..., int] = parse
    markdown.inline.register("formula", FORMULA, parse_formula, before="escape")
    markdown.renderer.register("formula", render)
