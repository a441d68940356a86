"""One process at a time: a file lock that dies with its holder."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _try(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _wait(file: IO[bytes]) -> None:
        while True:
            with suppress(OSError):  # LK_LOCK gives up after ten seconds; a download may take longer
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                return
else:
    import fcntl

    def _try(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _wait(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)


_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` for the block; wait, and say so once, while another process holds it.

    The operating system drops the lock when its holder ends, also by ``kill -9``, so a stale file never blocks anyone.
    A file system that offers no locks (some network homes) is used without one.
    """
    file = _acquire(path)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps an open file: it stays, empty, and is taken again next time
            path.unlink()
        file.close()


def _acquire(path: Path) -> IO[bytes]:
    while True:
        file = path.open("ab")
        try:
            _lock(file, path)
            if _is_still(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        _try(file)
    except OSError as error:
        if error.errno in _HELD:
            print(f"waiting for another process that holds {path}", file=sys.stderr)
            _wait(file)
        elif error.errno not in {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}:
            raise


def _is_still(file: IO[bytes], path: Path) -> bool:
    """Whether the file just locked is the one that newcomers will open: its last holder unlinks it on leaving."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
