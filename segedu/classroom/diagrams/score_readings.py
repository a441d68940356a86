"""What a network says of single pixels, class by class, and the four numbers that are read off it."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from torch import Tensor

from segedu import ood
from segedu.classroom.colours import GREEN, NOW, REST
from segedu.classroom.figures import figure

READ = {"max softmax": 2, "max logit": 1, "entropy": 2, "energy": 1}  # with so many digits


def score_readings(pixels: Mapping[str, Tensor], classes: Sequence[str]) -> None:
    """Draw the logits ``(K,)`` of each named pixel as bars, with their maximum and their log-sum-exp as lines.

    Below each stand its scores from `segedu.ood`, all of them higher for what is less known.
    """
    with figure(_words(pixels, classes), height=400) as canvas:
        panels = canvas.subplots(1, len(pixels), sharex=True, sharey=True, squeeze=False)[0]
        for axis, (title, logits) in zip(panels, pixels.items(), strict=True):
            _panel(axis, title, logits.detach().cpu().float())
        highest = max(float(logits.max()) for logits in pixels.values())
        panels[0].set_xlim(left=max(panels[0].get_xlim()[0], -highest))  # how far below 0 a class is matters little
        panels[0].set_yticks(range(len(classes)), list(classes))
        panels[0].invert_yaxis()
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)


def _panel(axis: Axes, title: str, logits: Tensor) -> None:
    top, total = float(logits.max()), float(logits.logsumexp(0))
    axis.barh(range(len(logits)), logits.tolist(), color=REST, height=0.7)
    axis.axvline(0, color="#1A1A1A", linewidth=0.8)
    axis.axvline(top, color=NOW, linewidth=1.6, label="largest logit")
    axis.axvline(total, color=GREEN, linewidth=1.6, linestyle="--", label="log of the sum of all exponentials")
    axis.set_title(title)
    scores = zip(READ.items(), ood.ood_scores(logits[None, :, None, None]), strict=True)
    axis.set_xlabel("\n".join(f"{name} {float(value):.{digits}f}" for (name, digits), value in scores))


def _words(pixels: Mapping[str, Tensor], classes: Sequence[str]) -> str:
    """Names only, the two that lead in the order of the classes: numbers and near ties differ between machines."""
    said = []
    for title, logits in pixels.items():
        first, second = (classes[k] for k in sorted(logits.topk(2).indices.tolist()))
        said.append(f"{title}: highest for {first} and {second}")
    return f"logits of {len(pixels)} pixels as bars, one for each class, and four scores below each. {'; '.join(said)}"
