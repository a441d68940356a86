"""The networks in ``assets/weights``: whole, small, as good as their cards say, and made by the words on them."""

import hashlib
import importlib.util
import tomllib
from pathlib import Path

import pytest
import torch

from segedu import data, trained
from segedu.cli.export import FIRST
from segedu.cli.parser import parser
from segedu.cli.train import prepare
from segedu.inference import inference
from segedu.models import create, released
from segedu.train import fit

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "assets" / "weights"
NAMES = ("bisenet", "deeplabv1", "deeplabv3", "fcn8s", "segnet", "unet")
STEPS = 4
TOLERANCE = 0.005  # of a loss; another layout of memory changes the first steps' by 0.0003, a tenth more lr by 0.01


@pytest.fixture(autouse=True)
def _the_repositorys(monkeypatch):
    monkeypatch.delenv("SEGEDU_WEIGHTS", raising=False)


@pytest.fixture(scope="module")
def scenes():
    """The scenes whose score stands apart on every card."""
    return data.load("streets", "val", (96, 128)).batch(range(FIRST), device="cpu")


def test_there_is_one_of_each_architecture_and_nothing_else():
    there = {path.name for path in FOLDER.iterdir()}
    assert there == {"README.md", *(f"streets-{name}.{kind}" for name in NAMES for kind in ("json", "safetensors"))}


@pytest.mark.parametrize("name", NAMES)
def test_small_whole_and_as_good_as_its_card_says(name, scenes):
    card = released.find("streets", name)
    stored = card.weights.read_bytes()
    assert len(stored) == card.entries["bytes"] <= 3_000_000
    assert hashlib.sha256(stored).hexdigest() == card.entries["sha256"]
    assert card.entries["dtype"] == "float32"
    assert len(card.entries["loss"]) == card.model["recipe"]["steps"]

    model = create(name, weights="streets")
    assert sum(parameter.numel() for parameter in model.parameters()) == card.entries["parameters"]
    images, labels = scenes
    with inference(model):
        called = model(images)["out"].argmax(1)
    accuracy = float((called == labels)[labels != 255].double().mean())
    assert accuracy == pytest.approx(card.entries["first"]["pixel_accuracy"], abs=1e-3)


@pytest.mark.parametrize(
    "source", ["streets:fcn8s", FOLDER / "streets-fcn8s.json", FOLDER / "streets-fcn8s.safetensors"]
)
def test_commands_take_them_by_name_and_by_path(source, scenes):
    model, card = trained.load(source)
    assert not model.training
    assert card.title == "fcn8s over vgg_mini"
    assert card.colours().classes == data.CAMVID.classes
    with inference(twin := create("fcn8s", weights="streets")):
        assert torch.equal(model(scenes[0][:1])["out"], twin(scenes[0][:1])["out"])


class Enough(Exception):  # noqa: N818 (says what happened, like StopIteration)
    """The first steps were seen."""


def first_losses(words):
    """The loss of the first ``STEPS`` steps that a command line takes."""
    losses = []

    def watch(step, record):
        losses.append(record.loss)
        if step == STEPS:
            raise Enough

    prepared = prepare(parser().parse_args(words, parser_namespace(words)))
    how = {"loss": prepared.loss, "device": "cpu", "on_step": watch, "progress": False}
    with pytest.raises(Enough):
        fit(prepared.model, prepared.training, prepared.recipe, **how)
    return losses


def parser_namespace(words):
    """What ``cli.main`` hands to the parser: the words themselves go on the card."""
    return type(parser().parse_args(["check"]))(arguments=words)


@pytest.fixture(scope="module")
def recorded():
    """What the card of the cheapest network says: the words that trained it, and its first losses."""
    card = released.read(FOLDER / "streets-fcn8s.json")
    return card.model["arguments"], card.entries["loss"][:STEPS]


def test_trained_again_it_takes_the_recorded_way(recorded):
    words, losses = recorded
    assert first_losses(words) == pytest.approx(losses, rel=TOLERANCE)


@pytest.mark.parametrize("other", [["--lr", "4.4e-3"], ["--seed", "1"]])
def test_another_recipe_would_not(recorded, other):
    words, losses = recorded
    assert first_losses([*words, *other]) != pytest.approx(losses, rel=TOLERANCE)


def test_the_page_about_them_is_written_from_their_cards():
    spec = importlib.util.spec_from_file_location("weights_table", ROOT / "tools" / "weights_table.py")
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    assert (FOLDER / "README.md").read_text("utf-8") == table.page(FOLDER), "run python tools/weights_table.py"


def test_a_wheel_brings_them_along():
    """They are a package of their own whose files lie outside ``segedu/``."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert tools["package-dir"] == {"segedu.weights": "assets/weights"}
    assert all(
        any(path.match(kind) for kind in tools["package-data"]["segedu.weights"]) for path in FOLDER.glob("streets*")
    )
    assert '"segedu.weights"' in (ROOT / "setup.py").read_text("utf-8")
