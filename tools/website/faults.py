"""What must hold of a built site, whatever it was built from: complete in itself, readable by ear, and small."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGEST = 25_000_000  # bytes of a whole site
SHORTEST = 12  # characters of a text that stands in for a picture
PICTURES = {"img", "svg", "canvas"}
LOADED = {"src", "srcset", "poster", "data", "data-frames"}  # attributes that name what a browser loads


def faults(site: Path) -> Iterator[str]:
    """One sentence for each fault of the pages in a folder."""
    site = site.resolve()
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for tag, words in page.pictures:
            if len(words.strip()) < SHORTEST:
                yield f"{name}: a <{tag}> has the text {words!r}, which says too little of what it shows"
        for loads, address in page.addresses:
            if fault := _broken(path, address, loads, site, pages):
                yield f"{name}: {fault}"
        yield from (f"{name}: the id {twice!r} is there more than once" for twice in page.twice)
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    if size > LARGEST:
        yield f"the site has {size} bytes, more than {LARGEST}"


def _broken(path: Path, address: str, loads: bool, site: Path, pages: dict[Path, "Page"]) -> str | None:
    """What is wrong with an address on a page, if anything is."""
    parts = urlsplit(address)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        return f"it loads {address}, which needs a network" if loads else None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_relative_to(site):
        return f"{address} leads out of the site"
    if not target.is_file():
        return f"{address} leads to no file"
    if parts.fragment and (target not in pages or unquote(parts.fragment) not in pages[target].ids):
        return f"{address} leads to no heading"
    return None


class Page(HTMLParser):
    """A page's pictures with their texts, its ids, and every address on it with whether a browser loads that."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.pictures: list[tuple[str, str]] = []
        self.addresses: list[tuple[bool, str]] = []
        self.ids: set[str] = set()
        self.twice: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in PICTURES and given.get("aria-hidden") != "true":
            self.pictures.append((tag, given.get("alt") or given.get("aria-label") or ""))
        if "id" in given:
            if given["id"] in self.ids:
                self.twice.append(given["id"])
            self.ids.add(given["id"])
        for name, value in given.items():
            if name in LOADED or name == "href":
                self.addresses.append((name in LOADED or tag == "link", value))
