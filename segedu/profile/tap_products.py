"""A wide-rate convolution as matrix products, for libraries that are slow at wide rates."""

from typing import cast

from torch import Tensor, nn

from segedu.profile.exchange import exchange

RATE, CHANNELS = 6, 1024


class TapProducts(nn.Module):
    """What a dilated 3x3 convolution computes, by one product for all nine taps: ``(N, C, H, W) -> (N, K, H, W)``.

    A tap of a dilated kernel is a 1x1 convolution of the map moved by the rate. Here the map meets the weights of all
    taps at once, ``(H W, C) @ (C, 9 K)``, and the nine parts are added up where they fall, in float32. It takes
    ``9 K`` numbers a pixel of passing memory.

    oneDNN 3.13 computes a bfloat16 convolution on AMX slower than a float32 one when padding is wide: 1.1 s of
    processor time for ``2048 -> 256`` at rate 12 on 64x128, where these products take 0.2 s. Weights are those of
    ``conv``, laid out anew.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.rate = conv.dilation[0]
        self.weight = nn.Parameter(
            conv.weight.detach().permute(1, 2, 3, 0).flatten(1).contiguous(), requires_grad=False
        )
        self.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        images, channels, height, width = x.shape
        taps = x.permute(0, 2, 3, 1).reshape(-1, channels) @ self.weight
        taps = taps.view(images, height, width, 3, 3, -1)
        total = taps[:, :, :, 1, 1].float()
        if self.bias is not None:
            total += self.bias
        for row, (to_y, from_y) in enumerate(self._overlaps(height)):
            for column, (to_x, from_x) in enumerate(self._overlaps(width)):
                if (row, column) != (1, 1):
                    total[:, to_y, to_x] += taps[:, from_y, from_x, row, column]
        return total.to(x.dtype).permute(0, 3, 1, 2)

    def _overlaps(self, cells: int) -> tuple[tuple[slice, slice], ...]:
        """For the tap before, on and after a cell: which cells it is added to, and from which it comes."""
        rate = min(self.rate, cells)
        early, late = slice(0, cells - rate), slice(rate, cells)
        return (late, early), (slice(None), slice(None)), (early, late)


def wide(module: nn.Module) -> bool:
    """Whether ``module`` is a convolution for which `TapProducts` pays: rate 6 or wider over 1024 channels or more.

    Measured at 32x64 and 64x128: with 512 channels products are up to twice slower, with 2048 up to nine times faster.
    """
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (3, 3)
        and module.stride == (1, 1)
        and module.dilation[0] == module.dilation[1] >= RATE
        and module.padding == module.dilation
        and module.padding_mode == "zeros"
        and module.groups == 1
        and module.in_channels >= CHANNELS
    )


def multiply_taps(model: nn.Module) -> int:
    """Replace, in place, every convolution that is `wide`; how many there were."""
    replaced: dict[nn.Module, nn.Module] = {
        conv: TapProducts(cast(nn.Conv2d, conv)) for conv in model.modules() if wide(conv)
    }
    exchange(model, replaced)
    return len(replaced)
