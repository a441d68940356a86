"""torchvision's own segmentation data sets under the house contract."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import datasets, tv_tensors
from torchvision.transforms.v2 import functional

from segedu.data.palette import Palette
from segedu.data.pictures import Transforms
from segedu.data.transforms import VOID

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class Convention:
    """How a data set writes its labels: its palette, and the stored value of each class; all other values are void."""

    palette: Palette
    stored: tuple[int, ...]

    def lookup(self) -> Tensor:
        """``(256,)`` int64: the label of each stored value."""
        table = torch.full((256,), VOID, device="cpu")
        table[list(self.stored)] = torch.arange(len(self.stored), device="cpu")
        return table


class Adapted(Dataset[tuple[tv_tensors.Image, tv_tensors.Mask]]):
    """A torchvision data set as ``data[i] -> (Image (3, H, W) uint8, Mask (H, W) int64)``, before ``transforms``.

    ``dataset`` is used through ``wrap_dataset_for_transforms_v2`` and otherwise unchanged: ``VOCSegmentation`` (border
    and void 255), ``Cityscapes(target_type="semantic")`` (the 19 classes of the benchmark, the rest void) or
    ``OxfordIIITPet(target_types="segmentation")`` (background 0, pet 1, the unsure border void). ``mean`` and ``std``
    are ImageNet's, as torchvision's backbones expect. ``transforms`` takes and returns the pair, for example
    ``transforms.evaluation(size, mean, std)``.

    Raises ``TypeError`` for another data set, or one that was built to yield other targets than label maps.
    """

    ignore_index = VOID
    mean = IMAGENET_MEAN
    std = IMAGENET_STD

    def __init__(self, dataset: datasets.VisionDataset, transforms: Transforms | None = None) -> None:
        convention = _convention(dataset)
        self.dataset = datasets.wrap_dataset_for_transforms_v2(dataset)
        self.transforms = transforms
        self.classes = convention.palette.classes
        self.palette = convention.palette.colours
        self._lookup = convention.lookup()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
        picture, stored = self.dataset[index]
        if not isinstance(stored, tv_tensors.Mask):
            raise TypeError(
                f"dataset yields a target of type {type(stored).__name__}, expected one label map: "
                'build Cityscapes with target_type="semantic", OxfordIIITPet with target_types="segmentation"'
            )
        image = functional.to_image(picture)
        mask = tv_tensors.wrap(self._lookup[stored.as_subclass(Tensor).squeeze(0).long()], like=stored)
        return (image, mask) if self.transforms is None else self.transforms(image, mask)


def _convention(dataset: datasets.VisionDataset) -> Convention:
    if isinstance(dataset, datasets.VOCSegmentation):
        return VOC
    if isinstance(dataset, datasets.Cityscapes):
        return CITYSCAPES
    if isinstance(dataset, datasets.OxfordIIITPet):
        return PETS
    raise TypeError(
        f"dataset is a {type(dataset).__name__}, expected torchvision's VOCSegmentation, Cityscapes or OxfordIIITPet: "
        "others need no adaptor where they yield (Image, Mask) pairs themselves"
    )


def _voc_colours(count: int) -> Tensor:
    """The colour map of PASCAL VOC: bits 0, 3, 6 of the label lead the red byte, 1, 4, 7 the green, 2, 5 the blue."""
    colours = [[0, 0, 0] for _ in range(count)]
    for label, colour in enumerate(colours):
        for bit in range(8):
            colour[bit % 3] |= (label >> bit & 1) << (7 - bit // 3)
    return torch.tensor(colours, dtype=torch.uint8, device="cpu")


def _cityscapes() -> Convention:
    scored = sorted(
        (entry for entry in datasets.Cityscapes.classes if not entry.ignore_in_eval), key=lambda e: e.train_id
    )
    colours = torch.tensor([entry.color for entry in scored], dtype=torch.uint8, device="cpu")
    return Convention(Palette(tuple(entry.name for entry in scored), colours), tuple(entry.id for entry in scored))


_VOC_NAMES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
)

VOC = Convention(Palette(tuple(_VOC_NAMES.split()), _voc_colours(21)), tuple(range(21)))
CITYSCAPES = _cityscapes()
PETS = Convention(Palette(("background", "pet"), _voc_colours(2)), (2, 1))
