"""The site: pages that are complete in themselves, made whole or not at all; lessons run once for each change."""

import base64
import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import make_site
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from website import execution, faults
from website.build import SiteError, build
from website.execution import LessonError, executed
from website.lessons import lesson
from website.mathml import mathml

from segedu.classroom.explorers import DilationExplorer, frames

FIRST = "# 1 · FCN: a title\n\n**The question.** Why `this`?\n\nClaims F1 and F2 · about 1 s on two CPU cores"
PIXEL = base64.b64encode(b"\x89PNG, as far as a page is concerned").decode()
FIGURE = f'<img alt="a grey square, and nothing else" src="data:image/png;base64,{PIXEL}">'
EXPLORED = "DilationExplorer().sweep()"


def code(source, kind="display_data", metadata=None, **data):
    outputs = [new_output(kind, data, metadata=metadata or {})] if data else []
    return new_code_cell(source, outputs=outputs)


def explorer(*, kept=True):
    """A cell that shows an explorer, with its frames or as notebooks are stored."""
    shown = DilationExplorer()
    data, metadata = frames.with_frames(shown) if kept else shown._repr_mimebundle_()
    data.pop("application/vnd.jupyter.widget-view+json")
    return code(EXPLORED, metadata=metadata, **data)


@pytest.fixture
def course(tmp_path):
    """Writes lessons of the given cells into a course of its own and builds their site; returns the site's folder."""
    folder, site = tmp_path / "notebooks", tmp_path / "site"
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a drawing.svg").write_text("<svg/>")
    folder.mkdir()

    def make(*cells, following=()):
        lessons = []
        for stem, first, rest in (("01_fcn", FIRST, cells), ("02_unet", "# 2 · U-Net: another", following)):
            sources = [cell if isinstance(cell, dict) else new_markdown_cell(cell) for cell in (first, *rest)]
            lessons.append(lesson(folder / f"{stem}.ipynb", new_notebook(cells=sources)))
        build(lessons, site, tmp_path)
        return site

    return make


def text(path):
    return path.read_text(encoding="utf-8")


def test_a_lesson_is_introduced_by_its_first_cell(tmp_path):
    read = lesson(tmp_path / "01_fcn.ipynb", new_notebook(cells=[new_markdown_cell(FIRST)]))
    assert (read.number, read.subject, read.title, read.page) == ("1", "FCN", "FCN: a title", "01_fcn.html")
    assert (read.question, read.effort) == ("Why `this`?", "Claims F1 and F2 · about 1 s on two CPU cores")
    with pytest.raises(ValueError, match=r"01_fcn.ipynb: its first cell begins 'no title', expected a title"):
        lesson(tmp_path / "01_fcn.ipynb", new_notebook(cells=[new_markdown_cell("no title")]))


def test_pages_lead_to_one_another_and_to_files_that_come_along(course):
    site = course(
        "[there](02_unet.ipynb#Take-it-apart), [here](#Play), [the web](https://example.org/a)",
        "## Play\n\n![a drawing of the network](<../assets/a drawing.svg>)",
        following=["## Take it apart: *so*", "## Take it apart", "## Take it apart"],
    )
    page = text(site / "01_fcn.html")
    assert re.findall(r'<a href="([^"]+)">\w+(?: \w+)?</a>', page)[-3:] == [
        "02_unet.html#Take-it-apart",
        "#Play",
        "https://example.org/a",
    ]
    assert 'src="files/assets/a%20drawing.svg"' in page
    assert text(site / "files" / "assets" / "a drawing.svg") == "<svg/>"
    assert re.findall(r'<h2 id="([^"]+)">', text(site / "02_unet.html")) == [
        "Take-it-apart:-so",
        "Take-it-apart",
        "Take-it-apart-2",
    ]
    assert 'rel="next" href="02_unet.html"' in page
    index = text(site / "index.html")
    assert [index.count(f'<a href="{name}.html">') for name in ("01_fcn", "02_unet")] == [1, 1]
    assert "Why `this`?" in index


def test_every_form_of_output_is_shown(course):
    stream = new_code_cell("print(1 < 2)", outputs=[new_output("stream", name="stdout", text="1 < 2\n")])
    error = new_output("error", ename="E", evalue="e", traceback=["\x1b[31mE\x1b[0m: e & f"])
    site = course(
        stream,
        code("figure()", **{"text/html": FIGURE, "text/plain": "Figure"}),
        code("show()", **{"text/markdown": "**shown** ` x `\n\n```python\nx = 1\n```", "text/plain": "shown"}),
        code("'<b>'", **{"text/plain": "'<b>'"}),
        new_code_cell("raise E", outputs=[error], metadata={"tags": ["raises-exception"]}),
    )
    page = text(site / "01_fcn.html")
    shown = re.findall(r'<div class="result">(.*?)</div>\n?</div>', page.replace("\n", " "))
    assert [re.sub(r"<[^>]+>", "", block).strip() for block in shown] == [
        "1 &lt; 2",
        "",
        "shown x x = 1",
        "&#x27;&lt;b&gt;&#x27;",
        "E: e &amp; f",
    ]
    (picture,) = (site / "pictures").iterdir()
    assert picture.read_bytes() == base64.b64decode(PIXEL)
    assert f'<img alt="a grey square, and nothing else" src="pictures/{picture.name}">' in page


def test_an_explorer_brings_its_frames_or_says_that_it_is_still(course):
    site = course(explorer(), explorer(kept=False))
    moving, still = re.findall(r'<figure class="segedu-explorer"(.*?)>(.*?)</figure>', text(site / "01_fcn.html"))
    assert (moving[0], still[0]) == (' data-frames="frames/01_fcn-1.js"', "")
    label = DilationExplorer().stage.label
    for _, shown in (moving, still):
        assert f'alt="{label}"' in shown
        assert "A still picture. To play with it, run the lesson: <code>make lab</code>." in shown
    script = text(site / "frames" / "01_fcn-1.js")
    name, parcel = json.loads("[" + script.removeprefix("segeduFrames(").removesuffix(");\n") + "]")
    assert name == "frames/01_fcn-1.js"
    assert parcel == json.loads(json.dumps(frames.with_frames(DilationExplorer())[0][frames.MIME]))
    assert "one control answers here" in text(site / "index.html")


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("[nowhere](03_segnet.ipynb)", "a lesson leads to 03_segnet.ipynb, which is no file of the course"),
        ("[out](../../secret.txt)", "which is no file of the course"),
        ("[here](#Gone)", "01_fcn.html: #Gone leads to no heading"),
        ("![](<../assets/a drawing.svg>)", "01_fcn.html: a <img> has the text ''"),
        ("![a picture from the web](https://example.org/a.png)", "it loads https://example.org/a.png"),
        ("$\\frax{1}{2}$", "has \\frax, which is not among the commands"),
    ],
)
def test_a_site_with_a_fault_is_not_shown_and_the_last_one_stays(course, cell, says):
    site = course("## The last good one")
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    with pytest.raises((SiteError, ValueError), match=re.escape(says)):
        course(cell)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in site.parent.iterdir()) == ["assets", "notebooks", "site"]


def test_a_folder_that_is_no_site_is_left_alone(course, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.txt").write_text("years of work")
    with pytest.raises(SiteError, match="site holds something else than a site"):
        course()
    assert text(tmp_path / "site" / "thesis.txt") == "years of work"


FAULTY = {
    "image without words": ('<img src="a.png">', "a <img> has the text ''"),
    "image of few words": ('<img alt="a figure" src="a.png">', "a <img> has the text 'a figure'"),
    "drawing without words": ("<svg></svg>", "a <svg> has the text ''"),
    "canvas without words": ('<canvas aria-label="picture"></canvas>', "a <canvas> has the text 'picture'"),
    "script of the web": ('<script src="https://example.org/a.js"></script>', "which needs a network"),
    "style of the web": ('<link rel="stylesheet" href="//example.org/a.css">', "which needs a network"),
    "no such page": ('<a href="b.html">b</a>', "b.html leads to no file"),
    "no such frames": ('<figure data-frames="frames/1.js"></figure>', "frames/1.js leads to no file"),
    "no such heading": ('<a href="#b">b</a>', "#b leads to no heading"),
    "no such heading there": ('<a href="other.html#b">b</a>', "other.html#b leads to no heading"),
    "out of the site": ('<a href="../up.html">up</a>', "../up.html leads out of the site"),
    "an id twice": ('<p id="a"></p><p id="a"></p>', "the id 'a' is there more than once"),
}
SOUND = (
    '<h2 id="Spr%ü">x</h2><img alt="a figure of a network" src="a.png"><svg aria-label="a diagram of it"></svg>'
    '<svg aria-hidden="true"></svg><a href="https://example.org">web</a><a href="#Spr%25%C3%BC">x</a>'
    '<a href="index.html#Spr%25%C3%BC">x</a><img alt="a figure within" src="data:image/png;base64,AA">'
)


@pytest.fixture
def folder(tmp_path):
    """A folder with a page of this body, another one, and a picture."""

    def make(body):
        site = tmp_path / "pages"
        site.mkdir()
        (site / "index.html").write_text(body, encoding="utf-8")
        (site / "other.html").write_text("<p>other</p>")
        (site / "a.png").write_bytes(b"picture")
        return site

    return make


@pytest.mark.parametrize(("body", "says"), FAULTY.values(), ids=FAULTY.keys())
def test_a_fault_is_found(folder, body, says):
    (found,) = faults.faults(folder(body))
    assert found.startswith("index.html: ")
    assert says in found


def test_a_sound_site_has_no_faults_unless_it_is_too_large(folder, monkeypatch):
    site = folder(SOUND)
    assert [*faults.faults(site)] == []
    monkeypatch.setattr(faults, "LARGEST", 100)
    assert [re.sub(r"\d+", "n", found) for found in faults.faults(site)] == ["the site has n bytes, more than n"]


@pytest.mark.parametrize(
    ("tex", "reads", "holds"),
    [
        (r"x_i^2", "xi2", "msubsup"),
        (r"\frac{a+1}{b}", "a+1b", "mfrac"),
        (r"e^{-d^2 / 2\sigma^2}", "e−d2/2σ2", "msup"),
        (r"\text{Dice} = 1 - \text{two words}", "Dice=1−two words", "mtext"),
        (r"\Big(\frac{1}{2}\Big)", "(12)", "mfrac"),
        (r"\left[x\right\rvert", "[x|", "mrow"),
        (r"\sqrt{2}\,\hat{y} \le 0.5", "2y^≤0.5", "msqrt"),
        (r"\log p, \qquad q < 1", "logp,q<1", "mspace"),
        (r"\mathbf{x}_{j-1}", "xj−1", "msub"),
    ],
)
def test_a_formula_is_set(tex, reads, holds):
    formula = ElementTree.fromstring(mathml(tex))
    shown, source = formula[0]
    assert "".join(shown.itertext()) == reads
    assert [*shown.iter(holds)]
    assert source.text == tex


def test_limits_stand_below_in_a_line_of_their_own_only():
    assert "<munder>" in mathml(r"\sum_i x_i", display=True)
    assert "<munder>" not in mathml(r"\sum_i x_i")
    assert mathml("x", display=True).startswith('<math display="block">')


@pytest.mark.parametrize("tex", ["{x", "x}", r"\frac{1}", "x^", r"\left(x", r"\text{a", r"\unknown"])
def test_a_formula_that_cannot_be_set_is_refused(tex):
    with pytest.raises(ValueError, match=re.escape(repr(tex))):
        mathml(tex)


@pytest.fixture
def lesson_file(tmp_path):
    """Writes a lesson with this code, and returns its path."""

    def make(*sources):
        path = tmp_path / "01_fcn.ipynb"
        cells = [new_markdown_cell(FIRST), *map(new_code_cell, sources)]
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return make


@pytest.fixture
def runs(monkeypatch):
    """Stands in for the kernel: every cell prints its source, one with ``1 / 0`` fails; returns what ran."""
    seen = []

    def run(notebook):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                seen.append(cell.source)
                cell.execution_count = len(seen)
                if cell.source == "1 / 0":
                    cell.outputs = [new_output("error", ename="ZeroDivisionError", evalue="division by zero")]
                    raise CellExecutionError("", "ZeroDivisionError", "division by zero")
                cell.outputs = [new_output("stream", name="stdout", text=cell.source)]

    monkeypatch.setattr(execution, "client", lambda notebook, _: SimpleNamespace(execute=lambda: run(notebook)))
    return seen


def test_a_lesson_runs_again_only_after_a_change(lesson_file, runs, tmp_path):
    first = executed(lesson_file("x = 1"), tmp_path / "kept")
    again = executed(lesson_file("x = 1"), tmp_path / "kept")
    assert runs == [execution.HOOK, "x = 1"]
    assert again.cells == first.cells
    assert [cell.source for cell in again.cells] == [FIRST, "x = 1"]
    executed(lesson_file("x = 2"), tmp_path / "kept")
    assert runs[2:] == [execution.HOOK, "x = 2"]
    assert len([*(tmp_path / "kept").iterdir()]) == 1


def test_a_change_of_the_package_runs_a_lesson_again(lesson_file, runs, tmp_path, monkeypatch):
    package = tmp_path / "part.py"
    package.write_text("a = 1")
    monkeypatch.setattr(execution, "_package", lambda: iter([package]))
    executed(lesson_file("x"), tmp_path / "kept")
    package.write_text("a = 2")
    executed(lesson_file("x"), tmp_path / "kept")
    assert runs == [execution.HOOK, "x"] * 2


def test_a_cell_that_fails_is_named_and_nothing_is_kept(lesson_file, runs, tmp_path):
    with pytest.raises(LessonError, match=r"01_fcn\.ipynb: code cell 2 \('1 / 0'\) failed: ZeroDivisionError: div"):
        executed(lesson_file("x", "1 / 0", "y"), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_cell_that_fails_leaves_the_last_good_site(lesson_file, runs, tmp_path, capsys):
    site = tmp_path / "site"
    options = ["--out", str(site), "--cache", str(tmp_path / "kept")]
    assert make_site.main([*options, str(lesson_file("x"))]) == 0
    assert "index.html: 1 lessons, 0.0 MB" in capsys.readouterr().out
    before = text(site / "01_fcn.html")
    assert make_site.main([*options, str(lesson_file("x", "1 / 0"))]) == 1
    assert "code cell 2 ('1 / 0') failed: ZeroDivisionError" in capsys.readouterr().err
    assert text(site / "01_fcn.html") == before


@pytest.mark.processes
def test_a_kernel_runs_a_lesson_with_frames_once(lesson_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(execution, "_package", lambda: iter([]))  # somebody may be working on it
    site, source = tmp_path / "site", f"from segedu.classroom.explorers import DilationExplorer\n{EXPLORED}"
    options = ["--out", str(site), "--cache", str(tmp_path / "kept"), str(lesson_file(source))]
    assert make_site.main(options) == 0
    assert (site / "frames" / "01_fcn-1.js").is_file()
    assert make_site.main(options) == 0
    assert capsys.readouterr().out.count("01_fcn.ipynb: as it ran before") == 1
    assert make_site.main(["--stored", *options]) == 0
    assert not (site / "frames").exists()
    assert "explorers are still pictures" in text(site / "index.html")
