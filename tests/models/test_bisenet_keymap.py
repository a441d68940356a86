"""CoinCheung's BiSeNet: his network written out by his own names, and ours with the same numbers."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.models import create
from segedu.models.bisenet_coincheung import CoinCheungBiSeNet, bisenet_coincheung
from segedu.models.keymaps import load_coincheung_bisenet
from segedu.models.resnet import BasicBlock, ResNet
from segedu.profile import parameters

BLOCKS, WIDTHS, WIDTH, CLASSES = (2, 1, 2, 1), (3, 4, 5, 6), 8, 3


class CoinCheung:
    """A state dict in his names that grows as the network is walked through, and what that network says."""

    def __init__(self):
        self.state: dict[str, Tensor] = {}

    def conv(self, x: Tensor, name: str, channels: int, kernel: int = 1, stride: int = 1, *, bias: bool = False):
        fan = x.shape[1] * kernel**2
        self.state[f"{name}.weight"] = weight = torch.randn(channels, x.shape[1], kernel, kernel) * (2 / fan) ** 0.5
        if bias:
            self.state[f"{name}.bias"] = torch.randn(channels)
        return F.conv2d(x, weight, self.state.get(f"{name}.bias"), stride, kernel // 2)

    def norm(self, x: Tensor, name: str) -> Tensor:
        channels = x.shape[1]
        values = torch.randn(channels) / 4, *torch.rand(2, channels) + 0.5, torch.randn(channels) / 4
        names = ("running_mean", "running_var", "weight", "bias")
        self.state |= {f"{name}.{one}": value for one, value in zip(names, values, strict=True)}
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)
        return F.batch_norm(x, *values, eps=1e-5)

    def block(self, x: Tensor, name: str, channels: int, kernel: int = 3, stride: int = 1) -> Tensor:
        return self.norm(self.conv(x, f"{name}.conv", channels, kernel, stride), f"{name}.bn").relu()

    def resnet(self, x: Tensor) -> list[Tensor]:
        x = self.norm(self.conv(x, "cp.resnet.conv1", WIDTHS[0], 7, 2), "cp.resnet.bn1").relu()
        x = F.max_pool2d(x, 3, 2, 1)
        maps = []
        for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True), 1):
            for unit in range(blocks):
                name, stride = f"cp.resnet.layer{stage}.{unit}", 2 if stage > 1 and unit == 0 else 1
                branch = self.norm(self.conv(x, f"{name}.conv1", width, 3, stride), f"{name}.bn1").relu()
                branch = self.norm(self.conv(branch, f"{name}.conv2", width, 3), f"{name}.bn2")
                if x.shape != branch.shape:
                    x = self.norm(self.conv(x, f"{name}.downsample.0", width, 1, stride), f"{name}.downsample.1")
                x = (x + branch).relu()
            maps.append(x)
        return maps[2:]

    def attention(self, x: Tensor, name: str) -> Tensor:
        x = self.block(x, f"{name}.conv", WIDTH)
        gate = self.conv(x.mean((2, 3), keepdim=True), f"{name}.conv_atten", WIDTH)
        return x * self.norm(gate, f"{name}.bn_atten").sigmoid()

    def score(self, x: Tensor, name: str, width: int, factor: int) -> Tensor:
        x = self.conv(self.block(x, f"{name}.conv", width), f"{name}.conv_out", CLASSES, bias=True)
        return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        map16, map32 = self.resnet(images)
        up32 = self.attention(map32, "cp.arm32")
        up32 = up32 + self.block(map32.mean((2, 3), keepdim=True), "cp.conv_avg", WIDTH, 1)
        up32 = self.block(F.interpolate(up32, scale_factor=2), "cp.conv_head32", WIDTH)
        up16 = self.attention(map16, "cp.arm16") + up32
        up16 = self.block(F.interpolate(up16, scale_factor=2), "cp.conv_head16", WIDTH)
        spatial = images
        for at, kernel in enumerate((7, 3, 3), 1):
            spatial = self.block(spatial, f"sp.conv{at}", WIDTH // 2, kernel, 2)
        spatial = self.block(spatial, "sp.conv_out", WIDTH, 1)
        fused = self.block(torch.cat([spatial, up16], 1), "ffm.convblk", 2 * WIDTH, 1)
        gate = self.norm(self.conv(fused.mean((2, 3), keepdim=True), "ffm.conv", 2 * WIDTH), "ffm.bn").sigmoid()
        return {
            "out": self.score(fused + fused * gate, "conv_out", 2 * WIDTH, 8),
            "aux8": self.score(up16, "conv_out16", WIDTH // 2, 8),
            "aux16": self.score(up32, "conv_out32", WIDTH // 2, 16),
        }


def tiny(**options) -> CoinCheungBiSeNet:
    return bisenet_coincheung(CLASSES, ResNet(BasicBlock, BLOCKS, WIDTHS), WIDTH, **options).eval()


def test_outputs_are_his():
    theirs, images = CoinCheung(), torch.randn(2, 3, 64, 96)
    expected = theirs(images)
    model = tiny()
    load_coincheung_bisenet(model, theirs.state)
    assert all(value.abs().max() > 0.1 for value in expected.values())
    torch.testing.assert_close(model(images), {"out": expected["out"]}, rtol=1e-5, atol=1e-5)
    model.training = True  # the network alone: its batch norms stay in evaluation mode
    torch.testing.assert_close(
        dict(sorted(model(images).items())), dict(sorted(expected.items())), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("classes", "aux", "count"),
    [(19, (16, 8), 13_425_721), (21, (16, 8), 13_426_495), (19, (), 13_275_539), (21, (), 13_276_053)],
)
def test_parameter_counts(classes, aux, count):
    with torch.device("meta"):
        assert parameters(create("bisenet_coincheung", classes, aux=aux)) == count


def test_released_files_have_so_many_entries():
    with torch.device("meta"):
        assert len(create("bisenet_coincheung", 19).state_dict()) == 222


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("cp.conv_avg.bn.bias"), "hold no 'cp.conv_avg.bn.bias'; they are not those of Coin"),
        (
            lambda state: state.update(extra=torch.ones(1)),
            r"hold 'extra', for which CoinCheung's BiSeNet.*at \(16, 8\)",
        ),
        (lambda state: state.update({"ffm.bn.bias": torch.ones(4)}), r"'fusion.gate.2.bias' has shape \(16,\)"),
    ],
)
def test_wrong_weights_are_named(change, words):
    theirs = CoinCheung()
    theirs(torch.randn(1, 3, 32, 32))
    change(theirs.state)
    with pytest.raises(ValueError, match=words):
        load_coincheung_bisenet(tiny(), theirs.state)


def test_weights_without_second_heads():
    theirs = CoinCheung()
    theirs(torch.randn(1, 3, 32, 32))
    weights = {name: value for name, value in theirs.state.items() if not name.startswith(("conv_out16", "conv_out32"))}
    load_coincheung_bisenet(tiny(aux=()), weights)
    with pytest.raises(ValueError, match="hold no 'conv_out16"):
        load_coincheung_bisenet(tiny(), weights)
