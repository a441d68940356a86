import contextlib
import errno
import io
import random
import shutil
import stat
import tarfile
import zipfile

import pytest

from segedu.data import unpack as unpacking
from segedu.data.room import DownloadError, NoRoomError
from segedu.data.unpack import unpack

FILES = {"top/set/a.png": b"a" * 9000, "top/set/deep/b.png": b"b" * 5, "top/other/c.txt": b"c"}
FORMATS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
LIMIT = 10**6


def zip_link(name, target, kind=stat.S_IFLNK):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info, target.encode()


def tar_special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def write(path, files, *specials):
    """An archive of ``files``, in the format that the name of ``path`` says, with further members as they come."""
    if path.name.endswith("zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, body in files.items():
                archive.writestr(name, body)
            for info, body in specials:
                archive.writestr(info, body)
    else:
        with tarfile.open(path, "w:" + path.suffix[1:].replace("tar", "")) as archive:
            for name, body in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(body)
                archive.addfile(info, io.BytesIO(body))
            for info in specials:
                archive.addfile(info)
    return path


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archive, match, **options):
    """The archive is refused in one sentence, and nothing of it is on the disk, in the folder or beside it."""
    before = contents(archive.parent.parent)
    with pytest.raises(DownloadError, match=match) as error:
        unpack(archive, archive.parent / "out", **{"limit": LIMIT, **options})
    assert "\n" not in str(error.value)
    assert not (archive.parent / "out").exists()
    assert contents(archive.parent.parent) == before


@pytest.mark.parametrize("suffix", FORMATS)
def test_round_trip(tmp_path, suffix):
    archive = write(tmp_path / f"archive.{suffix}", FILES)
    unpack(archive, tmp_path / "all", limit=LIMIT)
    assert contents(tmp_path / "all") == FILES
    unpack(archive, tmp_path / "part", under="set", limit=LIMIT)
    assert contents(tmp_path / "part") == {"a.png": b"a" * 9000, "deep/b.png": b"b" * 5}


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    "name", ["../x", "top/../../x", "/x", "//host/x", "top/set/../x", "C:\\x", "c:x", "..\\x", "\\x", "top\\..\\..\\x"]
)
def test_member_that_would_leave_the_folder(tmp_path, suffix, name):
    folder = tmp_path / "deep"
    folder.mkdir()
    refused(write(folder / f"archive.{suffix}", {**FILES, name: b"x"}), "outside the folder")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_zip_member_that_is_no_file(tmp_path, kind):
    archive = write(tmp_path / "archive.zip", FILES, zip_link("top/link", "/etc", kind), zip_link("top/link/x", "x", 0))
    refused(archive, "'top/link' is a link or a device")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_tar_member_that_is_no_file(tmp_path, kind):
    archive = write(tmp_path / "archive.tar", FILES, tar_special("top/link", kind, "/etc/passwd"))
    refused(archive, "'top/link' is a link or a device")


@pytest.mark.parametrize("suffix", FORMATS)
def test_link_outside_the_wanted_folder_is_no_matter(tmp_path, suffix):
    special = zip_link("other/x", "y") if suffix == "zip" else tar_special("other/x", tarfile.SYMTYPE, "y")
    unpack(write(tmp_path / f"archive.{suffix}", FILES, special), tmp_path / "out", under="set", limit=LIMIT)
    assert sorted(contents(tmp_path / "out")) == ["a.png", "deep/b.png"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_truncated_archive(tmp_path, suffix):
    noise = {f"{index}": random.Random(index).randbytes(20_000) for index in range(5)}
    archive = write(tmp_path / f"archive.{suffix}", noise)
    archive.write_bytes(archive.read_bytes()[:50_000])
    refused(archive, "cut short")


@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_flipped_bits(tmp_path, suffix):
    archive = write(tmp_path / f"archive.{suffix}", {"a": random.Random(0).randbytes(50_000)})
    body = bytearray(archive.read_bytes())
    body[25_000:25_010] = bytes(10)
    archive.write_bytes(body)
    refused(archive, "cut short")


def test_encrypted_zip(tmp_path):
    archive = write(tmp_path / "archive.zip", FILES)
    body = bytearray(archive.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := body.find(signature, at + 1)) >= 0:
            body[at + flags] |= 1
    archive.write_bytes(body)
    refused(archive, "encrypted")


def test_page_instead_of_an_archive(tmp_path):
    (tmp_path / "archive.zip").write_text("<html>Please log in</html>")
    refused(tmp_path / "archive.zip", "neither a zip nor a tar")


@pytest.mark.parametrize("suffix", FORMATS)
def test_bomb(tmp_path, suffix):
    refused(write(tmp_path / f"archive.{suffix}", {"zeros": bytes(LIMIT + 1)}), "more than the 1000000 bytes")


def test_bomb_of_empty_files(tmp_path):
    archive = write(tmp_path / "archive.zip", {str(index): b"" for index in range(LIMIT // 4096 + 1)})
    refused(archive, "more than the 1000000 bytes")


def test_zip_that_understates_its_size(tmp_path):
    archive = write(tmp_path / "archive.zip", {"zeros": bytes(5 * LIMIT)})
    body = archive.read_bytes().replace((5 * LIMIT).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(body)
    refused(archive, "cut short")


def test_nothing_wanted_inside(tmp_path):
    refused(write(tmp_path / "archive.zip", FILES), "holds no file in a folder absent", under="absent")


def test_tar_that_ends_in_a_zip_is_a_tar(tmp_path):
    inner = write(tmp_path / "inner.zip", {"inner": b"x"}).read_bytes()
    unpack(write(tmp_path / "archive.tar", {"last.zip": inner}), tmp_path / "out", limit=LIMIT)
    assert contents(tmp_path / "out") == {"last.zip": inner}


def test_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = write(tmp_path / "archive.zip", FILES)
    monkeypatch.setattr(unpacking.shutil, "copyfileobj", full)
    with pytest.raises(NoRoomError, match=r"unpacking archive.zip needs 1\.0 MB and the disk of .* is full"):
        unpack(archive, tmp_path / "out", limit=LIMIT)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_any_damage_is_one_sentence(tmp_path, form):
    """A few bytes changed anywhere: the archive still unpacks, or is refused as an archive, never as a bug of ours."""
    archive = write(tmp_path / f"set.{form}", {"a/b.txt": b"b" * 50, "a/é.txt": b"c"})
    whole, rng = archive.read_bytes(), random.Random(0)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 255, rng.randrange(256)))
        archive.write_bytes(damaged)
        with contextlib.suppress(DownloadError):
            unpack(archive, tmp_path / "out", limit=LIMIT)
            shutil.rmtree(tmp_path / "out")
        assert not (tmp_path / "out").exists()
