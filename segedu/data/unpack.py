"""Unpack a zip or tar archive that nobody vouches for: nothing leaves its folder, nothing fills the disk."""

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, cast

from segedu.data.room import DownloadError, writing

_BLOCK = 4096  # what the smallest file takes on a disk: a million empty files are not free
# What the readers raise for bad bytes: RuntimeError for an encrypted zip, OSError for a bad gzip or bzip2 stream,
# ValueError for a name that is no text, IndexError for one that is empty.
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,
    OSError,
    ValueError,
    IndexError,
)


@dataclass(frozen=True)
class _Member:
    """What a zip and a tar archive both say of a member."""

    name: str
    size: int
    is_folder: bool
    is_file: bool
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, *, under: str | None = None, limit: int) -> None:
    """Unpack the zip or tar ``archive`` into the new ``folder``.

    With ``under``, only what lies below the folder of that name, wherever in the archive, and without the path to it.
    ``limit`` is the most that may be unpacked, in bytes, going by the declared sizes, which the readers enforce.

    Raises ``DownloadError``, and removes ``folder``, where a member would leave it (an absolute name, ``..``), is a
    link or a device, or takes the total over ``limit``; where the archive is damaged, encrypted, or holds nothing
    wanted; where the disk is full.
    """
    folder.mkdir()
    try:
        with writing(folder.parent, limit, f"unpacking {archive.name}"):
            _unpack(archive, folder, under, limit)
    except BaseException as error:
        shutil.rmtree(folder)
        if isinstance(error, _DAMAGED) and not isinstance(error, DownloadError):
            raise DownloadError(f"{archive} is damaged or was cut short ({error}): fetch it again") from error
        raise


def _unpack(archive: Path, folder: Path, under: str | None, limit: int) -> None:
    total = 0
    for member in _members(archive):
        path = _inside(member.name, under, archive)
        if path is None or member.is_folder:
            continue
        if not member.is_file:
            raise DownloadError(f"{archive} is refused, its member {member.name!r} is a link or a device, not a file")
        total += max(member.size, _BLOCK)
        if total > limit:
            raise DownloadError(f"{archive} is refused, it unpacks to more than the {limit} bytes that are expected")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, target.open("xb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    if not total:
        raise DownloadError(f"{archive} is refused, it holds no file{f' in a folder {under}' if under else ''}")


def _inside(name: str, under: str | None, archive: Path) -> PurePosixPath | None:
    """The path that a member gets in the folder, None for one that is not wanted; refuses one that would leave it."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.anchor or ".." in path.parts:
            raise DownloadError(f"{archive} is refused, its member {name!r} would be written outside the folder")
    parts = PurePosixPath(name).parts
    if under is not None:
        if under not in parts:
            return None
        parts = parts[parts.index(under) + 1 :]
    return PurePosixPath(*parts) if parts else None


def _members(archive: Path) -> Iterator[_Member]:
    # Tar first: a tar whose last member is a zip would pass for a zip, never the other way round.
    if tarfile.is_tarfile(archive):
        return _tar_members(archive)
    if zipfile.is_zipfile(archive):
        return _zip_members(archive)
    raise DownloadError(f"{archive} is neither a zip nor a tar archive, or was cut short: fetch it again")


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as tar:
        for info in tar:
            contents = cast(Callable[[], IO[bytes]], partial(tar.extractfile, info))  # not None for a regular file
            yield _Member(info.name, info.size, info.isdir(), info.isreg(), contents)
        while tar.fileobj and tar.fileobj.read(1 << 20):
            pass  # the checksum of a compressed tar stands at its end, past the last member


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            is_file = not info.is_dir() and kind in {0, stat.S_IFREG}
            yield _Member(info.filename, info.file_size, info.is_dir(), is_file, partial(file.open, info))
