"""The file keeps its promise: whole or not there, and nothing in it is run."""

import os
import pickle
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from segedu.train import checkpoint


def state(value=1.0):
    return {"model": {"weight": torch.full((300, 300), value)}, "step": 3, "history": {"loss": [0.1, float("inf")]}}


@pytest.fixture
def written(tmp_path) -> Path:
    path = tmp_path / "runs" / "run.pt"
    checkpoint.save(path, state())
    return path


def is_whole(path):
    return torch.equal(checkpoint.load(path)["model"]["weight"], state()["model"]["weight"])


def test_round_trip_is_exact(written):
    loaded = checkpoint.load(written)
    assert is_whole(written)
    assert loaded["step"] == 3
    assert loaded["history"] == state()["history"]
    assert os.listdir(written.parent) == ["run.pt"]


def test_a_full_disk_leaves_the_last_good_file(written):
    """The kernel refuses to write past 64 KiB, as a full disk would."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        with pytest.raises(OSError, match=r"could not be written .* an earlier one is untouched"):
            checkpoint.save(written, state(2.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert is_whole(written)
    assert os.listdir(written.parent) == ["run.pt"]


@pytest.mark.parametrize("moment", ["torch.save", "os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_last_good_file(written, monkeypatch, moment, error):
    def interrupt(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(moment, interrupt)
        with pytest.raises(error):
            checkpoint.save(written, state(2.0))
    assert is_whole(written)
    assert os.listdir(written.parent) == ["run.pt"]


def test_what_a_killed_writer_left_is_written_over(written):
    written.with_name("run.pt.part").write_bytes(b"half")
    checkpoint.save(written, state())
    assert os.listdir(written.parent) == ["run.pt"]


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_said_to_be_damaged(written, share):
    whole = written.read_bytes()
    written.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=r"run\.pt is damaged or no checkpoint"):
        checkpoint.load(written)


class Intruder:
    def __reduce__(self):
        return Path.touch, (Path("intruder"),)


def test_code_in_a_file_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, write in (
        ("plain", lambda path: path.write_bytes(pickle.dumps(Intruder(), protocol=2))),
        ("zip", save_intruder),
    ):
        write(tmp_path / name)
        with pytest.raises(ValueError, match="damaged or no checkpoint"):
            checkpoint.load(tmp_path / name)
    assert not (tmp_path / "intruder").exists()


def save_intruder(path):
    torch.save({"model": Intruder()}, path)


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="is no checkpoint of segedu"):
        checkpoint.load(tmp_path / "weights.pt")
    with pytest.raises(FileNotFoundError, match=re.escape(f"there is no checkpoint {tmp_path / 'absent.pt'}")):
        checkpoint.load(tmp_path / "absent.pt")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (nn.Linear(3, 4), r"weight is \(2, 3\) there and \(4, 3\) in Linear"),
        (nn.Linear(3, 2, bias=False), r"bias is \(2,\) there and absent in Linear"),
        (nn.Sequential(nn.Linear(3, 2)), r"0\.weight is absent there and \(2, 3\) in Sequential"),
    ],
)
def test_another_model_is_named_and_left_alone(other, words):
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(ValueError, match=rf"run\.pt is of another model: {words}"):
        checkpoint.load_model(other, {"model": nn.Linear(3, 2).state_dict()}, "run.pt")
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


def test_the_same_model_takes_every_value():
    written, read = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    written(torch.randn(2, 3, 4, 4))
    checkpoint.load_model(read, {"model": written.state_dict()}, "run.pt")
    assert all(torch.equal(value, read.state_dict()[name]) for name, value in written.state_dict().items())


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), MemoryError()])
def test_a_file_that_cannot_be_read_now_is_not_called_damaged(written, monkeypatch, error):
    """Else the user is told to delete a good run."""

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises((OSError, MemoryError)) as caught:
        checkpoint.load(written)
    assert "damaged" not in str(caught.value)
    if isinstance(error, OSError):
        assert re.search(r"run\.pt could not be read .*Permission denied", str(caught.value))
