"""Figures carry their words, stay small, leave nothing behind, and show the numbers they were given."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from segedu import models
from segedu.classroom import colours, diagrams, figures
from segedu.data.palette import CAMVID

ALT = 'a "sharp" edge & a <blurred> one'
DATA = SimpleNamespace(classes=CAMVID.classes, palette=CAMVID.colours, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


class Shown(HTMLParser):
    """What went to the screen, taken apart again."""

    def __call__(self, plain, html):
        self.plain = plain
        self.feed(html)
        self.png = b64decode(self.attributes["src"].removeprefix("data:image/png;base64,"))
        self.picture = Image.open(BytesIO(self.png))

    def handle_starttag(self, tag, attributes):
        assert tag == "img"
        self.attributes = dict(attributes)


@pytest.fixture
def shown(monkeypatch):
    receiver = Shown()
    monkeypatch.setattr(figures.display, "show", receiver)
    return receiver


DRAWN = {
    "scenes": lambda: figures.show_scenes(DATA, {"picture": torch.zeros(2, 3, 12, 16)}, alt=ALT),
    "heat": lambda: figures.heat_maps({"coarse": torch.rand(2, 3), "fine": torch.rand(8, 12)}, alt=ALT, label="score"),
    "numbers": lambda: figures.number_grids({"map": torch.rand(3, 3, requires_grad=True)}, alt=ALT, digits=2),
    "curves": lambda: figures.curves({"loss": torch.rand(3, 9), "one": torch.rand(9)}, alt=ALT, xlabel="x", ylabel="y"),
    "bars": lambda: figures.bars({"a": [1.0], "b": [2.0, 3.0]}, alt=ALT, xlabel="x"),
}
every = pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())


@every
def test_words_go_with_the_picture(draw, shown):
    assert draw() is None
    assert shown.plain == f"Figure: {ALT}"
    assert shown.attributes["alt"] == ALT
    assert int(shown.attributes["width"]) <= figures.WIDTH
    assert shown.picture.width == int(shown.attributes["width"]) * figures.SHARPNESS


@every
def test_same_bytes_again(draw, shown):
    torch.manual_seed(1)
    draw()
    first = shown.png
    torch.manual_seed(1)
    draw()
    assert shown.png == first
    assert b"Software" not in first  # matplotlib would write its version


@every
def test_stands_on_its_own_light_card(draw, shown):
    draw()
    pixels = np.asarray(shown.picture.convert("RGB")).astype(int)
    card = np.array([int(figures.CARD[place : place + 2], 16) for place in (1, 3, 5)])
    corners = pixels[[2, 2, -3, -3], [2, -3, 2, -3]]
    assert abs(corners - card).max() <= 3  # the picture has 256 colours


def test_alt_may_not_be_blank():
    with pytest.raises(ValueError, match="alt is blank; say in a sentence"), figures.figure(" "):
        pytest.fail("drew a figure without words")


def test_nothing_is_shown_when_drawing_fails(shown):
    with pytest.raises(RuntimeError), figures.figure("never seen"):
        raise RuntimeError
    assert not hasattr(shown, "plain")


def test_house_style_ends_with_the_figure(shown):
    import matplotlib

    before = dict(matplotlib.rcParams)
    DRAWN["bars"]()
    assert dict(matplotlib.rcParams) == before


def test_no_pyplot():
    for file in (Path(figures.__file__), *Path(diagrams.__file__).parent.glob("*.py")):
        assert "pyplot" not in re.sub(r'""".*?"""', "", file.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_outside_a_notebook_the_words_are_printed(capsys):
    DRAWN["bars"]()
    assert capsys.readouterr().out == f"Figure: {ALT}\n"


def test_images_are_denormalised():
    bright = torch.rand(2, 3, 5, 7)
    mean, std = (torch.tensor(three)[:, None, None] for three in (DATA.mean, DATA.std))
    drawn = figures._pictures(DATA, (bright - mean) / std)
    assert drawn.shape == (2, 5, 7, 3)
    assert (drawn.double() / 255 - bright.movedim(1, -1)).abs().max() <= 1 / 255


def test_labels_are_drawn_in_their_colours_with_a_legend_of_what_occurs(shown):
    labels = torch.tensor([[[3, 3], [8, 255]]])
    drawn = figures._pictures(DATA, labels)
    assert drawn[0, 0, 0].tolist() == CAMVID.colours[3].tolist()
    assert drawn[0, 1, 1].tolist() == [0, 0, 0]
    assert [patch.get_label() for patch in figures._legend(DATA, [labels])] == ["Road", "Car", "void"]
    figures.show_scenes(DATA, {"truth": labels, "guess": labels.roll(1, 2)}, alt=ALT)
    seen = {colour for _, colour in shown.picture.convert("RGB").getcolors(1 << 24)}
    wanted = [tuple(CAMVID.colours[label].tolist()) for label in (3, 8)]
    assert all(min(sum(abs(a - b) for a, b in zip(one, want, strict=True)) for one in seen) <= 6 for want in wanted)


def test_curves_refuse_more_lines_than_can_be_told_apart():
    with pytest.raises(ValueError, match="series has 6 lines, at most 5"):
        figures.curves({str(line): torch.rand(3) for line in range(6)}, alt=ALT, xlabel="", ylabel="")


def test_scenes_stay_small(shown):
    """A lesson holds about ten figures in 1.5 MB, and base64 adds a third: noise, the worst case, must not fill it."""
    figures.show_scenes(DATA, {"noise": torch.randn(2, 3, 96, 128), "more": torch.randn(2, 3, 96, 128)}, alt=ALT)
    assert len(shown.png) < 150_000


def test_colours_are_apart_for_the_colour_blind():
    """Deuteranopia and protanopia (Machado et al., 2009, severity 1): every two lines stay visibly apart."""
    deuter = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    protan = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    names = (colours.NOW, colours.REST)
    inks = torch.tensor([[int(name[place : place + 2], 16) / 255 for place in (1, 3, 5)] for name in names])
    for matrix in (torch.eye(3), torch.tensor(deuter), torch.tensor(protan)):
        seen = (inks**2.2 @ matrix.T).clamp(0, 1) ** (1 / 2.2)
        assert (seen[0] - seen[1]).norm() > 0.5


class Fcn(torch.nn.Module):
    """A model with the scores of an FCN and nothing else."""

    def __init__(self, names):
        super().__init__()
        self.names = names
        self.norm = torch.nn.BatchNorm2d(3)

    def scores(self, images):
        images = self.norm(images)
        strides = {"conv7": 32, "pool4": 16, "pool3": 8}
        return {
            name: torch.nn.functional.avg_pool2d(images, strides[name], ceil_mode=True)[:, :2] for name in self.names
        }

    def fuse(self, scores, size):
        return torch.zeros(1, 2, *size)


@pytest.mark.parametrize(("count", "size"), [(1, (96, 128)), (2, (75, 60)), (3, (96, 128))])
def test_fusion_diagram_says_the_live_shapes(shown, count, size):
    model = Fcn(["conv7", "pool4", "pool3"][:count])
    diagrams.fusion(model, size)
    for name, score in model.eval().scores(torch.zeros(1, 3, *size)).items():
        assert f"{name} (2 × {score.shape[2]} × {score.shape[3]})" in shown.attributes["alt"]
    assert shown.attributes["alt"].endswith(f"upsampled to the image: 2 × {size[0]} × {size[1]}.")
    assert shown.attributes["alt"].count("added") == count - 1


@pytest.mark.parametrize("training", [True, False])
def test_fusion_diagram_leaves_the_model_as_it_was(shown, training):
    model = Fcn(["conv7", "pool4"]).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    diagrams.fusion(model, (64, 64))
    assert model.training is training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("size", [(75, 60), (360, 480)])
def test_fusion_diagram_names_strides_and_factors(monkeypatch, shown, size):
    texts = []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda self, x, y, text, **style: texts.append(text))
    diagrams.fusion(Fcn(["conv7", "pool4", "pool3"]), size)
    said = " ".join(texts)
    assert re.findall(r"stride (\d+)", said) == ["32", "16", "8"]
    assert re.findall(r"×(\d+)", said) == ["2", "2", "8"]


def test_fusion_diagram_of_the_package_s_own_model(shown):
    diagrams.fusion(models.create("fcn8s", num_classes=11, backbone="vgg_mini"), (96, 128))
    assert shown.attributes["alt"] == (
        "the scores of conv7 (11 × 3 × 4), upsampled and added to those of pool4 (11 × 6 × 8), "
        "upsampled and added to those of pool3 (11 × 12 × 16), upsampled to the image: 11 × 96 × 128."
    )


def test_read_trees_have_a_dot_for_every_value_and_a_line_for_every_tap(monkeypatch, shown):
    drawn = []
    monkeypatch.setattr("matplotlib.axes.Axes.plot", lambda self, x, y, *form, **style: drawn.append((x, y, form)))
    diagrams.read_trees((2, 2), (1, 3))
    read = [list(x) for x, y, form in drawn if form and set(y) == {0}]
    assert read == [[-3, -1, 1, 3], [-4, -2, 0, 2, 4], [-4, -3, -2, -1, 0, 1, 2, 3, 4]]
    assert sum(not form for *_, form in drawn) == 2 * (3 + 9)
    assert shown.attributes["alt"] == (
        "what one value reads through 2 layers: rates 2, 2 span 9 pixels and read 5 of them, with holes between; "
        "rates 1, 3 span 9 pixels and read all of them."
    )


def test_unpooling_diagram_has_the_live_maxima_offsets_and_frames(monkeypatch, shown):
    texts, frames = [], []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda self, x, y, text, **style: texts.append(text))
    draw = diagrams.unpooling.__globals__["Rectangle"]

    def rectangle(corner, *size, **style):
        if style.get("fill") is False:
            frames.append(corner)
        return draw(corner, *size, **style)

    monkeypatch.setitem(diagrams.unpooling.__globals__, "Rectangle", rectangle)
    diagrams.unpooling(torch.tensor([[1, 5, 0], [2, 3, 4], [7, 7, 6]]))  # an odd edge and a tie
    assert shown.attributes["alt"] == (
        "a map of 3 × 3 cells is pooled to 2 × 2 maxima, 5, 4, 7, 6, with the offsets 1, 2, 0, 0. By their offsets the "
        "maxima go back to the cells that they came from, with zeros between; bilinear interpolation spreads them over "
        "all cells."
    )
    here, there = frames[:4], frames[4:]
    assert len(there) == 4
    steps = [(x2 - x1, y2 - y1) for (x1, y1), (x2, y2) in zip(here, there, strict=True)]
    assert all(step == pytest.approx(steps[0]) for step in steps)
    numbers = [text for text in texts if text.replace(".", "").isdigit()]
    assert numbers[:9] == list("150234776")
    assert numbers[9:13] == list("0123")
    assert numbers[13:21] == [*"5476", *"1200"]
    assert numbers[21:30] == list("050004706")


@pytest.mark.parametrize("name", ["unet", "unet_original"])
def test_u_shape_has_the_live_sizes(monkeypatch, shown, name):
    texts = []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda self, x, y, text, **style: texts.append(text))
    with torch.device("meta"):
        model = models.create(name, num_classes=2, in_channels=1, width=4)
        diagrams.u_shape(model, (204, 188))
        maps, scores = model.eval().encode(torch.zeros(1, 1, 204, 188)), model(torch.zeros(1, 1, 204, 188))["out"]
    sizes = [" × ".join(map(str, one.shape[1:])) for one in (*maps, scores)]
    assert set(sizes[:-1]) <= set(texts)
    assert {"image 1 × 204 × 188", f"scores {sizes[-1]}"} <= set(texts)
    assert texts.count("copy") == 4 * (name == "unet")
    assert sum(text.startswith("crop ") for text in texts) == 4 * (name == "unet_original")
    assert f"to {sizes[-2]}, up through" in shown.attributes["alt"]
    assert shown.attributes["alt"].endswith(("is copied across.", "is cropped and copied across."))


def test_u_shape_leaves_the_model_as_it_was(shown):
    model = models.create("unet", num_classes=2, in_channels=1, width=2)
    model.expand[0].eval()
    modes = [module.training for module in model.modules()]
    diagrams.u_shape(model, (32, 32))
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_loss_curves_are_the_closed_forms(monkeypatch, shown):
    drawn = []
    monkeypatch.setattr("matplotlib.axes.Axes.plot", lambda self, x, y, **style: drawn.append((x, y)))
    monkeypatch.setattr("matplotlib.axes.Axes.legend", lambda self: None)
    diagrams.loss_curves(gamma=3)
    p = drawn[0][0]
    names = ("ce", "ce pull", "focal", "focal pull", "dice", "dice pull")
    values = {name: y for name, (_, y) in zip(names, drawn, strict=True)}
    size = p + 99 * 0.01 + 1  # what is predicted, and the one pixel that is true
    expected = {
        "ce": -p.log(),
        "ce pull": 1 - p,
        "focal": -((1 - p) ** 3) * p.log(),
        "focal pull": (1 - p) ** 3 * (1 - p - 3 * p * p.log()),
        "dice": 1 - 2 * p / size,
        "dice pull": 100 * p * (1 - p) * 2 * (size - p) / size**2,
    }
    for name, curve in expected.items():
        torch.testing.assert_close(values[name], curve, rtol=1e-5, atol=1e-7)
    assert "focal loss with γ = 3" in shown.attributes["alt"]


def test_the_deeplab_family_has_the_published_sizes_strides_and_rates(monkeypatch, shown):
    texts = []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda self, x, y, text, **style: texts.append(text))
    diagrams.deeplab_family()
    assert shown.attributes["alt"] == (
        "v1, 20.5 M: strides 2 at rate 1, 4 at rate 1, 8 at rate 1, 8 at rate 1, 8 at rate 2; head rate 12; then a "
        "dense CRF; v2, 44.0 M: strides 4 at rate 1, 4 at rate 1, 8 at rate 1, 8 at rate 2, 8 at rate 4; head rate 6, "
        "rate 12, rate 18, rate 24; then a dense CRF; v3, 39.0 M: strides 4 at rate 1, 4 at rate 1, 8 at rate 1, 16 at "
        "rate 1, 16 at rates 2, 4, 8; head 1 × 1, rate 6, rate 12, rate 18, image mean; no CRF."
    )
    assert [text for text in texts if text.startswith("rate ")] == [f"rate {r}" for r in (12, 6, 12, 18, 24, 6, 12, 18)]
    assert [text for text in texts if "/" in text and len(text) < 5] == [
        f"1/{stride}" for stride in (2, 4, 8, 8, 8, 4, 4, 8, 8, 8, 4, 4, 8, 16, 16)
    ]
