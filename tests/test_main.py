"""The commands, run in this process on a small data set, and once as a user runs them."""

import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from segedu import cli, trained
from segedu.cli import sources
from segedu.data import CAMVID
from segedu.predict import predict, read_image, write_picture
from segedu.train import checkpoint

TRAIN = ["train", "fcn32s", "--backbone", "vgg_mini", "--data", "blocks", "--steps", "3", "--batch-size", "2"]


class Blocks:
    """Six pictures of coloured squares; reading picture ``fatal`` is interrupted, as by Ctrl-C."""

    classes, palette = CAMVID.classes, CAMVID.colours
    mean, std, ignore_index = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 255
    size, reads, fatal = (40, 56), 0, None

    def __len__(self):
        return 6

    def __getitem__(self, index):
        Blocks.reads += 1
        if Blocks.reads == Blocks.fatal:
            raise KeyboardInterrupt
        generator = torch.Generator().manual_seed(index)
        labels = torch.randint(0, 11, (self.size[0] // 8, self.size[1] // 8), generator=generator)
        labels = labels.repeat_interleave(8, 0).repeat_interleave(8, 1)
        image = CAMVID.colours[labels].permute(2, 0, 1) / 127.5 - 1
        return tv_tensors.Image(image), tv_tensors.Mask(labels)


class OtherClasses(Blocks):
    classes = ("cell", "gap")


@pytest.fixture(autouse=True)
def _workplace(tmp_path, monkeypatch):
    """An empty working folder, where ``--data blocks`` names the small data set."""

    def load(name, split, size, *, augment):
        if name not in ("blocks", "gaps"):
            raise ValueError(f"there is no data set {name!r}")
        data = Blocks() if name == "blocks" else OtherClasses()
        data.size = size or Blocks.size
        return data

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "load", load)
    monkeypatch.setattr(sources.segedu, "device", lambda: torch.device("cpu"))
    monkeypatch.setattr(Blocks, "reads", 0)
    monkeypatch.setattr(Blocks, "fatal", None)


def run(capsys, *words):
    """Exit code, standard output and the last line of standard error of one command."""
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, (err.strip().splitlines() or [""])[-1]


def test_train_evaluate_predict(tmp_path, capsys):
    code, out, _ = run(capsys, *TRAIN)
    assert code == 0
    assert out.startswith("fcn32s over vgg_mini, ")
    assert "on 6 images of blocks: 3 steps of 2 in float32 on cpu, into runs/fcn32s-vgg_mini-blocks" in out
    mean_iou, accuracy = re.search(r"mean IoU (\S+) %, pixel accuracy (\S+) %", out).groups()
    folder = tmp_path / "runs" / "fcn32s-vgg_mini-blocks"
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.pt", "model.pt"]

    code, out, _ = run(capsys, "evaluate", folder, "--batch-size", 4)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[3:14]] == list(CAMVID.classes)
    assert f"mean IoU{mean_iou:>23}" in out
    assert f"pixel accuracy{accuracy:>17}" in out
    assert "boundary F1  " in out

    picture = tmp_path / "street.png"
    write_picture(picture, torch.randint(0, 256, (3, 45, 71)).to(torch.uint8))
    code, out, _ = run(capsys, "predict", folder / "model.pt", picture, "--output", tmp_path / "out" / "here")
    assert code == 0
    assert out.startswith(f"{picture}: ")
    model, card = trained.load(folder)
    with Image.open(tmp_path / "out" / "here" / "street-labels.png") as labels:
        expected = predict(model, read_image(picture), card.mean, card.std)
        assert np.array_equal(np.array(labels), expected.numpy())
    assert read_image(tmp_path / "out" / "here" / "street-overlay.png").shape == (3, 45, 71)

    whole = (tmp_path / "out" / "here" / "street-labels.png").read_bytes()
    code, out, _ = run(capsys, "predict", folder, picture, "--output", tmp_path / "tiled", "--tile", 20, "--margin", 99)
    assert code == 0
    assert (tmp_path / "tiled" / "street-labels.png").read_bytes() == whole
    code, _, err = run(capsys, "predict", folder, picture, "--output", tmp_path / "tiled", "--margin", 9)
    assert (code, err) == (2, "segedu: --margin is 9, but only tiles have one; give --tile too")


def test_a_model_without_a_backbone(tmp_path, capsys):
    small = ["--data", "blocks", "--steps", "1", "--batch-size", "1", "--size", "32", "48"]
    code, out, _ = run(capsys, "train", "unet", *small)
    assert code == 0
    assert out.startswith("unet, 31,038,")
    assert "into runs/unet-blocks" in out
    assert run(capsys, "evaluate", "runs/unet-blocks")[1].startswith("unet on blocks")
    code, _, err = run(capsys, "train", "unet", *small, "--backbone", "vgg16")
    assert (code, err) == (2, "segedu: backbone is 'vgg16', but unet stands on no backbone; leave backbone out")
    assert run(capsys, "train", "fcn9s", *small)[2].startswith("segedu: there is no model 'fcn9s'; choose one of")


def test_options_reach_the_recipe_and_the_model(tmp_path, capsys):
    options = ["--size", "32", "48", "--lr", "0.02", "--optimizer", "sgd", "--seed", "5", "--channels-last"]
    options += ["--precision", "bfloat16", "--class-weights", "median-frequency", "--loss", "cross-entropy"]
    code, _, _ = run(capsys, *TRAIN, *options, "--output", tmp_path / "mine")
    assert code == 0
    _, card = trained.load(tmp_path / "mine")
    expected = {"lr": 0.02, "optimizer": "sgd", "seed": 5, "precision": "bfloat16", "channels_last": True, "steps": 3}
    assert card.recipe.items() >= expected.items()
    assert len(card.recipe["class_weights"]) == 11
    assert sorted(card.recipe["class_weights"])[5] == pytest.approx(1)  # the median class weighs one
    assert card.size == [32, 48]


def test_losses_are_named_and_added(capsys):
    words = [*TRAIN, "--loss", "cross-entropy+dice", "--output", "sum"]
    assert run(capsys, *words)[0] == 0
    kept = checkpoint.load("sum/checkpoint.pt")
    assert kept["loss"] == "WeightedSum(1 cross-entropy + 1 dice)"
    assert run(capsys, *TRAIN, "--output", "alone")[0] == 0
    alone = checkpoint.load("alone/checkpoint.pt")
    dice = kept["history"]["loss"][0] - alone["history"]["loss"][0]
    assert 0 < dice <= 1  # before the first update both have the same weights
    code, _, err = run(capsys, *words, "--loss", "cross-entropy+lovasz", "--resume")
    assert code == 2
    assert "was written with loss=WeightedSum(1 cross-entropy + 1 dice), but fit was given loss=WeightedSum(1" in err


def test_options_reach_the_architecture(capsys):
    small = ["train", "unet", "--data", "blocks", "--steps", "1", "--batch-size", "1", "--size", "32", "48"]
    assert run(capsys, *small, "--option", "width=4")[0] == 0
    model, card = trained.load("runs/unet-blocks")
    assert card.options == {"width": 4}
    assert model.score.in_channels == 4
    assert card.arguments == [*small, "--option", "width=4"]
    for option, sentence in {
        "width": "--option is 'width'; give a name and a value, such as width=8",
        "wings=2": "unet cannot be built with wings=2: ",
        "width=0": "width 0; each must be at least 1",
    }.items():
        code, _, err = run(capsys, *small, "--output", "other", "--option", option)
        assert code == 2
        assert sentence in err


def test_a_run_may_start_from_the_weights_of_the_course(capsys):
    """Blocks have the classes of the streets; what the card says of the network need not be said again."""
    words = ["--data", "blocks", "--steps", "1", "--batch-size", "1", "--lr", "1e-9", "--weights", "streets"]
    assert run(capsys, "train", "fcn8s", *words)[0] == 0
    model, card = trained.load("runs/fcn8s-vgg_mini-blocks")
    start = dict(trained.load("streets:fcn8s")[0].named_parameters())
    assert card.title == "fcn8s over vgg_mini"
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, start[name], rtol=0, atol=1e-6)
    code, _, err = run(capsys, "train", "fcn8s", *words, "--backbone", "vgg16", "--output", "other")
    assert (code, "need backbone='vgg_mini'" in err) == (2, True)


def test_a_finished_run_is_exported_and_used_by_path(tmp_path, capsys):
    run(capsys, *TRAIN, "--checkpoint-every", "2")
    code, out, _ = run(capsys, "export", "runs/fcn32s-vgg_mini-blocks", "--to", "kept/mine.json")
    assert code == 0
    assert out.startswith("fcn32s over vgg_mini: kept/mine.safetensors, ")
    original, card = trained.load("runs/fcn32s-vgg_mini-blocks")
    loaded, again = trained.load("kept/mine.safetensors")
    assert again == card
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in original.state_dict().items())

    entries = json.loads((tmp_path / "kept" / "mine.json").read_text())
    assert len(entries["loss"]) == 3
    assert list(entries["validation"]) == ["3"]
    assert entries["scores"]["images"] == entries["first"]["images"] == 6  # all that there are
    for score, value in entries["validation"]["3"].items():
        assert entries["scores"][score] == entries["first"][score] == pytest.approx(value, rel=1e-4)
    assert list(entries["scores"]["classes"]) == list(CAMVID.classes)

    (tmp_path / "runs" / "fcn32s-vgg_mini-blocks" / "checkpoint.pt").unlink()
    code, _, err = run(capsys, "export", "runs/fcn32s-vgg_mini-blocks", "--to", "kept/other.json")
    assert code == 2
    assert "checkpoint.pt, which has the loss of every step" in err


def test_a_second_run_gets_a_folder_of_its_own(tmp_path, capsys):
    for _ in range(2):
        assert run(capsys, *TRAIN)[0] == 0
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "fcn32s-vgg_mini-blocks",
        "fcn32s-vgg_mini-blocks-2",
    }
    code, _, err = run(capsys, *TRAIN, "--output", "runs/fcn32s-vgg_mini-blocks")
    assert code == 2
    assert "holds a run already" in err


def test_an_interrupted_run_goes_on_to_the_same_model(tmp_path, capsys, monkeypatch):
    every = [*TRAIN, "--checkpoint-every", "1"]
    run(capsys, *every, "--output", "whole")
    monkeypatch.setattr(Blocks, "reads", 0)
    monkeypatch.setattr(Blocks, "fatal", 5)  # in the third step
    code, _, err = run(capsys, *every)
    assert code == 130
    assert "interrupted; the last checkpoint stays" in err
    command = shlex.split(err.split("go on from it with: ")[1])
    assert command[:3] == ["python", "-m", "segedu"]
    assert not (tmp_path / "runs" / "fcn32s-vgg_mini-blocks" / "model.pt").exists()
    code, _, unfinished = run(capsys, "evaluate", "runs/fcn32s-vgg_mini-blocks")
    assert code == 2
    assert "holds no finished model" in unfinished
    monkeypatch.setattr(Blocks, "fatal", None)
    assert run(capsys, *command[3:])[0] == 0
    whole, resumed = (trained.load(folder)[0].state_dict() for folder in ("whole", "runs/fcn32s-vgg_mini-blocks"))
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
    assert run(capsys, *every, "--resume")[0] == 0  # nothing left to do is no error


def test_an_interruption_before_the_first_checkpoint_says_so(capsys, monkeypatch):
    monkeypatch.setattr(Blocks, "fatal", 1)
    code, _, err = run(capsys, *TRAIN)
    assert code == 130
    assert "no checkpoint had been written yet" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "fcn9s", "--data", "blocks"], "there is no model 'fcn9s'"),
        (["train", "fcn8s", "--backbone", "vgg", "--data", "blocks"], "there is no backbone 'vgg'"),
        (["train", "fcn8s", "--data", "nothing"], "there is no data set 'nothing'"),
        ([*TRAIN, "--class-weights", "even"], "--class-weights is 'even'"),
        ([*TRAIN, "--loss", "dice+tversky"], "--loss is 'dice+tversky'; join any of cross-entropy, focal"),
        ([*TRAIN, "--loss", "dice+dice"], "--loss is 'dice+dice'"),
        ([*TRAIN, "--loss", "dice", "--class-weights", "median-frequency"], "leave out either them or --loss"),
        ([*TRAIN, "--lr", "-1"], "lr is -1.0"),
        ([*TRAIN, "--weights", "mine"], "weights is 'mine'"),
        ([*TRAIN, "--scenes", "9"], "--scenes is 9, but blocks is not painted"),
        (["evaluate", "streets:fcn9s"], "there are no weights 'streets' of fcn9s"),
        (["evaluate", "streets"], "there is no checkpoint streets"),  # a run may well be named so
        (["export", "runs", "--to", "net-1.5"], "--to is net-1.5; give the card's name, which ends in .json"),
        (["evaluate", "absent.json"], "there is no card absent.json"),
        ([*TRAIN, "--device", "abacus"], "--device abacus cannot be used here"),
        (["evaluate", "absent.pt"], "there is no checkpoint absent.pt"),
        (["evaluate", "."], "holds no finished model"),
        (["predict", "absent.pt", "a/x.png", "b/x.jpg", "--output", "out"], "2 of the images are named x"),
        (["predict", "absent.pt", "x.png", "--output", "out"], "there is no checkpoint absent.pt"),
    ],
)
def test_what_the_user_can_put_right_is_one_sentence(tmp_path, capsys, words, sentence):
    code, _, err = run(capsys, *words)
    assert code == 2
    assert err.startswith("segedu: ")
    assert sentence in err
    assert list(tmp_path.iterdir()) == []


def test_classes_must_be_those_of_the_model(capsys):
    run(capsys, *TRAIN)
    code, _, err = run(capsys, "evaluate", "runs/fcn32s-vgg_mini-blocks", "--data", "gaps")
    assert code == 2
    assert "gaps has the classes cell, gap, but the model was trained on blocks with Sky, " in err
    code, _, err = run(capsys, "predict", "runs/fcn32s-vgg_mini-blocks", "absent.png", "--output", "out")
    assert code == 2
    assert err == "segedu: there is no image absent.png"


def test_traceback_on_request_and_for_bugs(monkeypatch):
    with pytest.raises(FileNotFoundError):
        cli.main(["--traceback", "evaluate", "absent.pt"])

    def broken(chosen):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr("segedu.cli.evaluate.run", broken)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        cli.main(["evaluate", "absent.pt"])


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        (("evaluate", "absent.pt"), "a smaller --size or --batch-size"),
        (("predict", "absent.pt", "a.png", "--output", "."), "a --tile"),
    ],
)
def test_too_little_memory_names_the_way_out(capsys, monkeypatch, words, way_out):
    def full(chosen):
        raise torch.OutOfMemoryError("tried to allocate")

    monkeypatch.setattr(f"segedu.cli.{words[0]}.run", full)
    code, _, err = run(capsys, *words)
    assert code == 2
    assert err.endswith(f"give {way_out}")


def test_download_takes_what_is_there(capsys, monkeypatch):
    asked = []

    def camvid(root, split, download):
        asked.append((root.name, split, download))
        return range({"train": 367, "val": 101, "test": 233}[split])

    monkeypatch.setattr("segedu.cli.download.CamVid", camvid)
    code, out, _ = run(capsys, "download", "camvid", "--to", "data")
    assert code == 0
    assert asked == [("data", split, True) for split in ("train", "val", "test")]
    assert out.splitlines()[0] == "camvid is in data: 367 train, 101 val, 233 test"
    assert "set SEGEDU_DATA=" in out


@pytest.mark.processes
def test_as_a_user_runs_it(tmp_path):
    words = ["train", "fcn8s", "--backbone", "vgg_mini", "--size", "32", "48", "--steps", "1", "--batch-size", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "segedu", *words, "--device", "cpu"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "validation mean IoU" in done.stdout
    assert (tmp_path / "runs" / "fcn8s-vgg_mini-streets" / "model.pt").is_file()
