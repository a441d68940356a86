"""Room on the disk: asked for before writing, and named when it runs out."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DownloadError(OSError):
    """A file or an archive that could not be brought home whole; its text is one sentence."""


class NoRoomError(DownloadError):
    """The disk is too full; what has arrived whole is kept, so the next run goes on from there."""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents. Raises ``DownloadError`` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"the folder {folder} cannot be made ({error.strerror}): "
            "set SEGEDU_DATA, or root, to a folder that you can write to"
        ) from error


def require_room(folder: Path, needed: int, purpose: str) -> None:
    """Raise ``NoRoomError`` unless the disk of ``folder`` has ``needed`` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(
            f"{purpose} needs {megabytes(needed)} and the disk of {folder} has {megabytes(free)} free: "
            "make room there, or set SEGEDU_DATA to a folder on another disk"
        )


@contextmanager
def writing(folder: Path, needed: int | None, purpose: str) -> Iterator[None]:
    """Turn a failure of the system to write into ``folder`` into one sentence that says what is needed, where known.

    Only errors with an ``errno`` are the system's; a decoder's OSError over bad bytes has none and passes unchanged.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, DownloadError) or error.errno is None:
            raise
        if error.errno not in _NO_ROOM:
            raise DownloadError(f"{purpose} cannot be written into {folder}: {error.strerror}") from error
        amount = "more room than there is" if needed is None else megabytes(needed)
        raise NoRoomError(
            f"{purpose} needs {amount} and the disk of {folder} is full: "
            "make room there, or set SEGEDU_DATA to a folder on another disk"
        ) from error


def megabytes(size: int) -> str:
    """``size`` in bytes as text, in MB of 10^6 bytes."""
    return f"{size / 1e6:,.1f} MB"
