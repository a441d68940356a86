"""The table claim, measured, verdict: as text, as HTML, and as data for programs that read a notebook."""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import zip_longest
from textwrap import TextWrapper
from typing import Any

from segedu.classroom.verdict import Verdict

MIME = "application/vnd.segedu.verdicts+json"
COLUMNS = (("claim", 32), ("measured", 45), ("verdict", 17))  # 100 characters with the two rules between them


def plain(rows: Sequence[Verdict]) -> str:
    """The table in 100 columns of text."""
    lines = [_row([name] for name, _ in COLUMNS)]
    for verdict in rows:
        claim = wrap(f"{verdict.claim.id}  {verdict.claim.statement}", COLUMNS[0][1], indent=4)
        measured = [
            line for one in verdict.evidence for line in wrap(f"{one.mark:<6}{one.text}", COLUMNS[1][1], indent=6)
        ]
        lines += ["-+-".join("-" * width for _, width in COLUMNS), _row((claim, measured, [verdict.outcome]))]
    return "\n".join(lines)


def wrap(text: str, width: int, indent: int = 0) -> list[str]:
    """Lines of ``width``; a name such as FCN-8s stays in one piece."""
    return TextWrapper(width, subsequent_indent=" " * indent, break_on_hyphens=False).wrap(text)


def _row(cells: Iterable[Sequence[str]]) -> str:
    """Columns of wrapped lines, side by side."""
    return "\n".join(
        " | ".join(text.ljust(width) for text, (_, width) in zip(line, COLUMNS, strict=True)).rstrip()
        for line in zip_longest(*cells, fillvalue="")
    )


def record(rows: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The table as data: of each claim its id, its outcome, and the mark and text of each sentence."""
    return [
        {
            "id": verdict.claim.id,
            "outcome": verdict.outcome,
            "evidence": [[one.mark, one.text] for one in verdict.evidence],
        }
        for verdict in rows
    ]


def html(rows: Sequence[Verdict]) -> str:
    """The table as HTML, every text escaped."""
    left = ' style="text-align: left; vertical-align: top"'
    body = "".join(
        f"<tr><td{left}><b>{verdict.claim.id}</b> {escape(verdict.claim.statement)}</td><td{left}>"
        + "<br>".join(f"<b>{one.mark}</b> {escape(one.text)}" for one in verdict.evidence)
        + f"</td><td{left}><b>{verdict.outcome}</b></td></tr>"
        for verdict in rows
    )
    head = "".join(f'<th scope="col"{left}>{name}</th>' for name, _ in COLUMNS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
