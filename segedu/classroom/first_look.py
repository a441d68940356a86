"""What a network of the course says before the reader has trained anything."""

from segedu import data, models
from segedu.classroom import figures
from segedu.classroom.trial import pictures
from segedu.inference import inference

SIZE = (96, 128)  # what those networks learnt on


def first_look(name: str, scenes: tuple[int, ...] = (2, 5)) -> None:
    """Draw painted streets, their truth, and what ``create(name, weights="streets")`` says of them.

    ``scenes`` are numbers of the split *val*, of which no network of the course has seen any. Raises what ``create``
    raises for a name without weights.
    """
    net = models.create(name, weights="streets")
    images, labels = pictures("streets", "val", max(scenes) + 1, SIZE)[[*scenes]]
    net.to(images.device)
    with inference(net):
        said = net(images)["out"].argmax(1)
    figures.show_scenes(
        data.load("streets", split="val", size=SIZE),
        {"picture": images, "truth": labels, f"what {name} says": said},
        alt=f"painted street scenes, their label maps, and what the {name} that comes with the course says of them",
    )
