"""The SVG files of ``assets/diagrams`` are what the live models draw today, with words, small, in need of nothing."""

import io
import re
from base64 import b64decode
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from segedu import models, profile
from segedu.classroom import colours, diagrams, figures
from segedu.classroom.diagrams import gallery
from segedu.classroom.vector import svg

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "diagrams"
SVG = "{http://www.w3.org/2000/svg}"
each = pytest.mark.parametrize("name", gallery.GALLERY)

HASHED = re.compile(r"\b([a-zA-Z]+[0-9a-f]{10})\b")
PICTURE = re.compile(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
SAID = re.compile(r"<!-- (.*?) -->|<title[^>]*>(.*?)</title>|<desc[^>]*>(.*?)</desc>", re.DOTALL)


@pytest.fixture(scope="module")
def drawn():
    return dict(gallery.drawn())


def stored(name):
    return (FOLDER / f"{name}.svg").read_text(encoding="utf-8")


def taken_apart(text):
    """What is drawn, without its numbers; the numbers; the pictures. Names made by hashing are counted instead."""
    names = {name: f"name{number}" for number, name in enumerate(dict.fromkeys(HASHED.findall(text)))}
    pictures = [np.asarray(Image.open(io.BytesIO(b64decode(data)))) for data in PICTURE.findall(text)]
    text = HASHED.sub(lambda found: names[found[1]], PICTURE.sub("", text))
    return NUMBER.sub("#", text), np.array([float(number) for number in NUMBER.findall(text)]), pictures


def same_drawing(one, other):
    """Whether two files show the same: lines to a fiftieth of a point, pictures to a few shades."""
    (shape, numbers, pictures), (wanted, right, as_stored) = taken_apart(one), taken_apart(other)
    return (
        shape == wanted
        and np.allclose(numbers, right, rtol=0, atol=0.02)
        and all(np.abs(a.astype(int) - b).max() <= 4 for a, b in zip(pictures, as_stored, strict=True))
    )


def test_all_are_there_and_no_other():
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.svg" for name in gallery.GALLERY}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_500_000


@each
def test_redrawn_it_is_the_same(name, drawn):
    """Another minor version of matplotlib may set letters and ticks elsewhere; what is said stays."""
    version = re.search(r"matplotlib ([\d.]+) ", stored(name))[1]
    if matplotlib.__version__.startswith(f"{version}."):
        assert same_drawing(drawn[name], stored(name)), "run `python tools/diagrams.py` and look at what changed"
    assert SAID.findall(drawn[name])[1:] == SAID.findall(stored(name))[1:]


@each
def test_it_has_a_title_and_words_and_needs_nothing(name):
    root = ElementTree.fromstring(stored(name))
    title, words = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == [title.get("id"), words.get("id")]
    assert len(title.text) >= 20
    assert len(words.text) >= 80
    assert not root.findall(f".//{SVG}text"), "letters that need a font"
    links = [value for one in root.iter() for key, value in one.items() if key.endswith("href")]
    assert all(link.startswith(("#", "data:image/png;")) for link in links)
    assert "url(http" not in stored(name)


def test_a_changed_number_or_word_is_found():
    text = stored("output_strides")
    for old, new in (("21 G multiply-adds", "22 G multiply-adds"), ("M 0 ", "M 1 "), (colours.REST.lower(), "#000000")):
        assert old in text
        assert not same_drawing(text.replace(old, new, 1), text)
    other = next(name for name in HASHED.findall(text))
    assert same_drawing(text.replace(other, "m0123456789"), text)


def test_the_file_holds_what_the_page_would_show(monkeypatch):
    shown = []
    monkeypatch.setattr(figures.display, "show", lambda plain, html: shown.append(plain))
    sent = []
    with figures.sent_to(lambda canvas, words: sent.append((canvas, words))):
        diagrams.read_trees((1, 2))
    diagrams.read_trees((1, 2))
    assert shown == [f"Figure: {sent[0][1]}"]
    assert isinstance(sent[0][0], Figure)
    assert len(sent) == 1


def test_figures_go_to_the_page_again_after_a_failure(capsys):
    with pytest.raises(ZeroDivisionError), figures.sent_to(lambda canvas, words: 1 / 0):
        diagrams.read_trees((1,))
    diagrams.read_trees((1,))
    assert capsys.readouterr().out.startswith("Figure: what one value reads")


def test_svg_escapes_and_comes_out_again():
    canvas = Figure(figsize=(2, 1))
    canvas.subplots().plot([0, 1])
    text = svg(canvas, "a < b", 'one & "two"')
    root = ElementTree.fromstring(text)
    assert [root.find(f"{SVG}{part}").text for part in ("title", "desc")] == ["a < b", 'one & "two"']
    assert svg(canvas, "a < b", 'one & "two"') == text


def test_one_trunk_on_three_grids(monkeypatch):
    """ResNet-18 sees 435 pixels at every stride, for the work that the profile counts."""
    texts, sent = [], []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda self, x, y, text, **style: texts.append(text))
    with figures.sent_to(lambda canvas, words: sent.append(words)):
        diagrams.output_strides("resnet18")
    work = [profile.macs(models.RESNETS["resnet18"](output_stride=stride), (512, 512)) / 1e9 for stride in (32, 16, 8)]
    assert re.findall(r"sees (\d+) pixels, for (\d+) G", sent[0]) == [("435", f"{giga:.0f}") for giga in work]
    assert sent[0].startswith("one resnet18 of 11.2 M weights on three grids; strides 4 at rate 1, ")
    assert [text for text in texts if "cells" in text] == [
        f"{cells} × {cells} cells of a picture of 512" for cells in (16, 32, 64)
    ]
