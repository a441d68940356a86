"""Draw the course's diagrams again, from its live models, into ``assets/diagrams``.

    python tools/diagrams.py

A test draws them, too, and compares.
"""

import argparse
import sys
from pathlib import Path

from segedu.classroom.diagrams import gallery

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "diagrams"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in gallery.drawn():
        (FOLDER / f"{name}.svg").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
