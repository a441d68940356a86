"""The diagram of a label map names what its window holds, and writes every label of it."""

import pytest
import torch

from segedu import data
from segedu.classroom import diagrams, figures

CORNER, SIDE = (54, 36), 9


@pytest.fixture
def streets():
    return data.load("streets", split="val")


def test_it_writes_and_names_the_labels_of_the_window(monkeypatch, streets):
    said, written = [], {}
    monkeypatch.setattr(figures.display, "show", lambda plain, html: said.append(plain))
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda self, x, y, text, **style: written.update({(y, x): text}))
    diagrams.label_map(streets, 2, CORNER, SIDE)
    window = streets[2][1].as_subclass(torch.Tensor)[54:63, 36:45]
    assert written == {(r, c): str(int(window[r, c])) for r in range(SIDE) for c in range(SIDE)}
    names = [f"{k} ({streets.classes[k] if k < 255 else 'void'})" for k in window.unique().tolist()]
    assert len(said) == 1
    assert said[0].endswith(f"every pixel is a number: {', '.join(names)}")


@pytest.mark.parametrize("corner", [(88, 0), (-1, 0), (0, 120)])
def test_a_window_outside_the_picture_is_refused(streets, corner):
    with pytest.raises(ValueError, match=r"for a window of 9 pixels; the picture has 96 x 128"):
        diagrams.label_map(streets, 0, corner)
