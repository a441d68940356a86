"""Where the real data sets live, and how one comes there: fetched, unpacked, checked, and only then in place."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from segedu.data.download import fetch
from segedu.data.lock import exclusive
from segedu.data.room import DownloadError, NoRoomError, make_folder, require_room, writing
from segedu.data.unpack import unpack


@dataclass(frozen=True)
class Source:
    """An archive that a data set comes from: ``url``, the folder in it that is wanted, and its bytes once unpacked."""

    url: str
    under: str | None
    unpacked: int
    sha256: str | None = None


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds the data sets: ``root``, else the environment's ``SEGEDU_DATA``, else the user's cache.

    Nothing is created. Raises ``FileNotFoundError`` where none is given and this user has no home.
    """
    if chosen := root or os.environ.get("SEGEDU_DATA"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(cache) if cache else Path.home() / ".cache") / "segedu"
    except RuntimeError as error:
        raise FileNotFoundError(
            "there is no home folder to keep data in: set SEGEDU_DATA to a folder of your own"
        ) from error


def install(source: Source, folder: Path, check: Callable[[Path], None], *, progress: bool = True) -> None:
    """Bring the contents of ``source`` to ``folder``; one that is there already is left as it is.

    The archive is fetched beside ``folder``, unpacked under another name, handed to ``check``, and renamed once that
    raised nothing. Whatever fails, even by a kill, ``folder`` is either absent or whole, and the next call clears up.
    Processes that want the same ``folder`` take turns. An archive that proves bad is removed; one that only lacked
    room to be unpacked stays, so that the next call need not fetch it again.

    Raises ``DownloadError`` (``NoRoomError`` for a full disk), also in place of a ``ValueError`` or
    ``FileNotFoundError`` that ``check`` raised.
    """
    make_folder(folder.parent)
    archive = folder.with_name(f"{folder.name}.archive")
    unpacked = folder.with_name(f"{folder.name}.unpacking")
    with writing(folder.parent, source.unpacked, folder.name), exclusive(folder.with_name(f"{folder.name}.lock")):
        with suppress(OSError):
            folder.rmdir()  # only an empty one goes
        if folder.exists():
            return
        shutil.rmtree(unpacked, ignore_errors=True)  # what a killed process left
        require_room(folder.parent, _still_needed(source, archive), folder.name)
        fetch(source.url, archive, sha256=source.sha256, progress=progress)
        try:
            unpack(archive, unpacked, under=source.under, limit=2 * source.unpacked)
            _checked(unpacked, check, source.url)
            unpacked.replace(folder)
        except NoRoomError:
            raise
        except DownloadError:
            archive.unlink()
            raise
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
        archive.unlink()


def _still_needed(source: Source, archive: Path) -> int:
    """Bytes of disk that an installation takes: the archive, or what is missing of it, and what comes out of it."""
    part = archive.with_name(f"{archive.name}.part")
    here = sum(path.stat().st_size for path in (archive, part) if path.exists())
    return source.unpacked + max(source.unpacked - here, 0)


def _checked(folder: Path, check: Callable[[Path], None], url: str) -> None:
    try:
        check(folder)
    except (ValueError, FileNotFoundError) as error:
        raise DownloadError(f"{url} does not hold what it should and was not installed: {error}") from error
