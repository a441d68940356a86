"""Static rules that every lesson keeps, each shown to catch a lesson that breaks it.

A rule takes a notebook and yields one sentence for each breach. What a lesson prints is checked by running it in nbval.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

REPOSITORY = Path(__file__).resolve().parent.parent
LESSONS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))

_spec = importlib.util.spec_from_file_location("notebooks_tool", REPOSITORY / "tools" / "notebooks.py")
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)

SECTIONS = (
    "the idea",
    "take it apart",
    "play",
    "train it",
    "verdicts",
    "your turn",
    "what the papers really say",
    "read on",
)
LARGEST = 1_500_000  # bytes
IGNORED = "nbval-ignore-output"
TAGS = {IGNORED, "raises-exception"}
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")

DATA_URI = re.compile(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+")
PATH = re.compile(r"(?<![\w.:/<~])/(?:[\w.~-]+/)+[\w.~-]+|\b[A-Z]:\\\w")
ADDRESS = re.compile(r"\bat 0x[0-9a-f]+")
NOT_PROSE = re.compile(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|https?://[^\s)]+|!\[|<[^>]+>", re.DOTALL)
BANNED = re.compile(r"\b(simply|obviously|just|of course|trivial(?:ly)?)\b", re.IGNORECASE)
EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u26ff\u2705\u274c\u2728]")
IZE = "optim normal general initial visual summar organ recogn minim maxim regular special emphas local util real quant"
AMERICAN = re.compile(
    r"\b(?:(?:un|re|de)?(?:color|flavor|favor|behavior|neighbor|labor)\w*"
    rf"|(?:{IZE.replace(' ', '|')})iz(?:e|es|ed|ing|ation|ations)|analyz\w+"
    r"|(?:center|fiber)(?:s|ed|ing)?|gray\w*|(?:label|model|cancel|signal)(?:ed|ing)|artifacts?|defense)\b",
    re.IGNORECASE,
)


def code_cells(lesson):
    return [cell for cell in lesson.cells if cell.cell_type == "code"]


def prose(lesson) -> Iterator[str]:
    """The words of each Markdown cell, without code, formulas, addresses and tags."""
    return (NOT_PROSE.sub(" ", cell.source) for cell in lesson.cells if cell.cell_type == "markdown")


def outputs(lesson):
    return (output for cell in code_cells(lesson) for output in cell.outputs)


def tagged(cell, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def texts(output) -> Iterator[str]:
    """Everything that an output says, pictures left out."""
    yield output.get("text", "")
    yield from (output.get("evalue", ""), *output.get("traceback", []))
    for kind, data in output.get("data", {}).items():
        if isinstance(data, str) and kind not in PICTURES:
            yield DATA_URI.sub("", data)


def executed_in_order(lesson):
    counts = [cell.execution_count for cell in code_cells(lesson)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}: run the lesson from top to bottom"


def no_path_in_outputs(lesson):
    for text in (text for output in outputs(lesson) for text in texts(output)):
        yield from (f"an output holds the path {found}" for found in PATH.findall(text))
        yield from (f"an output holds the memory address {found}" for found in ADDRESS.findall(text))


def small_enough(lesson):
    size = len(nbformat.writes(lesson).encode())
    if size > LARGEST:
        yield f"the notebook has {size} bytes, more than {LARGEST}"


def sections_in_order(lesson):
    first = lesson.cells[0].source if lesson.cells else ""
    if not re.match(r"# \d+ · \S", first):
        yield "the first cell does not start with a title such as '# 1 · FCN: ...'"
    if "**The question.**" not in first:
        yield "the first cell does not put **The question.**"
    lines = (line for text in prose(lesson) for line in text.splitlines())
    headings = [line[3:].strip().lower() for line in lines if line.startswith("## ")]
    found = [next((name for name in SECTIONS if heading.startswith(name)), heading) for heading in headings]
    if found != list(SECTIONS):
        yield f"the sections are {found}; their headings should start with {list(SECTIONS)}, in this order"


def alternative_text(lesson):
    """An image in HTML has its ``alt``; a bare one (a widget's still) has it in its metadata or as its plain text."""
    alts = [alt for cell in lesson.cells if cell.cell_type == "markdown" for alt in in_markdown(cell.source)]
    for output in outputs(lesson):
        data = output.get("data", {})
        alts += in_html(data.get("text/html", ""))
        if "text/html" not in data:
            bare = [kind for kind in PICTURES if kind in data]
            alts += [output.metadata.get(kind, {}).get("alt") or data.get("text/plain", "") for kind in bare]
    yield from (f"a picture has the alternative text {alt!r}" for alt in alts if len(alt) < 20 or alt.startswith("<"))


def in_markdown(source: str) -> list[str]:
    return re.findall(r"!\[([^\]]*)\]", source) + in_html(source)


def in_html(source: str) -> list[str]:
    images = Images()
    images.feed(source)
    return images.alts


class Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.alts: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag == "img":
            self.alts.append(dict(attrs).get("alt") or "")


def no_hushed_result(lesson):
    """nbval runs cells outside the history, where a closing semicolon hushes nothing."""
    for cell in code_cells(lesson):
        if re.search(r";\s*(#[^\n]*)?\Z", cell.source):
            yield f"a cell ends with a semicolon: {cell.source.splitlines()[-1]!r}"


def plain_prose(lesson):
    for text in prose(lesson):
        yield from (f"the prose says {word!r}" for word in BANNED.findall(text))
        yield from (f"the prose has {mark!r}" for mark in EMOJI.findall(text))
        yield from (f"the prose has an exclamation mark: {words!r}" for words in re.findall(r"[^\n]{0,30}!", text))


def british_spelling(lesson):
    for text in prose(lesson):
        yield from (f"{found[0]!r} is not British spelling" for found in AMERICAN.finditer(text))


def ignored_output_is_asserted(lesson):
    cells = code_cells(lesson)
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if tagged(cell, IGNORED) and not (following and not tagged(following, IGNORED) and asserts(following.source)):
            yield f"no cell asserts what the ignored output of {cell.source.splitlines()[0]!r} must show"


def asserts(source: str) -> bool:
    """By a statement, or by ``claims.seen``, which raises the same."""
    nodes = list(ast.walk(ast.parse(source)))
    called = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
    return "claims.seen" in called or any(isinstance(node, ast.Assert) for node in nodes)


def plain_python(lesson):
    """No shell, no magic, no empty cell."""
    for cell in code_cells(lesson):
        try:
            if not ast.parse(cell.source).body:
                yield "a code cell is empty"
        except SyntaxError:
            yield f"a cell is not plain Python: {cell.source.splitlines()[0]!r}"


def known_tags(lesson):
    for cell in lesson.cells:
        yield from (f"unknown tag {tag!r}" for tag in cell.metadata.get("tags", []) if tag not in TAGS)


def nothing_went_wrong(lesson):
    for cell in code_cells(lesson):
        for output in cell.outputs:
            if output.output_type == "error" and not tagged(cell, "raises-exception"):
                yield f"a cell failed with {output.ename}: {output.evalue}"
            if output.get("name") == "stderr":
                yield f"a cell wrote to stderr: {output.text[:80]!r}"


def explorers_are_swept(lesson):
    """A fault in an observer is seen only when a cell drives the control."""
    for cell in code_cells(lesson):
        if re.search(r"\b\w+Explorer\(", cell.source) and ".sweep()" not in cell.source:
            yield f"an explorer is shown without its sweep(): {cell.source!r}"


def normal_form(lesson):
    text = nbformat.writes(lesson) + "\n"
    if tool.normalise(nbformat.reads(text, as_version=4)) != text:
        yield "the notebook is not in its normal form; run `make notebooks`"


RULES = (
    executed_in_order,
    no_path_in_outputs,
    small_enough,
    sections_in_order,
    alternative_text,
    no_hushed_result,
    plain_prose,
    british_spelling,
    ignored_output_is_asserted,
    plain_python,
    known_tags,
    nothing_went_wrong,
    explorers_are_swept,
    normal_form,
)


def test_there_are_lessons():
    assert LESSONS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_keeps(path, rule):
    assert list(rule(nbformat.read(path, as_version=4))) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_file_is_in_its_normal_form(path):
    assert tool.main(["--check", str(path)]) == 0


# The rules themselves, on lessons made to break them


def markdown(source):
    return new_markdown_cell(source)


def code(source="1 + 1", *results, tags=()):
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, execution_count=1, outputs=list(results), metadata=metadata)


def display(**data):
    return new_output("display_data", {kind.replace("_", "/"): text for kind, text in data.items()})


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def error(message):
    return new_output("error", ename="ZeroDivisionError", evalue=message)


def lesson(*cells, sections=SECTIONS, title="# 1 · FCN: a title\n\n**The question.** Why?"):
    headings = [markdown(f"## {section.capitalize()}: a finding") for section in sections]
    notebook = new_notebook(cells=[markdown(title), *headings, *cells])
    tool.normalise(notebook)
    return notebook


def counted(*counts):
    """Execution counts that the normal form would have put right."""
    notebook = lesson(*(code(str(count)) for count in counts))
    for cell, count in zip(code_cells(notebook), counts, strict=True):
        cell.execution_count = count
    return notebook


def with_view():
    notebook = lesson(code("stage", display(text_plain="Stage")))
    notebook.cells[-1].outputs[0].data[tool.VIEW] = {"model_id": "1f"}
    return notebook


FIGURE = '<img alt="three bars of falling length" src="data:image/png;base64,/abc/a/b">'
NO_ALT = '<img src="data:image/png;base64,AA">'
NO_WORDS = display(image_png="AA", text_plain="<Figure size 640x480>")

GOOD = lesson(
    code("figures.bars(x)", display(text_plain="Figure: x", text_html=FIGURE)),
    code("FusionExplorer().sweep()", display(text_plain="The fusion explorer, FCN-8s", image_png="/abc/a/b")),
    code("train()", stream("0.123"), tags=[IGNORED]),
    code("assert loss < 1"),
    code("1 / 0", error("division by zero"), tags=["raises-exception"]),
    code("print(words)", stream("0.125 and/or 1/8 of https://example.org/a/b </b></td>")),
    markdown(
        "The centre's colour, `color`, $a!$, ![a picture of nothing at all](x.png), [a link](https://x.org/color!)"
    ),
)

BROKEN = {
    "executed in reverse": (executed_in_order, counted(2, 1)),
    "never executed": (executed_in_order, counted(None)),
    "executed twice": (executed_in_order, counted(1, 3)),
    "path on stdout": (no_path_in_outputs, lesson(code("1", stream("saved to /home/me/file.pt")))),
    "path in a table": (no_path_in_outputs, lesson(code("1", display(text_html="<td>/Users/me/x</td>")))),
    "path in an error": (no_path_in_outputs, lesson(code("1", error("no file /data/x.png")))),
    "path of Windows": (no_path_in_outputs, lesson(code("1", stream(r"C:\course\x")))),
    "memory address": (no_path_in_outputs, lesson(code("1", display(text_plain="<Stage object at 0x7f00ab>")))),
    "large": (small_enough, lesson(code("1", display(image_png="A" * LARGEST)))),
    "section missing": (sections_in_order, lesson(sections=SECTIONS[1:])),
    "sections swapped": (sections_in_order, lesson(sections=SECTIONS[::-1])),
    "section of its own": (sections_in_order, lesson(sections=[*SECTIONS, "More"])),
    "no title": (sections_in_order, lesson(title="**The question.**")),
    "no question": (sections_in_order, lesson(title="# 1 · FCN")),
    "image without alt": (alternative_text, lesson(code("1", display(text_html=NO_ALT)))),
    "still without words": (alternative_text, lesson(code("1", NO_WORDS))),
    "Markdown image without alt": (alternative_text, lesson(markdown("![](x.png)"))),
    "HTML image in Markdown": (alternative_text, lesson(markdown(NO_ALT))),
    "semicolon": (no_hushed_result, lesson(code("plot(x);"))),
    "semicolon and comment": (no_hushed_result, lesson(code("plot(x);  # quiet"))),
    "simply": (plain_prose, lesson(markdown("Simply add."))),
    "just": (plain_prose, lesson(markdown("You just add."))),
    "exclamation": (plain_prose, lesson(markdown("Look!"))),
    "emoji": (plain_prose, lesson(markdown("Look \U0001f389"))),
    "American verb": (british_spelling, lesson(markdown("We normalize."))),
    "American noun": (british_spelling, lesson(markdown("The neighboring cell"))),
    "American centre": (british_spelling, lesson(markdown("Both centers"))),
    "ignored at the end": (ignored_output_is_asserted, lesson(code(tags=[IGNORED]))),
    "ignored, not asserted": (ignored_output_is_asserted, lesson(code(tags=[IGNORED]), code("print('assert')"))),
    "assertion ignored": (
        ignored_output_is_asserted,
        lesson(code("assert 1", tags=[IGNORED]), code("assert 2", tags=[IGNORED])),
    ),
    "shell": (plain_python, lesson(code("!ls"))),
    "magic": (plain_python, lesson(code("%matplotlib inline"))),
    "empty": (plain_python, lesson(code("# nothing"))),
    "misspelt tag": (known_tags, lesson(code(tags=["nbval_ignore_output"]))),
    "skipped": (known_tags, lesson(code(tags=["nbval-skip"]))),
    "exception": (nothing_went_wrong, lesson(code("1 / 0", error("division by zero")))),
    "warning": (nothing_went_wrong, lesson(code("1", stream("UserWarning", "stderr")))),
    "explorer without a sweep": (explorers_are_swept, lesson(code("FusionExplorer(model)"))),
    "widget view": (normal_form, with_view()),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_passes_a_good_lesson(rule):
    assert list(rule(GOOD)) == []


@pytest.mark.parametrize(("rule", "notebook"), BROKEN.values(), ids=BROKEN.keys())
def test_rule_refuses(rule, notebook):
    assert list(rule(notebook))


def test_every_rule_is_seen_to_refuse():
    assert {rule for rule, _ in BROKEN.values()} == set(RULES)
