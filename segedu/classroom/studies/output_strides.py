"""One set of weights on three grids, and what a CRF adds to each (lesson 05, claims D5, D6 and D7).

Small DeepLab v3 nets learn at one output stride and are tried at three, as in table 10 of the paper. What a net says at
the stride that it learnt at is also sharpened by a dense CRF.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from segedu import data, models
from segedu.classroom.studies import record
from segedu.classroom.trial import pictures, score_logits
from segedu.crf import Bilateral, Gaussian, dense_crf
from segedu.data.transforms import denormalise
from segedu.inference import inference
from segedu.metrics import TrimapIoU
from segedu.train import Recipe, fit
from segedu.train.progress import bar

SIZE = (96, 128)
STRIDES = (32, 16, 8)
SEEDS = (0, 1, 2)
STEPS = 320
RECIPE = Recipe(batch_size=8, lr=0.01, optimizer="adamw", channels_last=True)
WIDTHS = (1, 2, 4, 8, 16)
KERNELS = (Gaussian(position_std=1.5, weight=1), Bilateral(position_std=5, colour_std=10, weight=5))
"""Of 18 settings the best for mean IoU on three scenes of the training split (100 to 102, at 192 x 256), whose labels
were made coarse with stride 8: positions 5, 10, 20; colours 5, 10, 20; weights 1 and 5 or 3 and 10."""


def net_at(output_stride: int) -> models.DeepLabV3:
    """272 thousand parameters; two rates that fit the small map, and no multi-grid."""
    trunk = models.RESNETS["resnet_mini"](output_stride=output_stride, multi_grid=(1, 1, 1))
    return models.DeepLabV3(len(data.Streets.classes), trunk, rates=(2, 4), width=32)


def learnt(output_stride: int, seed: int, training: TensorDataset, steps: int) -> models.DeepLabV3:
    """A net trained at ``output_stride``; of one seed all start from the same numbers."""
    torch.manual_seed(seed)
    net = net_at(output_stride)
    fit(net, training, replace(RECIPE, steps=steps, seed=seed), progress=False)
    return net


def logits_of(net: models.DeepLabV3, images: Tensor, output_stride: int) -> Tensor:
    """``(N, K, H, W)``, from the weights of ``net`` on another grid."""
    with inference(twin := net.at_output_stride(output_stride)):
        out: Tensor = twin(images)["out"]
    return out


def judged(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """Mean IoU and boundary F1 in per cent, and the mean IoU within a distance of the true outlines."""
    bands = TrimapIoU(scores.shape[1], WIDTHS)
    bands.update(scores, labels)
    near = {f"mean IoU within {width}": 100 * one.mean_iou for width, one in bands.scores().items()}
    return {**score_logits(scores, labels)._asdict(), **near}


def tried(net: models.DeepLabV3, own: int, held_out: TensorDataset) -> dict[str, dict[str, float]]:
    """What is found at each of ``STRIDES``, and at the net's ``own`` with a CRF."""
    images, labels = held_out.tensors
    logits = {stride: logits_of(net, images, stride) for stride in STRIDES}
    sharpened = dense_crf(logits[own], denormalise(images, data.Streets.mean, data.Streets.std), KERNELS)
    found = {str(stride): judged(one, labels) for stride, one in logits.items()}
    return found | {"CRF": judged(sharpened, labels)}


SETTINGS = {
    "seeds": SEEDS,
    "size": SIZE,
    "strides": STRIDES,
    "steps": STEPS,
    "recipe": RECIPE.to_dict(),
    "kernels": [vars(kernel) for kernel in KERNELS],
}


def main() -> None:
    """Train at every stride with every seed and record it; some six minutes on one core."""
    training, held_out = pictures("streets", "train", 256, SIZE), pictures("streets", "val", 48, SIZE)
    figures: dict[str, list[dict[str, dict[str, float]]]] = {str(stride): [] for stride in STRIDES}
    with bar(len(STRIDES) * len(SEEDS), done=0, shown=True) as shown:
        for stride in STRIDES:
            for seed in SEEDS:
                figures[str(stride)].append(tried(learnt(stride, seed, training, STEPS), stride, held_out))
                shown.update()
    print(record.save("output_strides", SETTINGS, figures))


if __name__ == "__main__":
    main()
