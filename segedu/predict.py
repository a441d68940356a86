"""From a picture of any size to its label map, and to pictures that show it."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn
from torchvision.transforms.v2 import functional

from segedu.data import Palette, colourise
from segedu.inference import device_of, inference
from segedu.train.evaluation import outputs_of

__all__ = ["overlay", "predict", "read_image", "write_labels", "write_picture"]


def predict(
    model: nn.Module,
    images: Tensor | Image.Image,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | str | None = None,
) -> Tensor:
    """The most likely class of every pixel: ``(3, H, W) -> (H, W)`` or ``(N, 3, H, W) -> (N, H, W)``, int64.

    ``images`` is a picture of PIL's or a tensor, uint8 in 0..255 or floating point in 0..1, not yet normalised:
    ``mean`` and ``std`` are those the model was trained with. The whole picture goes through at once, at its own size.
    ``device`` moves the model, None leaves it where it lies; the labels come back on that device. Raises ``ValueError``
    for any other shape, ``TypeError`` for another type.
    """
    if device is not None:
        model.to(device)
    pixels = functional.pil_to_tensor(images.convert("RGB")) if isinstance(images, Image.Image) else images
    batch = _batch(pixels).to(device_of(model))
    with inference(model):
        scores = outputs_of(model, functional.normalize(batch, list(mean), list(std)))["out"]
    labels = scores.max(dim=1).indices
    return labels[0] if pixels.dim() == 3 else labels


def _batch(images: Tensor) -> Tensor:
    """``(N, 3, H, W)`` float32 in 0..1 of one picture or several."""
    if not isinstance(images, Tensor):
        raise TypeError(f"images is a {type(images).__name__}, expected a tensor or a PIL image")
    if images.dim() not in (3, 4) or images.shape[-3] != 3:
        raise ValueError(f"images has shape {tuple(images.shape)}, expected (3, H, W) or (N, 3, H, W)")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(f"images has dtype {images.dtype}, expected uint8 in 0..255 or floating point in 0..1")
    images = images.as_subclass(Tensor)
    whole: Tensor = functional.to_dtype(images if images.dim() == 4 else images[None], torch.float32, scale=True)
    return whole


def overlay(image: Tensor, labels: Tensor, palette: Palette, opacity: float = 0.5) -> Tensor:
    """The picture with its labels' colours laid over: uint8 ``(3, H, W)`` and labels ``(H, W) -> (3, H, W)`` uint8.

    A label without a colour, such as void, leaves the picture as it is. Raises ``ValueError`` for a picture that is not
    uint8 or of another size than the labels, ``TypeError`` for labels that are not integers.
    """
    if image.dtype != torch.uint8 or image.shape[-2:] != labels.shape[-2:]:
        raise ValueError(
            f"image is {image.dtype} of shape {tuple(image.shape)}, expected torch.uint8 of the labels' size "
            f"{tuple(labels.shape[-2:])}"
        )
    known = ((labels >= 0) & (labels < len(palette))).unsqueeze(-3)
    blend = torch.lerp(image.float(), colourise(labels, palette).float(), opacity)
    return torch.where(known, blend.round().to(torch.uint8), image)


def read_image(path: str | os.PathLike[str]) -> Tensor:
    """A picture file as RGB, turned the way up that its camera noted: ``(3, H, W)`` uint8.

    Raises ``FileNotFoundError``, and ``ValueError`` for a file that is no picture or a broken one.
    """
    try:
        with Image.open(path) as picture:
            rgb = ImageOps.exif_transpose(picture).convert("RGB")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no image {os.fspath(path)}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{os.fspath(path)} cannot be read as a picture ({error}); give a PNG or JPEG file") from error
    pixels: Tensor = functional.pil_to_tensor(rgb)
    return pixels


def write_labels(path: str | os.PathLike[str], labels: Tensor, palette: Palette) -> None:
    """Write labels ``(H, W)`` as a PNG whose pixel values are the labels, shown in the palette's colours.

    Void and all other labels without a class show black. The file appears whole or not at all. Raises ``ValueError``
    for another number of dimensions, ``OSError`` where it cannot be written.
    """
    if labels.dim() != 2:
        raise ValueError(f"labels has shape {tuple(labels.shape)}, expected (H, W): write one label map a file")
    picture = Image.fromarray(labels.to("cpu", torch.uint8).numpy())
    # All 256 colours, the rest black: with fewer PIL packs fewer bits a pixel, and void, 255, would become a class.
    picture.putpalette(palette.colours.flatten().tolist() + [0] * 3 * (256 - len(palette)))
    _write_png(path, picture)


def write_picture(path: str | os.PathLike[str], image: Tensor) -> None:
    """Write a uint8 picture ``(3, H, W)`` as a PNG. The file appears whole or not at all; else raises ``OSError``."""
    _write_png(path, functional.to_pil_image(image.cpu()))


def _write_png(path: str | os.PathLike[str], picture: Image.Image) -> None:
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        picture.save(unfinished, format="PNG")
        unfinished.replace(target)
    except OSError as error:
        raise OSError(f"{target} could not be written ({error})") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
