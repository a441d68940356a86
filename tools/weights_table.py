"""The page about the trained weights, written from their cards: ``python tools/weights_table.py``."""

import json
import shlex
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "weights"

INTRODUCTION = """# Trained weights

Small networks that were trained here, from random weights, on painted streets of 96 x 128 pixels.
`models.create("fcn8s", weights="streets")` loads one, and on the command line `streets:fcn8s` stands for it:

    python -m segedu predict streets:fcn8s photograph.jpg --output labels
    python -m segedu evaluate streets:fcn8s

Beside each file of weights lies its card, a file of JSON: what builds the network, the recipe, the loss of every step,
the scores class by class, and the sha256 that is checked before the weights are used. Scores are per cent, on the first
200 scenes of the split *val*, which no network was trained on. They compare these files, not the architectures:
one seed each, and a rate of learning that nobody tuned. Lesson 08 compares on equal terms.

"""

HEAD = """| network | parameters | MB | steps | batch | mean IoU | pixel accuracy | boundary F1 | IoU of *Pole* |
|--|--|--|--|--|--|--|--|--|
"""

RECIPES = """
## Made again

Each network came out of one command; on another machine its losses differ a little, in the last digits at first. Then
`python -m segedu export RUN --to assets/weights/streets-NAME.json` scored it and wrote both files, and
`python tools/weights_table.py` this page.

"""


def page(folder: Path) -> str:
    """The whole page about the cards in ``folder``, by mean IoU, the best first."""
    cards = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    cards.sort(key=lambda card: -card["scores"]["mean_iou"])
    commands = "".join(f"    python -m segedu {shlex.join(card['model']['arguments'])}\n" for card in cards)
    return INTRODUCTION + HEAD + "".join(map(row, cards)) + RECIPES + commands


def row(card: dict) -> str:
    """One network's line of the table."""
    recipe, scores = card["model"]["recipe"], card["scores"]
    cells = [
        f"`{card['model']['name']}`",
        f"{card['parameters']:,}",
        f"{card['bytes'] / 1e6:.2f}",
        str(recipe["steps"]),
        str(recipe["batch_size"]),
        *(f"{100 * scores[name]:.1f}" for name in ("mean_iou", "pixel_accuracy", "boundary_f1")),
        f"{100 * scores['classes']['Pole']['iou']:.1f}",
    ]
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Write the page beside the cards."""
    (FOLDER / "README.md").write_text(page(FOLDER), "utf-8")


if __name__ == "__main__":
    main()
