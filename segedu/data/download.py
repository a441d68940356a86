"""Fetch one file over HTTPS, whole or not at all: resumed, checked, and renamed into place."""

import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segedu.data.lock import exclusive
from segedu.data.room import DownloadError, make_folder, require_room, writing

_CHUNK = 1 << 18
_MAY_PASS = {408, 425, 429, 500, 502, 503, 504}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class _InterruptedError(Exception):
    """A fault that may pass: the next attempt may do better."""


class _RangeRefusedError(Exception):
    """The server has nothing from the asked byte on; ``total`` is the size it tells, if it does."""

    def __init__(self, total: int | None) -> None:
        self.total = total


def fetch(
    url: str,
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    sha256: str | None = None,
    timeout: float = 30.0,
    attempts: int = 5,
    pause: float = 1.0,
    progress: bool = True,
) -> Path:
    """Bring ``url`` to ``path`` and return ``path``; a file that is there and passes the checks is left as it is.

    Bytes go to ``<name>.part``, renamed once they are all there, so ``path`` never holds half a file. A cut connection
    is tried again up to ``attempts`` times without progress, ``pause`` seconds after the first and twice as long after
    each further one; a later call, also after a kill, goes on from the last byte by HTTP ``Range``. It does so only
    where the joint is safe: the server named the version (``ETag`` or ``Last-Modified``, sent back as ``If-Range``), or
    ``sha256`` will check the whole. Otherwise, and where the server ignores ranges, it starts over. Two processes that
    want one path take turns. ``size`` is in bytes, ``timeout`` in seconds without a byte, ``sha256`` in hexadecimal.

    Raises ``ValueError`` for a url that is not https (http is accepted on the loopback only), ``DownloadError`` for all
    that goes wrong on the way; a file that fails a check is removed, the last good ``path`` stays.
    """
    if not _is_secure(url):
        raise ValueError(f"url is {url!r}, expected one that starts with https://")
    path = Path(path)
    make_folder(path.parent)
    with writing(path.parent, None, path.name), exclusive(path.with_name(f"{path.name}.lock")):
        if path.exists() and _fault(path, size, sha256) is None:
            return path
        part = _Part(path, checked=sha256 is not None)
        _receive(url, part, size, timeout, attempts, pause, progress)
        if fault := _fault(part.path, size, sha256):
            part.discard()
            raise DownloadError(f"{url} brought a file that {fault}: it was removed, try again or name another source")
        part.rename_to(path)
    return path


def _is_secure(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _fault(path: Path, size: int | None, sha256: str | None) -> str | None:
    """What is wrong with a file that should have this size and digest; None where nothing is."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"has {found} bytes, expected {size}"
    if sha256 is not None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256.lower():
            return f"has sha256 {digest}, expected {sha256}"
    return None


class _Part:
    """The bytes received so far, and beside them the version of the remote file that they belong to."""

    def __init__(self, path: Path, checked: bool) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.version")
        self.checked = checked

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> str | None:
        return (self.note.read_text("latin-1") or None) if self.note.exists() else None

    def begin(self, version: str | None) -> None:
        # The old bytes go first and the note comes last: a kill in between leaves a part that is started over.
        self.discard()
        self.path.touch()
        if version:
            self.note.write_text(version, "latin-1")

    def discard(self) -> None:
        self.note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def rename_to(self, path: Path) -> None:
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut may leave the new name on an empty file
        self.path.replace(path)
        self.note.unlink(missing_ok=True)


def _receive(
    url: str, part: _Part, size: int | None, timeout: float, attempts: int, pause: float, progress: bool
) -> None:
    """Try until the part is whole; give up after ``attempts`` in a row that got no further."""
    from tqdm.auto import tqdm  # in a notebook this pulls in widgets, which importing the package must not

    furthest = failures = 0
    with tqdm(unit="B", unit_scale=True, desc=part.path.stem, disable=not progress) as bar:
        while True:
            try:
                return _attempt(url, part, size, timeout, bar)
            except _InterruptedError as error:
                reason = str(error)
            if part.size > furthest:
                furthest, failures = part.size, 0
            failures += 1
            if failures >= attempts:
                raise DownloadError(
                    f"{url} could not be fetched, {reason}: after {failures} attempts in a row without progress "
                    f"{part.size} bytes are kept for the next run, check the connection and run this again"
                )
            time.sleep(pause * 2 ** (failures - 1))


def _attempt(url: str, part: _Part, size: int | None, timeout: float, bar: Any) -> None:
    """One request: from the last byte kept where the joint is safe and the server agrees, else from the first."""
    offset, version = part.size, part.version
    if version is None and not part.checked:
        offset = 0  # nothing would tell whether old and new bytes belong together
    try:
        response = _open(url, offset, version, timeout)
    except _RangeRefusedError as error:
        if error.total == offset:
            return  # killed between the last byte and the rename: the part is whole
        part.discard()
        raise _InterruptedError(f"the server has no bytes from {offset} on") from None
    with response:
        offset, total = _join(response, part, offset)
        if size is not None and total is not None and total != size:
            part.discard()
            raise DownloadError(f"{url} has {total} bytes, expected {size}: the source has changed, name another one")
        needed = size if total is None else total
        if needed is not None:
            require_room(part.path.parent, needed - offset, part.path.stem)
        bar.reset(total)
        bar.update(offset)
        with writing(part.path.parent, needed, part.path.stem), part.path.open("ab", buffering=0) as file:
            for chunk in _chunks(response):
                bar.update(len(chunk))
                while chunk:
                    chunk = chunk[file.write(chunk) :]
    if total is not None and part.size != total:
        raise _InterruptedError(f"the connection was cut at byte {part.size} of {total}")


def _open(url: str, offset: int, version: str | None, timeout: float) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "segedu", "Accept-Encoding": "identity"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if version:
            request.add_header("If-Range", version)
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and offset:
            raise _RangeRefusedError(_range_total(error.headers.get("Content-Range"))) from None
        answer = f"the server answered {error.code} {error.reason}"
        if error.code in _MAY_PASS:
            raise _InterruptedError(answer) from None
        raise DownloadError(f"{url} cannot be fetched, {answer}: check the address") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DownloadError(
                f"{url} cannot be trusted, its certificate does not verify ({reason.verify_message}): "
                "check the clock and the certificates of this machine"
            ) from error
        raise _InterruptedError(str(reason) or type(reason).__name__) from error
    if not _is_secure(response.url):
        response.close()
        raise DownloadError(f"{url} leads to {response.url}, which is not https: name another source")
    if response.status not in {200, 206}:
        response.close()
        raise DownloadError(f"{url} cannot be fetched, the server answered {response.status}: check the address")
    return response


def _join(response: http.client.HTTPResponse, part: _Part, offset: int) -> tuple[int, int | None]:
    """Make the part ready for the body of ``response``: where the body starts, and the size of the whole, if told."""
    if response.status == 200:
        part.begin(_version(response))
        return 0, response.length
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if start is None or int(start[1]) != offset or _version(response) not in {part.version, None}:
        part.discard()
        raise _InterruptedError(f"the server did not send the rest from byte {offset}")
    total = _range_total(response.headers["Content-Range"])
    return offset, offset + response.length if total is None and response.length is not None else total


def _version(response: http.client.HTTPResponse) -> str | None:
    """What ``If-Range`` can name: a strong ETag, else a date; a weak ETag does not promise equal bytes."""
    etag: str | None = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _range_total(content_range: str | None) -> int | None:
    total = re.search(r"/(\d+)$", content_range or "")
    return int(total[1]) if total else None


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read1(_CHUNK):  # read1 hands on what has come; read would hold it back from the disk
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _InterruptedError(f"the connection broke ({error or type(error).__name__})") from error
