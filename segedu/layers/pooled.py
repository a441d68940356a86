"""What a network says of the whole map at once: its mean, seen by one 1x1 convolution and normalised over the batch."""

from torch import Tensor, nn


class PooledConv(nn.Sequential):
    """The mean over the map, 1x1 convolution, batch norm, ``activation``: ``(N, C, h, w) -> (N, K, 1, 1)``.

    Batch norm here sees one number an image and channel, so in training mode a batch of one has no variance:
    ``ValueError``, unless the batch norm is kept in evaluation mode.
    """

    def __init__(self, in_channels: int, channels: int, activation: nn.Module) -> None:
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(in_channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            activation,
        )

    def forward(self, x: Tensor) -> Tensor:
        self.check_batch(len(x))
        pooled: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return pooled

    def check_batch(self, images: int) -> None:
        """Raises ``ValueError`` where a batch of so many ``images`` cannot be normalised."""
        norm = self[2]
        if images == 1 and isinstance(norm, nn.BatchNorm2d) and norm.training:  # SyncBatchNorm sees other processes'
            raise ValueError(
                "images hold a batch of 1, but image pooling leaves one number an image and channel, whose variance "
                "batch norm cannot take in training; give batches of at least 2 (a loader's drop_last=True avoids a "
                "rest of 1), or put the batch norms in evaluation mode"
            )


def check_batch(network: nn.Module, images: int) -> None:
    """Ask every `PooledConv` in ``network`` at once: before the first layer runs, and so before any statistic moves.

    Raises ``ValueError`` where a batch of so many ``images`` cannot be normalised.
    """
    for module in network.modules():
        if isinstance(module, PooledConv):
            module.check_batch(images)
