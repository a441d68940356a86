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
from segedu.inference import device_of, inference, outputs_of
from segedu.tiles import tiles_of
from segedu.train.progress import bar

__all__ = ["overlay", "predict", "predict_tiled", "read_image", "write_labels", "write_picture"]

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
BAND = 256  # rows of a picture that are blended at a time


def predict(
    model: nn.Module,
    images: Tensor | Image.Image,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | str | None = None,
) -> Tensor:
    """The most likely class of every pixel: ``(C, H, W) -> (H, W)`` or ``(N, C, H, W) -> (N, H, W)``, int64.

    ``images`` is a picture of PIL's or a tensor, uint8 in 0..255 or floating point in 0..1, not yet normalised:
    ``mean`` and ``std`` are those the model was trained with, one for each of its C channels. The whole picture goes
    through at once, at its own size; a model without padding, such as the paper's U-Net, gets it mirrored at its
    borders, so that each pixel has a label. ``device`` moves the model, None leaves it where it lies; the labels come
    back on that device. Raises ``ValueError`` for any other shape, ``TypeError`` for another type.
    """
    if device is not None:
        model.to(device)
    pixels = functional.pil_to_tensor(images.convert("RGB")) if isinstance(images, Image.Image) else images
    batch = _batch(pixels, mean).to(device_of(model))
    size = (batch.shape[-2], batch.shape[-1])
    (whole,) = tiles_of(model, size, size)
    with inference(model):
        scores = outputs_of(model, whole.read(functional.normalize(batch, list(mean), list(std))))["out"]
    labels = whole.keep(scores).max(dim=1).indices
    return labels[0] if pixels.dim() == 3 else labels


def predict_tiled(
    model: nn.Module,
    image: Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    tile: int | tuple[int, int] = 512,
    margin: int | None = None,
    device: torch.device | str | None = None,
    out: Tensor | None = None,
    progress: bool = False,
) -> Tensor:
    """What ``predict`` says of an image of any size, in the memory of one tile: ``(C, H, W) -> (H, W)``.

    ``image`` stays where it lies, uint8 for a large one, and is normalised tile by tile. Each pass labels about
    ``tile`` pixels, one side or ``(h, w)``, and reads as far around them as the model sees (``tiles.tiles_of``), so
    scores equal the whole image's but for rounding; ``margin`` sets another overlap, which is needed for a model that
    sees everything. Labels go into ``out``, of any integer type, or into a new uint8 tensor beside the image.
    ``progress`` shows a bar. Raises as ``predict`` and ``tiles_of`` do, and ``ValueError`` for an ``out`` of another
    size or type, or one that does not hold as many classes.
    """
    _check(image, mean)
    if image.dim() != 3:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected one image, ({len(mean)}, H, W)")
    if device is not None:
        model.to(device)
    size = (image.shape[-2], image.shape[-1])
    tiles = tiles_of(model, size, (tile, tile) if isinstance(tile, int) else tile, margin=margin, in_channels=len(mean))
    labels = torch.empty(size, dtype=torch.uint8, device=image.device) if out is None else out
    if labels.shape != size or labels.dtype not in INTEGERS:
        raise ValueError(f"out is {labels.dtype} of shape {tuple(labels.shape)}, expected integers of shape {size}")
    place = device_of(model)
    with inference(model), bar(len(tiles), unit="tile", shown=progress) as shown:
        for part in tiles:
            batch = _batch(part.read(image), mean).to(place)
            scores = part.keep(outputs_of(model, functional.normalize(batch, list(mean), list(std)))["out"])
            if scores.shape[1] - 1 > torch.iinfo(labels.dtype).max:
                raise ValueError(
                    f"out is {labels.dtype}, which does not hold {scores.shape[1]} classes; give a larger integer type"
                )
            part.place(labels).copy_(scores[0].max(dim=0).indices)
            shown.update()
    return labels


def _check(images: Tensor, mean: Sequence[float]) -> None:
    if not isinstance(images, Tensor):
        raise TypeError(f"images is a {type(images).__name__}, expected a tensor or a PIL image")
    channels = len(mean)
    if images.dim() not in (3, 4) or images.shape[-3] != channels:
        raise ValueError(
            f"images has shape {tuple(images.shape)}, expected ({channels}, H, W) or (N, {channels}, H, W)"
        )
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(f"images has dtype {images.dtype}, expected uint8 in 0..255 or floating point in 0..1")


def _batch(images: Tensor, mean: Sequence[float]) -> Tensor:
    """``(N, C, H, W)`` float32 in 0..1 of one picture or several, with a channel for each of ``mean``."""
    _check(images, mean)
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
    laid_over = torch.empty_like(image)
    for rows in (slice(top, top + BAND) for top in range(0, image.shape[-2], BAND)):  # floats of a band, not of all
        part, band = image[..., rows, :], labels[..., rows, :]
        known = ((band >= 0) & (band < len(palette))).unsqueeze(-3)
        blend = torch.lerp(part.float(), colourise(band, palette).float(), opacity)
        laid_over[..., rows, :] = torch.where(known, blend.round().to(torch.uint8), part)
    return laid_over


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
