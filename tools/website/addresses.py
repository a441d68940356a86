"""Addresses on a lesson, of other lessons, of files and of pictures within it, as they are on the site."""

import base64
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from html import escape, unescape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

ADDRESS = re.compile(r'(?<=\s)(href|src)="([^"]*)"')
WITHIN = re.compile(r"data:image/(png|jpeg|svg\+xml);base64,(.*)", re.DOTALL)
SUFFIX = {"png": ".png", "jpeg": ".jpg", "svg+xml": ".svg"}


class Addresses:
    """Rewrites the HTML of lessons in ``folder`` for a ``site``, and puts there what it leads to.

    ``pages`` has the site's page of each lesson. Files are only taken from ``root``, the checkout.
    """

    def __init__(self, folder: Path, root: Path, site: Path, pages: Mapping[Path, str]) -> None:
        self._folder, self._root, self._site = folder.resolve(), root.resolve(), site
        self._pages = {path.resolve(): page for path, page in pages.items()}

    def __call__(self, html: str) -> str:
        """Raises ``ValueError`` for an address that leads to no file of the checkout."""
        return ADDRESS.sub(lambda match: f'{match[1]}="{escape(self._moved(unescape(match[2])))}"', html)

    def _moved(self, address: str) -> str:
        if within := WITHIN.match(address):
            return self._unpacked(SUFFIX[within[1]], base64.b64decode(within[2]))
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not parts.path:
            return address
        target = Path(os.path.normpath(self._folder / unquote(parts.path)))
        if target in self._pages:
            return self._pages[target] + (f"#{parts.fragment}" if parts.fragment else "")
        if not target.is_file() or not target.is_relative_to(self._root):
            raise ValueError(f"a lesson leads to {address}, which is no file of the course")
        return self._copied(target)

    def _unpacked(self, suffix: str, content: bytes) -> str:
        """A picture as a file of its own, which a page need not read before it is looked at."""
        name = f"pictures/{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
        (self._site / name).parent.mkdir(exist_ok=True)
        (self._site / name).write_bytes(content)
        return name

    def _copied(self, target: Path) -> str:
        name = Path("files") / target.relative_to(self._root)
        (self._site / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(target, self._site / name)
        return quote(name.as_posix())
