"""What the branches of a pyramid bring where objects come in three scales (lesson 05, claims D6 and D7).

Small nets learn painted streets at three scales, each a window of the same size. All have one trunk at stride 8; the
head is put together from the package's branches. A head of three rates is also compared with one of as many weights
whose taps do not stand apart, so that what rates bring is told from what weights bring.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from segedu import data
from segedu.classroom.studies import record
from segedu.classroom.trial import pictures, score_logits
from segedu.inference import inference
from segedu.layers.aspp import ASPP, AtrousBranch, ImagePooling, PointBranch
from segedu.layers.grid import Grid
from segedu.layers.upsample import BilinearUpsample
from segedu.models.resnet import BasicBlock
from segedu.train import Recipe, Record, fit
from segedu.train.progress import bar

SIZE = (64, 96)  # a map of 8 x 12 cells
SCALES = (1, 2, 3)
RATES, ONE_MORE = (2, 3, 4), 6  # the shares of 8 cells that 6, 12, 18 and 24 are of 33, as near as whole rates come
SEEDS = (0, 1, 2)
STEPS, EVERY = 480, 80
RECIPE = Recipe(batch_size=8, lr=0.003, optimizer="adamw", channels_last=True)
CLASSES, WIDTH = len(data.Streets.classes), 32


class Segmenter(nn.Module):
    """A trunk at stride 8 with three residual units of the given ``rates`` at its end, a pyramid, and scores."""

    def __init__(self, branches: Sequence[nn.Module], rates: Sequence[int] = (1, 1, 1)) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            BasicBlock(16, 16, stride=2),
            BasicBlock(16, WIDTH, stride=2),
            *(unit_at(rate) for rate in rates),
        )
        self.pyramid = ASPP(branches, WIDTH)
        self.score = nn.Conv2d(WIDTH, CLASSES, 1)
        self.upsample = BilinearUpsample(Grid(8), Grid())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[-2:]
        scores = self.score(self.pyramid(self.trunk(images)))
        return {"out": self.upsample(scores, (height, width))}


def unit_at(rate: int) -> BasicBlock:
    """A residual unit whose two 3x3 layers have one rate."""
    unit = BasicBlock(WIDTH, WIDTH, stride=1)
    unit.conv1.rate = unit.conv2.rate = rate
    return unit


def point() -> nn.Module:
    return PointBranch(WIDTH, WIDTH)


def atrous(*rates: int) -> list[nn.Module]:
    return [AtrousBranch(WIDTH, WIDTH, rate) for rate in rates]


def pooling() -> nn.Module:
    return ImagePooling(WIDTH, WIDTH)


ARMS: dict[str, Callable[[], nn.Module]] = {
    "1x1": lambda: Segmenter([point()]),
    "3x3, rate 1": lambda: Segmenter([point(), *atrous(1, 1, 1)]),
    "ASPP": lambda: Segmenter([point(), *atrous(*RATES)]),
    "with a larger rate": lambda: Segmenter([point(), *atrous(*RATES, ONE_MORE)]),
    "with image pooling": lambda: Segmenter([point(), *atrous(*RATES), pooling()]),
    "with multi-grid, too": lambda: Segmenter([point(), *atrous(*RATES), pooling()], rates=(1, 2, 4)),
}


def scenes(split: str, count: int) -> TensorDataset:
    """``count`` streets at each scale, one scale after the other: the middle ``SIZE`` of pictures that are larger."""
    images, labels = zip(*_by_scale(split, count), strict=True)
    return TensorDataset(torch.cat(images), torch.cat(labels))


def learnt(
    arm: str, seed: int, training: TensorDataset, steps: int, look: Callable[[nn.Module], object] | None = None
) -> nn.Module:
    """The net of ``arm``, trained; ``look`` is shown it after every ``EVERY`` steps."""
    torch.manual_seed(seed)
    net = ARMS[arm]()

    def on_step(step: int, _: Record) -> None:
        if look is not None and step % EVERY == 0:
            look(net)

    fit(net, training, replace(RECIPE, steps=steps, seed=seed), on_step=on_step, progress=False)
    return net


def judged(net: nn.Module, held_out: TensorDataset) -> dict[str, float]:
    """Mean IoU and boundary F1 in per cent, and the mean IoU at each scale."""
    images, labels = held_out.tensors
    with inference(net):
        logits = net(images)["out"]
    parts = zip(SCALES, logits.chunk(len(SCALES)), labels.chunk(len(SCALES)), strict=True)
    at_scales = {f"mean IoU at scale {scale}": score_logits(*part).mean_iou for scale, *part in parts}
    return {**score_logits(logits, labels)._asdict(), **at_scales}


def course(arm: str, seed: int, training: TensorDataset, held_out: TensorDataset) -> list[dict[str, float]]:
    """What a net is judged to be after every ``EVERY`` of ``STEPS`` steps."""
    found: list[dict[str, float]] = []
    learnt(arm, seed, training, STEPS, lambda net: found.append(judged(net, held_out)))
    return found


def _by_scale(split: str, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    height, width = SIZE
    for scale in SCALES:
        images, labels = pictures("streets", split, count, (scale * height, scale * width)).tensors
        top, left = (scale - 1) * height // 2, (scale - 1) * width // 2
        window = (..., slice(top, top + height), slice(left, left + width))
        yield images[window], labels[window]


SETTINGS = {
    "seeds": SEEDS,
    "size": SIZE,
    "scales": SCALES,
    "rates": (*RATES, ONE_MORE),
    "steps": STEPS,
    "every": EVERY,
    "recipe": RECIPE.to_dict(),
}


def main() -> None:
    """Train every arm with every seed and record it; some twelve minutes on one core."""
    training, held_out = scenes("train", 128), scenes("val", 32)
    figures: dict[str, list[list[dict[str, float]]]] = {arm: [] for arm in ARMS}
    with bar(len(ARMS) * len(SEEDS), done=0, shown=True) as shown:
        for arm in ARMS:
            for seed in SEEDS:
                figures[arm].append(course(arm, seed, training, held_out))
                shown.update()
    print(record.save("object_scales", SETTINGS, figures))


if __name__ == "__main__":
    main()
