"""Trained weights written, found and loaded: what fits comes back bit for bit, what does not is one sentence."""

import hashlib
import json
import re

import pytest
import torch

from segedu.models import create, released

CLASSES = ["sky", "road", "car"]


@pytest.fixture
def net():
    model = create("fcn8s", len(CLASSES), backbone="vgg_mini", learn_upsampling=True)
    for parameter in model.parameters():  # score layers start at zero, which a fresh model has too
        torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture
def card(net, tmp_path, monkeypatch):
    """The card of ``net``, in a folder that SEGEDU_WEIGHTS names."""
    monkeypatch.setenv("SEGEDU_WEIGHTS", str(tmp_path))
    entries = {
        "model": {
            "name": "fcn8s",
            "backbone": "vgg_mini",
            "classes": CLASSES,
            "options": {"learn_upsampling": True, "border": "replicate"},
        }
    }
    return released.write(released.card_path(tmp_path, "streets", "fcn8s"), net.state_dict(), entries)


def change(card, **entries):
    """Write other words on the card."""
    card.path.write_text(json.dumps({**card.entries, **entries}))


def test_what_was_written_is_created(card, net, tmp_path):
    loaded = create("fcn8s", weights="streets")
    state = loaded.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert loaded.training  # as every model that create makes
    assert released.read(card.weights) == card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["streets-fcn8s.json", "streets-fcn8s.safetensors"]
    assert card.entries["bytes"] == card.weights.stat().st_size
    assert card.entries["dtype"] == "float32"


def test_what_agrees_with_the_card_may_be_said(card):
    asked = {"num_classes": 3, "backbone": "vgg_mini", "learn_upsampling": True}
    assert create("fcn8s", weights="streets", **asked).score["conv7"].out_channels == 3


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"num_classes": 21}, "num_classes is 21, but the weights streets-fcn8s need num_classes=3"),
        ({"backbone": "vgg16"}, "backbone is 'vgg16', but the weights streets-fcn8s need backbone='vgg_mini'"),
        ({"learn_upsampling": False}, "learn_upsampling is False, but the weights streets-fcn8s need"),
        ({"padding": 100}, "padding is 100, but the weights streets-fcn8s were trained without padding"),
    ],
)
def test_what_contradicts_the_card_is_refused(card, asked, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        create("fcn8s", weights="streets", **asked)


def test_a_tuple_agrees_with_the_list_that_json_made_of_it(tmp_path):
    found = released.Released(
        tmp_path / "card.json", {"model": {"classes": [], "backbone": None, "options": {"rates": [1, 2]}}}
    )
    released.require_agreement(found, {"rates": (1, 2), "backbone": None})
    with pytest.raises(ValueError, match=r"rates is \(1, 3\)"):
        released.require_agreement(found, {"rates": (1, 3)})


def test_missing_weights_say_where_to_get_them(card, monkeypatch, tmp_path):
    where = r"take the files of assets/weights from the repository, or name another folder as SEGEDU_WEIGHTS"
    with pytest.raises(
        FileNotFoundError, match=rf"no weights 'streets' of unet in .*, which has those of fcn8s; {where}"
    ):
        create("unet", weights="streets")
    card.weights.unlink()
    with pytest.raises(FileNotFoundError, match=rf"streets-fcn8s\.safetensors is missing beside its card; {where}"):
        create("fcn8s", weights="streets")
    monkeypatch.setenv("SEGEDU_WEIGHTS", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match="which has none at all"):
        create("fcn8s", weights="streets")


def test_other_bytes_than_the_card_means_are_refused(card):
    data = bytearray(card.weights.read_bytes())
    data[-1] ^= 1
    card.weights.write_bytes(data)
    with pytest.raises(ValueError, match=r"has the sha256 [0-9a-f]{64}, but its card says [0-9a-f]{64}"):
        create("fcn8s", weights="streets")


def test_a_file_of_another_kind_is_refused_and_never_run(card):
    torch.save({"a": torch.zeros(1)}, card.weights)  # a pickle, with its own digest on the card
    change(card, sha256=hashlib.sha256(card.weights.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="is no safetensors file"):
        create("fcn8s", weights="streets")


def test_weights_of_another_model_are_refused_whole(card):
    change(card, model=card.model | {"options": {}})
    with pytest.raises(ValueError, match=r"of another model: upsample\.\S+ is \(.*\) there and absent in FCN"):
        create("fcn8s", weights="streets")
    change(card, model=card.model | {"classes": [*CLASSES, "tree"]})
    with pytest.raises(ValueError, match=r"score\.conv7\.weight is \(3, 128, 1, 1\) there and \(4, 128, 1, 1\) in FCN"):
        create("fcn8s", weights="streets")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "segedu weights 1"}', '{"format": "another 1", "model": {}, "sha256": ""}']
)
def test_what_is_no_card_is_refused(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ValueError, match=r"card\.json is no card of weights"):
        released.read(tmp_path / "card.json")


def test_a_write_that_fails_leaves_what_was_there(card, net, monkeypatch, tmp_path):
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(self, data):
        raise OSError("No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        released.write(card.path, create("fcn8s", 3, backbone="vgg_mini").state_dict(), {})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
