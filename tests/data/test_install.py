import io
import os
import random
import threading
import types
import zipfile
from pathlib import Path

import pytest

from segedu.data import install as installing
from segedu.data.install import Source, data_root, install
from segedu.data.room import DownloadError, NoRoomError

FILES = {f"repository/Set/{index}.bin": random.Random(index).randbytes(20_000) for index in range(5)}


def archive(files=FILES):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, body in files.items():
            file.writestr(name, body)
    return buffer.getvalue()


def source(url):
    return Source(url=url, under="Set", unpacked=100_000)


def accept(folder):
    assert len(list(folder.iterdir())) == 5


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def bring(url, folder, check=accept):
    install(source(url), folder, check, progress=False)


def fails(url, folder, match, check=accept):
    with pytest.raises(DownloadError, match=match) as error:
        bring(url, folder, check)
    assert "\n" not in str(error.value)


def test_installs_and_clears_up(loopback, tmp_path):
    bring(loopback.serve("a.zip", archive()), tmp_path / "set")
    assert names(tmp_path) == ["set"]
    assert {f"repository/Set/{path.name}": path.read_bytes() for path in (tmp_path / "set").iterdir()} == FILES


def test_folder_that_is_there_is_left_alone(loopback, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").touch()
    bring(loopback.serve("a.zip", archive()), tmp_path / "set")
    assert names(tmp_path / "set") == ["mine"]
    assert loopback.asked == []


def test_empty_folder_is_filled(loopback, tmp_path):
    (tmp_path / "set").mkdir()
    bring(loopback.serve("a.zip", archive()), tmp_path / "set")
    assert len(names(tmp_path / "set")) == 5


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError])
def test_contents_that_fail_their_check_never_arrive(loopback, tmp_path, error):
    def refuse(folder):
        raise error("the pixels differ")

    url = loopback.serve("a.zip", archive())
    fails(url, tmp_path / "set", "does not hold what it should and was not installed: the pixels differ", refuse)
    assert names(tmp_path) == []
    bring(url, tmp_path / "set")
    assert names(tmp_path) == ["set"]


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (archive()[:60_000], "cut short"),
        (b"<html>Please log in</html>", "neither a zip nor a tar"),
        (archive({**FILES, "repository/../../x": b"x"}), "outside the folder"),
        (archive({"repository/Set/zeros": bytes(200_001)}), "more than the 200000 bytes"),
    ],
    ids=["truncated", "page", "escaping", "bomb"],
)
def test_bad_archive_leaves_nothing(loopback, tmp_path, body, match):
    fails(loopback.serve("a.zip", body), tmp_path / "deep" / "set", match)
    assert names(tmp_path / "deep") == []
    assert names(tmp_path) == ["deep"]


def test_cut_connection_goes_on_next_time(loopback, tmp_path, reply, monkeypatch):
    monkeypatch.setattr("segedu.data.download.time.sleep", lambda _: None)
    url = loopback.serve("a.zip", archive(), reply(cut=30_000), *[reply(status=503)] * 5)
    fails(url, tmp_path / "set", "30000 bytes are kept")
    assert "set" not in names(tmp_path)
    bring(url, tmp_path / "set")
    assert loopback.asked[-1][0] == "bytes=30000-"
    assert names(tmp_path) == ["set"]


def test_room_is_asked_for_before_the_first_byte(loopback, tmp_path, monkeypatch):
    monkeypatch.setattr(installing.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=150_000))
    with pytest.raises(NoRoomError, match=r"set needs 0\.2 MB and the disk of .* has 0\.1 MB free"):
        bring(loopback.serve("a.zip", archive()), tmp_path / "set")
    assert loopback.asked == []
    assert names(tmp_path) == []


def test_archive_that_found_no_room_is_not_fetched_again(loopback, tmp_path, monkeypatch):
    def full(*_, **__):
        raise NoRoomError("the disk is full")

    url = loopback.serve("a.zip", archive())
    with monkeypatch.context() as patch:
        patch.setattr(installing, "unpack", full)
        fails(url, tmp_path / "set", "the disk is full")
    assert names(tmp_path) == ["set.archive"]
    bring(url, tmp_path / "set")
    assert len(loopback.asked) == 1
    assert names(tmp_path) == ["set"]


CHILD = """
import sys, time
from pathlib import Path
from segedu.data.install import Source, install
def check(folder):
    print("unpacked", flush=True)
    time.sleep(60)
install(Source(sys.argv[1], "Set", 100_000), Path(sys.argv[2]), check, progress=False)
"""


def test_process_killed_while_it_checks_holds_nobody_up(loopback, tmp_path, child):
    url = loopback.serve("a.zip", archive())
    first = child(CHILD, url, tmp_path / "set")
    assert first.stdout.readline() == "unpacked\n"
    second = threading.Thread(target=bring, args=(url, tmp_path / "set"))
    second.start()
    second.join(0.1)
    assert second.is_alive()
    assert names(tmp_path) == ["set.archive", "set.lock", "set.unpacking"]
    first.kill()
    second.join(60)
    assert names(tmp_path) == ["set"]
    assert len(names(tmp_path / "set")) == 5
    assert len(loopback.asked) == 1


def test_root_is_the_argument_then_the_environment_then_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGEDU_DATA", "/given")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.setenv("HOME", "/home/me")
    assert data_root(tmp_path) == tmp_path
    assert data_root() == Path("/given")
    monkeypatch.delenv("SEGEDU_DATA")
    assert data_root() == Path("/cache/segedu")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_root() == Path("/home/me/.cache/segedu")
    assert data_root("~/data") == Path("/home/me/data")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs a POSIX home")
def test_no_home_at_all_is_one_sentence(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SEGEDU_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(FileNotFoundError, match="set SEGEDU_DATA"):
        data_root()
