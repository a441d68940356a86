"""A digest of what a picture shows, not of how it is stored."""

import hashlib
from collections.abc import Iterable

from torch import Tensor


def pixel_digest(pictures: Iterable[tuple[str, Tensor]]) -> str:
    """sha256 over the name, type, shape and values of decoded pictures, in their order, as hexadecimal.

    A PNG that was written again by another program has other bytes and the same digest; one changed pixel does not.
    """
    digest = hashlib.sha256()
    for name, pixels in pictures:
        array = pixels.numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()
