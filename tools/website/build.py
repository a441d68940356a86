"""The site in a folder: a page for each lesson, one that leads to them, and what all of them load."""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from nbformat import NotebookNode

from segedu.classroom.explorers import stage
from website.addresses import Addresses
from website.faults import faults
from website.lessons import Lesson
from website.markdown import Writer, highlighted
from website.outputs import shown

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MARK = "explorers.js"  # what a folder must hold to be taken for a site of ours
PICTURE = re.compile(r'<figure class="segedu-explorer".*?<img alt="([^"]*)"[^>]* src="([^"]*)"', re.DOTALL)


class SiteError(Exception):
    """A site that may not be shown: one sentence for each of its faults."""


def build(lessons: Sequence[Lesson], site: Path, root: Path = ROOT) -> None:
    """Make the site of these lessons, and put it in the place of the one that was there, whole or not at all.

    Raises `SiteError` for a site with faults and for a folder that is not a site, ``ValueError`` for a lesson that
    cannot be turned into a page; then the folder is as it was.
    """
    if site.exists() and any(site.iterdir()) and not (site / MARK).is_file():
        raise SiteError(f"{site} holds something else than a site: name another folder, or remove it")
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=site.parent, prefix=f".{site.name}-") as scratch:
        draft = Path(scratch, "draft")
        draft.mkdir()
        _write(lessons, draft, root)
        if found := [*faults(draft)]:
            raise SiteError("\n".join(found))
        if site.exists():
            site.rename(Path(scratch, "former"))
        draft.rename(site)


def _write(lessons: Sequence[Lesson], draft: Path, root: Path) -> None:
    """All files of a site."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE / "templates", HERE / "static"]),
        autoescape=jinja2.select_autoescape(),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    covers = []
    for place, lesson in enumerate(lessons):
        body, sections = _read(lesson, lessons, draft, root)
        before, after = lessons[place - 1] if place else None, next(iter(lessons[place + 1 :]), None)
        given = {"lesson": lesson, "lessons": lessons, "body": body, "sections": sections}
        _put(draft / lesson.page, templates.get_template("lesson.html").render(given, before=before, after=after))
        covers.append(_cover(body))
    moving = any((draft / "frames").glob("*"))
    index = templates.get_template("index.html").render(cards=[*zip(lessons, covers, strict=True)], moving=moving)
    _put(draft / "index.html", index)
    _put(draft / MARK, _player())
    for path in (stage.FOLDER / "stage.css", HERE / "static" / "site.css", HERE / "static" / "theme.js"):
        shutil.copyfile(path, draft / path.name)


def _read(lesson: Lesson, lessons: Sequence[Lesson], draft: Path, root: Path) -> tuple[str, list[tuple[str, str]]]:
    """The HTML of a lesson, and the anchor and the words of each of its sections."""
    writer, frames = Writer(), _Frames(draft, lesson.path.stem)
    move = Addresses(lesson.path.parent, root, draft, {other.path: other.page for other in lessons})
    body = move(_body(lesson.notebook, writer, frames))
    return body, [(anchor, words) for level, anchor, words in writer.headings if level == 2]


def _body(notebook: NotebookNode, write: Writer, keep: "_Frames") -> str:
    """The cells of a lesson: words as they are, code with what it showed."""
    blocks = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            blocks.append(f'<div class="words">{write(cell.source)}</div>')
        elif cell.cell_type == "code":
            outputs = "".join(shown(output, write, keep) for output in cell.outputs)
            result = f'<div class="result">{outputs}</div>' if outputs else ""
            blocks.append(f'<div class="cell">{highlighted(cell.source)}{result}</div>')
    return "\n".join(blocks)


class _Frames:
    """Keeps the frames of a page's explorers, a script each: a page opened from a folder may load nothing else."""

    def __init__(self, draft: Path, stem: str) -> None:
        self._draft, self._stem, self._count = draft, stem, 0

    def __call__(self, parcel: Mapping[str, Any]) -> str:
        self._count += 1
        name = f"frames/{self._stem}-{self._count}.js"
        (self._draft / name).parent.mkdir(exist_ok=True)
        _put(self._draft / name, f"segeduFrames({json.dumps(name)}, {json.dumps(parcel)});\n")
        return name


def _cover(body: str) -> tuple[str, str] | None:
    """The alternative text and the address of a lesson's first explorer, which stands for it on the index page."""
    found = PICTURE.search(body)
    return (found[1], found[2]) if found else None


def _player() -> str:
    """The painters of the stage, with a hand for them that needs no kernel."""
    sources = (stage.FOLDER / "painter.js", HERE / "static" / "player.js")
    return "(() => {\n" + "\n".join(path.read_text(encoding="utf-8") for path in sources) + "})();\n"


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
