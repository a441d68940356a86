"""What networks of the course say before the reader has trained anything."""

import torch

from segedu import data, models
from segedu.classroom import figures
from segedu.classroom.trial import pictures
from segedu.inference import inference

SIZE = (96, 128)  # what those networks learnt on


def first_look(*names: str, scenes: tuple[int, ...] = (2, 5)) -> None:
    """Draw painted streets, their truth, and what ``create(name, weights="streets")`` says of them for each name.

    ``scenes`` are numbers of the split *val*, of which no network of the course has seen any. Raises what ``create``
    raises for a name without weights.
    """
    images, labels = pictures("streets", "val", max(scenes) + 1, SIZE)[[*scenes]]
    said = {}
    with torch.random.fork_rng(devices=[]):  # a look changes nothing that the lesson draws after it
        nets = {name: models.create(name, weights="streets").to(images.device) for name in names}
    for name, net in nets.items():
        with inference(net):
            said[f"what {name} says"] = net(images)["out"].argmax(1)
    figures.show_scenes(
        data.load("streets", split="val", size=SIZE),
        {"picture": images, "truth": labels, **said},
        alt=f"painted street scenes, their label maps, and {' and '.join(said)} of them",
    )
