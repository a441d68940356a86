"""What three losses cost a pixel of a rare object, and how hard each pulls at it, over the probability it is given."""

from collections.abc import Callable

import torch
from matplotlib.ticker import FuncFormatter
from torch import Tensor

from segedu import losses
from segedu.classroom.colours import GREEN, NOW, REST
from segedu.classroom.figures import figure

PIXELS, FALSE_ALARM = 100, 0.01  # the first of them is the object; what the others are given
GRID = torch.linspace(0.002, 0.998, 250, dtype=torch.float64)

Loss = Callable[[Tensor, Tensor], Tensor]


def loss_curves(gamma: float = 2.0) -> None:
    """Draw cross entropy, focal loss and Dice, and minus their gradients, for one object pixel of a hundred.

    All three come from `segedu.losses`. The pull is minus the gradient by the pixel's own logit; Dice's is times a
    hundred, because a mean over pixels divides the other two by that.
    """
    compared: dict[str, tuple[Loss, float, str, str]] = {
        "cross entropy": (lambda x, t: losses.cross_entropy(x, t, reduction="none")[:, 0, 0], 1, REST, "-"),
        f"focal, γ = {gamma:g}": (
            lambda x, t: losses.focal_loss(x, t, gamma=gamma, reduction="none")[:, 0, 0],
            1,
            NOW,
            "--",
        ),
        "Dice": (_dice, PIXELS, GREEN, "-."),
    }
    with figure(_words(gamma), height=330) as canvas:
        costs, pulls = canvas.subplots(1, 2)
        for name, (loss, times, colour, dashes) in compared.items():
            logits, labels = _scenes()
            values = loss(logits, labels)
            (slope,) = torch.autograd.grad(values.sum(), logits)
            costs.plot(GRID, values.detach(), color=colour, linestyle=dashes, label=name)
            pulls.plot(GRID, -times * slope[:, 1, 0, 0], color=colour, linestyle=dashes)
        across = "p, the probability given to the object"
        costs.set(xlabel=across, title="what the pixel costs", ylim=(0, 5), xlim=(0, 1))
        pulls.set(xlabel=across, title="how hard it pulls", ylim=(0.01, 40), xlim=(0, 1), yscale="log")
        pulls.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        costs.legend()


def _scenes() -> tuple[Tensor, Tensor]:
    """A row of pixels for each probability: logits ``(250, 2, 1, 100)`` and labels ``(250, 1, 100)``."""
    given = torch.full((len(GRID), 1, PIXELS), FALSE_ALARM, dtype=torch.float64)
    given[:, 0, 0] = GRID
    labels = torch.zeros(len(GRID), 1, PIXELS, dtype=torch.int64)
    labels[..., 0] = 1
    return torch.stack([torch.zeros_like(given), given.logit()], 1).requires_grad_(), labels


def _dice(logits: Tensor, labels: Tensor) -> Tensor:
    """The object's Dice loss in each row."""
    only_object = torch.tensor([0.0, 1.0])
    rows = zip(torch.split(logits, 1), torch.split(labels, 1), strict=True)
    return torch.stack([losses.dice_loss(*row, weight=only_object) for row in rows])


def _words(gamma: float) -> str:
    return (
        "two plots over the probability p that is given to the one object pixel of a hundred. Left, what it costs: "
        f"cross entropy rises without end towards p = 0; focal loss with γ = {gamma:g} lies below it and is flat near "
        "p = 1; Dice falls from 1 to a third. Right, on a scale of powers of ten, how hard each pulls: cross entropy "
        "with 1 at p = 0 and less and less; focal loss a little harder below p = 0.3 and then fading sooner; Dice ten "
        "times harder and more in the middle, but hardly at all where p is near 0."
    )
