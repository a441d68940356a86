"""What a lesson shows is the package's own text, and nothing that changes with the machine."""

import ast
import inspect

import pytest
import torch
from torch import nn

from segedu.classroom import source
from segedu.classroom.explorers.stage import Stage
from segedu.layers import dense, upsample


@pytest.fixture
def shown(monkeypatch):
    forms = {}
    monkeypatch.setattr(source.display, "show", lambda plain, markdown: forms.update(plain=plain, markdown=markdown))
    return forms


def blocks(markdown: str) -> list[str]:
    return [part.split("\n````")[0] for part in markdown.split("````python\n")[1:]]


OURS = [upsample.bilinear_kernel, upsample.BilinearUpsample, upsample.LearnedUpsample.forward, dense.linear_to_conv]


@pytest.mark.parametrize("thing", OURS, ids=lambda thing: thing.__qualname__)
def test_whole_text_is_the_file_s_own(thing, shown):
    source.show(thing, docstring=True)
    (text,) = blocks(shown["markdown"])
    own = inspect.getsource(thing).rstrip().splitlines()
    indents = {len(line) - len(other) for line, other in zip(own, text.splitlines(), strict=True)}
    assert [line.strip() for line in own] == [line.strip() for line in text.splitlines()]
    assert len(indents - {0}) <= 1  # moved to the left as one block
    assert shown["markdown"].startswith(f"`{thing.__module__}.{thing.__qualname__}`\n")


@pytest.mark.parametrize("thing", OURS, ids=lambda thing: thing.__qualname__)
def test_folded_text_differs_in_docstrings_only(thing, shown):
    source.show(thing, docstring=True)
    whole = ast.parse(blocks(shown["markdown"])[0])
    source.show(thing)
    folded = ast.parse(blocks(shown["markdown"])[0])
    for tree in (whole, folded):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                first = ast.get_docstring(node).splitlines()[0]
                node.body[0] = ast.Expr(ast.Constant(first))
    assert ast.dump(whole) == ast.dump(folded)


def test_docstring_is_cut_to_its_first_line(shown):
    source.show(upsample.BilinearUpsample)
    assert '"""Bilinear interpolation from one grid to a finer one, with nothing to learn."""' in shown["plain"]
    assert "deterministic on CUDA" not in shown["plain"]
    assert '"""``(pixels, cells)``: how much each coarse cell gives to each fine pixel."""' in shown["plain"]


def test_several_in_one_cell(shown):
    source.show(dense.linear_to_conv, upsample.bilinear_kernel)
    assert len(blocks(shown["markdown"])) == 2
    assert shown["plain"].startswith("# segedu.layers.dense.linear_to_conv\ndef linear_to_conv(")
    assert "\n\n# segedu.layers.upsample.bilinear_kernel\ndef bilinear_kernel(" in shown["plain"]


def test_no_path_and_no_line_number(shown):
    source.show(*OURS)
    assert "/" not in shown["markdown"].split("\n")[0]
    assert str(inspect.getsourcefile(upsample)) not in shown["markdown"]


def test_decorated_function_shows_what_was_written(shown):
    source.show(Stage.still)
    assert "def still(self)" in shown["plain"]


@pytest.mark.parametrize("thing", [nn.functional.interpolate, nn.Conv2d, ast.parse])
def test_refuses_what_is_not_ours(thing):
    with pytest.raises(ValueError, match="no part of segedu"):
        source.show(thing)


@pytest.mark.parametrize("thing", [nn.ReLU(), 3, upsample, torch.relu])
def test_refuses_what_has_no_source(thing):
    with pytest.raises(TypeError, match="hand over a function, a method or a class"):
        source.show(thing)
