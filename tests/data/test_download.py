import hashlib
import os
import random
import shutil
import threading
import time
import types

import pytest

from segedu.data import download
from segedu.data.download import fetch
from segedu.data.room import DownloadError, NoRoomError

BODY = random.Random(0).randbytes(300_000)
SHA = hashlib.sha256(BODY).hexdigest()


def get(url, path, **options):
    return fetch(url, path, pause=0, progress=False, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def one_sentence(error):
    text = str(error.value)
    return "\n" not in text and ". " not in text and len(text) < 400


def test_brings_the_file_and_leaves_nothing_else(loopback, tmp_path):
    path = get(loopback.serve("a", BODY), tmp_path / "deep" / "a")
    assert path.read_bytes() == BODY
    assert names(path.parent) == ["a"]
    assert loopback.asked == [(None, None)]


def test_a_file_that_is_there_is_not_fetched_again(loopback, tmp_path):
    (tmp_path / "a").write_bytes(BODY)
    get(loopback.serve("a", b"other"), tmp_path / "a", sha256=SHA, size=len(BODY))
    assert loopback.asked == []


@pytest.mark.parametrize("expected", [{"sha256": SHA}, {"size": len(BODY)}])
def test_a_file_that_fails_its_check_is_replaced(loopback, tmp_path, expected):
    (tmp_path / "a").write_bytes(b"damaged")
    get(loopback.serve("a", BODY), tmp_path / "a", **expected)
    assert (tmp_path / "a").read_bytes() == BODY


def test_cut_connection_goes_on_from_the_last_byte(loopback, tmp_path, reply):
    path = get(loopback.serve("a", BODY, reply(cut=100_000), reply(cut=50_000)), tmp_path / "a", attempts=2)
    assert path.read_bytes() == BODY
    assert loopback.asked == [(None, None), ("bytes=100000-", '"one"'), ("bytes=150000-", '"one"')]
    assert names(tmp_path) == ["a"]


def test_later_call_goes_on_where_an_earlier_one_gave_up(loopback, tmp_path, reply):
    url = loopback.serve("a", BODY, reply(cut=100_000), *[reply(status=503)] * 3)
    with pytest.raises(DownloadError, match=r"503.*3 attempts.*100000 bytes are kept") as error:
        get(url, tmp_path / "a", attempts=3)
    assert one_sentence(error)
    assert names(tmp_path) == ["a.part", "a.part.version"]
    assert get(url, tmp_path / "a").read_bytes() == BODY
    assert loopback.asked[-1] == ("bytes=100000-", '"one"')


def test_pauses_double_and_start_again_after_progress(loopback, tmp_path, reply, monkeypatch):
    pauses = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    url = loopback.serve("a", BODY, reply(status=500), reply(status=500), reply(cut=10), reply(status=500))
    fetch(url, tmp_path / "a", pause=0.5, progress=False)
    assert pauses == [0.5, 1.0, 0.5, 1.0]


def test_server_that_ignores_ranges_starts_over(loopback, tmp_path, reply):
    url = loopback.serve("a", BODY, reply(cut=100_000), reply(ranges=False))
    assert get(url, tmp_path / "a").read_bytes() == BODY
    assert [asked[0] for asked in loopback.asked] == [None, "bytes=100000-"]


def test_changed_file_is_not_joined_to_the_old_bytes(loopback, tmp_path, reply):
    other = BODY[::-1]
    url = loopback.serve("a", BODY, reply(cut=100_000), *[reply(status=500)] * 2)
    with pytest.raises(DownloadError):
        get(url, tmp_path / "a", attempts=2)
    loopback.serve("a", other)
    loopback.usual = reply(etag='"two"')
    assert get(url, tmp_path / "a").read_bytes() == other
    assert loopback.asked[-1] == ("bytes=100000-", '"one"')


@pytest.mark.parametrize("wrong", [{"early": 1000}, {"etag": '"two"', "conditions": False}])
def test_range_that_does_not_fit_is_not_joined(loopback, tmp_path, reply, wrong):
    url = loopback.serve("a", BODY, reply(cut=100_000), reply(**wrong))
    assert get(url, tmp_path / "a").read_bytes() == BODY
    assert [asked[0] for asked in loopback.asked] == [None, "bytes=100000-", None]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_version_resumes_only_what_a_digest_checks(loopback, tmp_path, reply, etag):
    loopback.usual = reply(etag=etag)
    url = loopback.serve("a", BODY, reply(cut=100_000, etag=etag))
    assert get(url, tmp_path / "a").read_bytes() == BODY
    assert loopback.asked == [(None, None), (None, None)]

    url = loopback.serve("b", BODY, reply(cut=100_000, etag=etag))
    assert get(url, tmp_path / "b", sha256=SHA).read_bytes() == BODY
    assert loopback.asked[2:] == [(None, None), ("bytes=100000-", None)]


def test_whole_part_of_a_killed_process_needs_no_more_bytes(loopback, tmp_path):
    (tmp_path / "a.part").write_bytes(BODY)
    (tmp_path / "a.part.version").write_text('"one"')
    assert get(loopback.serve("a", BODY), tmp_path / "a").read_bytes() == BODY
    assert loopback.asked == [(f"bytes={len(BODY)}-", '"one"')]
    assert names(tmp_path) == ["a"]


def test_part_longer_than_the_file_is_thrown_away(loopback, tmp_path):
    (tmp_path / "a.part").write_bytes(BODY + b"more")
    (tmp_path / "a.part.version").write_text('"one"')
    assert get(loopback.serve("a", BODY), tmp_path / "a").read_bytes() == BODY
    assert [asked[0] for asked in loopback.asked] == [f"bytes={len(BODY) + 4}-", None]


@pytest.mark.parametrize("expected", [{"sha256": "0" * 64}, {"size": 7}])
def test_wrong_contents_are_removed_and_the_last_good_file_stays(loopback, tmp_path, reply, expected):
    (tmp_path / "a").write_bytes(b"the last good one")
    loopback.usual = reply(length=False)
    with pytest.raises(DownloadError, match=f"expected {next(iter(expected.values()))}") as error:
        get(loopback.serve("a", BODY), tmp_path / "a", **expected)
    assert one_sentence(error)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"the last good one"


def test_wrong_size_is_seen_before_the_body_is_read(loopback, tmp_path):
    with pytest.raises(DownloadError, match="has 300000 bytes, expected 7"):
        get(loopback.serve("a", BODY), tmp_path / "a", size=7)
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_final_answers_are_not_asked_for_twice(loopback, tmp_path, reply, status):
    with pytest.raises(DownloadError, match=str(status)) as error:
        get(loopback.serve("a", BODY, reply(status=status)), tmp_path / "a")
    assert one_sentence(error)
    assert len(loopback.asked) == 1
    assert names(tmp_path) == []


def test_unreachable_server_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(DownloadError, match="2 attempts") as error:
        get("http://127.0.0.1:9/a", tmp_path / "a", attempts=2)
    assert one_sentence(error)
    assert names(tmp_path) == []


def test_silent_server_times_out(loopback, tmp_path, reply):
    hold = threading.Event()
    url = loopback.serve("a", BODY, reply(cut=1000, hold=hold))
    try:
        assert get(url, tmp_path / "a", timeout=0.2).read_bytes() == BODY
    finally:
        hold.set()
    assert loopback.asked[1][0] == "bytes=1000-"


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://example.org/a", "file:///etc/hosts", "a"])
def test_only_https_leaves_this_machine(tmp_path, url):
    with pytest.raises(ValueError, match="https://"):
        get(url, tmp_path / "a")
    assert names(tmp_path) == []


def test_redirect_is_followed_but_not_to_a_file(loopback, tmp_path, reply):
    url = loopback.serve("a", BODY, reply(location=loopback.root + "a"))
    assert get(url, tmp_path / "a").read_bytes() == BODY
    loopback.serve("a", BODY, reply(location="file:///etc/hosts"))
    with pytest.raises(DownloadError, match="302"):
        get(url, tmp_path / "b")


def test_redirect_may_not_leave_https(loopback, tmp_path, reply):
    elsewhere = loopback.root.replace("127.0.0.1", "0.0.0.0") + "a"  # the same server by a name that is not loopback
    with pytest.raises(DownloadError, match="not https") as error:
        get(loopback.serve("a", BODY, reply(location=elsewhere)), tmp_path / "a")
    assert one_sentence(error)
    assert names(tmp_path) == []


def test_too_full_a_disk_is_seen_before_anything_is_written(loopback, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=100_000))
    with pytest.raises(NoRoomError, match=r"a needs 0\.3 MB and the disk of .* has 0\.1 MB free") as error:
        get(loopback.serve("a", BODY), tmp_path / "a")
    assert one_sentence(error)
    assert sum(path.stat().st_size for path in tmp_path.glob("a*")) < 10


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's device that is always full")
def test_disk_that_fills_up_is_one_sentence(loopback, tmp_path, monkeypatch):
    begin = download._Part.begin

    def on_a_full_disk(part, version):
        begin(part, version)
        part.path.unlink()
        part.path.symlink_to("/dev/full")  # each write gets ENOSPC from the kernel

    (tmp_path / "a").write_bytes(b"the last good one")
    with monkeypatch.context() as patch:
        patch.setattr(download._Part, "begin", on_a_full_disk)
        with pytest.raises(NoRoomError, match=r"a needs 0\.3 MB and the disk of .* is full") as error:
            get(loopback.serve("a", BODY), tmp_path / "a", sha256=SHA)
    assert one_sentence(error)
    assert (tmp_path / "a").read_bytes() == b"the last good one"
    assert get(loopback.root + "a", tmp_path / "a", sha256=SHA).read_bytes() == BODY


def test_folder_that_cannot_be_made_is_one_sentence(loopback, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="SEGEDU_DATA") as error:
        get(loopback.serve("a", BODY), tmp_path / "file" / "a")
    assert one_sentence(error)


def test_progress_bar_counts_the_bytes(loopback, tmp_path, capsys):
    fetch(loopback.serve("a", BODY), tmp_path / "a")
    assert "300k" in capsys.readouterr().err


CHILD = """
import sys
from segedu.data.download import fetch
fetch(sys.argv[1], sys.argv[2], progress=False)
"""


def test_killed_process_leaves_a_part_that_the_next_run_completes(loopback, tmp_path, reply, child):
    hold = threading.Event()
    url = loopback.serve("a", BODY, reply(cut=120_000, hold=hold))
    first = child(CHILD, url, tmp_path / "a")
    part = tmp_path / "a.part"
    while not part.exists() or part.stat().st_size < 120_000:
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.01)
    assert names(tmp_path) == ["a.lock", "a.part", "a.part.version"]
    # While the first process is at it, a second one waits its turn, then goes on from what the first one left.
    second = threading.Thread(target=get, args=(url, tmp_path / "a"))
    second.start()
    second.join(0.2)
    assert second.is_alive()
    assert len(loopback.asked) == 1
    first.kill()
    second.join(60)
    hold.set()
    assert (tmp_path / "a").read_bytes() == BODY
    assert loopback.asked[1:] == [("bytes=120000-", '"one"')]
    assert names(tmp_path) == ["a"]


def test_many_at_once_fetch_once(loopback, tmp_path):
    url = loopback.serve("a", BODY)
    threads = [threading.Thread(target=get, args=(url, tmp_path / "a")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(loopback.asked) == 1
    assert names(tmp_path) == ["a"]
