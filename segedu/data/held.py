"""Pictures held in memory that come out of a joint transform anew whenever they are asked for."""

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from segedu.data.pictures import Transforms


class Held(Dataset[tuple[tv_tensors.Image, tv_tensors.Mask]]):
    """A few pictures for a random joint transform: ``data[i] -> transforms(Image (3, H, W), Mask (H, W))``.

    For the case that `torch.utils.data.TensorDataset` has no place for: what makes many pictures of few, such as
    `ElasticDeformation`, and has to draw again each time. ``images`` ``(N, 3, H, W)`` and ``labels`` ``(N, H, W)`` are
    kept on the CPU, where ``fit`` loads samples and seeds each of them. Raises ``ValueError`` where the two disagree in
    shape.
    """

    def __init__(self, images: Tensor, labels: Tensor, transforms: Transforms) -> None:
        if images.dim() != 4 or labels.shape != images.shape[:1] + images.shape[2:]:
            raise ValueError(
                f"images are {tuple(images.shape)} and labels {tuple(labels.shape)}, expected (N, 3, H, W) and "
                "(N, H, W)"
            )
        self.images = images.to("cpu")
        self.labels = labels.to("cpu")
        self.transforms = transforms

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
        with torch.device("cpu"):
            image, mask = tv_tensors.Image(self.images[index]), tv_tensors.Mask(self.labels[index])
        return self.transforms(image, mask)
