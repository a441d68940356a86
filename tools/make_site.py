"""Make the site: all lessons as pages that work from a folder, without a network and without a kernel.

    python tools/make_site.py                       run the lessons that have changed, write site/
    python tools/make_site.py --stored              run nothing: pages of what the notebooks hold, explorers as stills
    python tools/make_site.py --out DIR NOTEBOOK... other lessons, to another folder

A cell that fails, a link that leads nowhere or a picture without words stops the build; the last good site stays.
What has run is kept in build/site, and runs again only when the lesson or the package has changed.
"""

import argparse
import sys
from pathlib import Path

import nbformat
from website.build import ROOT, SiteError, build
from website.execution import LessonError, executed
from website.lessons import lesson

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, default=NOTEBOOKS, metavar="NOTEBOOK")
    parser.add_argument("--stored", action="store_true", help="run nothing, show the notebooks as they are stored")
    parser.add_argument("--out", type=Path, default=ROOT / "site", metavar="DIR", help="the folder to write")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "site", metavar="DIR", help="what has run")
    options = parser.parse_args(arguments)
    if missing := [str(path) for path in options.notebooks if not path.is_file()]:
        parser.error(f"no such notebook: {', '.join(missing)}")
    try:
        lessons = [
            lesson(path, nbformat.read(path, 4) if options.stored else executed(path, options.cache))
            for path in options.notebooks
        ]
        build(lessons, options.out)
    except (LessonError, SiteError, ValueError) as error:
        print(f"{error}\nThe site is as it was.", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file()) / 1e6
    print(f"{options.out / 'index.html'}: {len(lessons)} lessons, {size:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
