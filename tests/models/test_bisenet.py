"""BiSeNet against its published numbers, its parts against closed forms, and parts exchanged for others."""

import copy
import operator
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from segedu.layers.conv_norm_relu import ConvNormReLU
from segedu.models import BiSeNet, SharedBiSeNet, create
from segedu.models.bisenet import AttentionRefinement, ContextPath, FeatureFusion, GlobalContext, SpatialPath, bisenet
from segedu.models.resnet import RESNETS, BasicBlock, ResNet
from segedu.profile import parameters
from segedu.receptive_field import receptive_field


def trunk() -> ResNet:
    return ResNet(BasicBlock, (1, 1, 1, 1), (4, 6, 8, 10))


def tiny() -> BiSeNet:
    return bisenet(3, trunk(), width=6)


@pytest.mark.parametrize(
    ("backbone", "training", "inference", "gmacs"),
    [("resnet18", 13_494_777, 12_894_163, 103.7), ("xception39", 1_842_289, 1_541_963, 27.8)],
)
def test_published_numbers(backbone, training, inference, gmacs):
    """The authors' code at 19 classes; multiply-adds of the convolutions at 1024 x 2048."""
    with torch.device("meta"):
        model = create("bisenet", 19, backbone).eval()
        with FlopCounterMode(display=False) as counter:
            assert model.scores(torch.empty(1, 3, 1024, 2048))["out"].shape == (1, 19, 128, 256)
    assert parameters(model) == training
    assert training - sum(one.numel() for name, one in model.named_parameters() if "aux" in name) == inference
    convolutions = counter.get_flop_counts()["Global"][torch.ops.aten.convolution]
    assert convolutions / 2e9 == pytest.approx(gmacs, abs=0.05)


def test_fields():
    """Kernels of 7, 3 and 3 read 19 pixels, where the notes' three of 3 read 15."""
    output = receptive_field(SpatialPath(2, 4), (65, 65)).output
    assert (output.size, output.stride) == (19, 8)
    assert receptive_field(tiny(), (65, 65)).output.size == float("inf")


def test_outputs_in_training_and_evaluation():
    model = tiny()
    images = torch.randn(2, 3, 33, 50)
    outputs = model(images)
    assert {name: tuple(one.shape) for name, one in outputs.items()} == dict.fromkeys(
        ("out", "aux16", "aux8"), (2, 3, 33, 50)
    )
    assert [tuple(one.shape[-2:]) for one in model.scores(images).values()] == [
        (5, 7),
        (3, 4),
        (5, 7),
    ]
    assert list(model.eval()(images)) == ["out"]


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (30, 41), (24, 40)])
@pytest.mark.parametrize("backbone", ["resnet_mini", "xception39"])
def test_any_size(size, backbone):
    model = create("bisenet", 3, backbone, width=4)
    assert all(one.shape == (2, 3, *size) for one in model(torch.randn(2, 3, *size)).values())
    assert model.eval()(torch.randn(1, 3, *size))["out"].shape == (1, 3, *size)


class Nothing(nn.Module):
    """No context: a zero to add."""

    def __init__(self, *channels: int) -> None:
        super().__init__()

    def forward(self, x):
        return x.new_zeros(1)


@pytest.mark.parametrize("size", [(65, 97), (70, 90), (96, 64), (40, 33)])
def test_maps_go_up_to_where_their_cells_lie(size):
    """A coarse map that is a plane over the image is the same plane at 1/8, and flat beyond its last cell."""
    path = ContextPath(trunk(), 1, attention=lambda *channels: nn.Identity(), global_context=Nothing)
    path.refine16 = path.refine8 = nn.Identity()

    def plane(stride: int, last: int) -> torch.Tensor:
        rows, columns = (torch.arange(0, side, stride).clamp(max=(side - 1) // last * last) for side in size)
        return (rows[:, None] + 3.0 * columns)[None, None]

    maps = {"layer4": plane(32, 32), "layer3": torch.zeros_like(plane(16, 32))}
    up = path.way_up(maps, tuple(-(-side // 8) for side in size))
    torch.testing.assert_close(up["stride16"], plane(16, 32))
    torch.testing.assert_close(up["stride8"], plane(8, 32))


class AlignCorners(nn.Module):
    """The authors' interpolation."""

    def forward(self, x, size):
        return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def test_where_the_last_cells_meet_it_is_the_authors_network(lively):
    """At 32 n + 1 pixels ``align_corners=True`` puts cells where they are; elsewhere it does not."""
    model = lively(tiny())
    theirs = copy.deepcopy(model)
    theirs.context_path.upsample = theirs.upsample["out"] = AlignCorners()
    same, other = torch.randn(1, 3, 65, 97), torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(model(same)["out"], theirs(same)["out"], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(model(other)["out"], theirs(other)["out"], atol=1e-2)


def test_scoring_and_interpolation_commute():
    """So the notes' listing, which scores 64 times as many cells, comes to the same."""
    model, x = tiny(), torch.randn(1, 3, 6, 9)
    *_, score = model.head
    up = model.upsample["out"]
    torch.testing.assert_close(up(score(x), (41, 70)), score(up(x, (41, 70))), rtol=1e-5, atol=1e-6)


def test_refinement_weighs_channels():
    """With a gate that knows nothing each channel is halved, with one that is open it passes."""
    arm, x = AttentionRefinement(4, 3).eval(), torch.randn(2, 4, 5, 6)
    norm = arm.gate[2]
    norm.weight.data.zero_()
    torch.testing.assert_close(arm(x), arm.conv(x) / 2)
    norm.bias.data.fill_(50)
    torch.testing.assert_close(arm(x), arm.conv(x))


def test_fusion_adds_what_its_gate_lets_through():
    fusion = FeatureFusion(7, 4).eval()
    spatial, context = torch.randn(2, 3, 5, 6), torch.randn(2, 4, 5, 6)
    fused = fusion.mix(torch.cat([spatial, context], 1))
    first, second = (layer.weight.flatten(1) for layer in fusion.gate if isinstance(layer, nn.Conv2d))
    gate = ((fused.mean((2, 3)) @ first.T).relu() @ second.T).sigmoid()
    torch.testing.assert_close(fusion(spatial, context), fused * (1 + gate[..., None, None]))


def test_context_is_of_the_whole_map():
    context, x = GlobalContext(4, 3).eval(), torch.randn(2, 4, 5, 6)
    shuffled = x.flatten(2)[..., torch.randperm(30)].view_as(x)
    torch.testing.assert_close(context(shuffled), context(x))
    assert context(x).shape == (2, 3, 1, 1)


class Sum(nn.Module):
    """Fusion by sum."""

    channels = 6

    def forward(self, spatial, context):
        return spatial + context


class NoDetail(nn.Module):
    """No spatial path: a map of no channels."""

    def forward(self, images):
        return images.new_empty(len(images), 0, *(-(-side // 8) for side in images.shape[-2:]))


def context(**exchanged) -> ContextPath:
    return ContextPath(trunk(), 6, **exchanged)


ABLATIONS = {
    "fusion by sum": lambda: BiSeNet(3, SpatialPath(3, 6), context(), Sum()),
    "no detail": lambda: BiSeNet(3, NoDetail(), context(), FeatureFusion(6, 12)),
    "early stage": lambda: SharedBiSeNet(3, nn.Identity(), context(), FeatureFusion(12, 12)),
    "no gate": lambda: BiSeNet(3, SpatialPath(3, 6), context(attention=ConvNormReLU), FeatureFusion(12, 12)),
    "multiplied": lambda: BiSeNet(3, SpatialPath(3, 6), context(combine=operator.mul), FeatureFusion(12, 12)),
    "no context": lambda: BiSeNet(3, SpatialPath(3, 6), context(global_context=Nothing), FeatureFusion(12, 12)),
    "no second heads": lambda: BiSeNet(3, SpatialPath(3, 6), context(), FeatureFusion(12, 12), aux=()),
    "the authors'": tiny,
}


@pytest.mark.parametrize("build", ABLATIONS.values(), ids=ABLATIONS)
def test_parts_are_exchanged_and_all_of_them_learn(build):
    model = build()
    sum(one.square().mean() for one in model(torch.randn(2, 3, 70, 90)).values()).backward()
    assert not [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]


def test_the_early_stage_is_the_trunks(lively):
    """Shared or computed twice, the trunk's map at 1/8 is the same."""
    shared = lively(ABLATIONS["early stage"]())

    class Early(nn.Module):
        def forward(self, images):
            return shared.context_path.trunk.early(images)

    twice = BiSeNet(3, Early(), shared.context_path, shared.fusion).eval()
    twice.head = shared.head
    images = torch.randn(1, 3, 41, 58)
    torch.testing.assert_close(twice(images), shared(images))


def test_a_trunk_lets_go_of_its_early_map():
    """A network that does not ask for the map at 1/8 does not hold it while the last stage runs."""
    net, alive = trunk().eval(), []
    net.layer2.register_forward_hook(lambda module, given, made: alive.append(weakref.ref(made)))
    net.layer4.register_forward_pre_hook(lambda module, given: alive.append(alive[0]() is not None))
    with torch.no_grad():
        net(torch.randn(1, 3, 64, 64))
    assert alive[1:] == [False]


def test_batch_of_one(refuses_a_batch_of_one):
    refuses_a_batch_of_one(tiny())["aux16"].mean().backward()


def test_a_state_dict_comes_back(lively):
    model, twin, images = lively(tiny()), tiny().eval(), torch.randn(1, 3, 40, 52)
    twin.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(twin(images)["out"], model(images)["out"])


def test_new_layers_start_at_the_scale_of_a_relu():
    model = bisenet(19, trunk())
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d) and "trunk" not in name:
            fan = layer.weight[0].numel()
            assert layer.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.1), name


def test_imagenet_weights_go_to_the_trunk(monkeypatch):
    given = []
    monkeypatch.setattr("segedu.models.load_resnet", lambda *arguments: given.append(arguments))
    with torch.device("meta"):
        model = create("bisenet", 2, "resnet34", weights="imagenet")
    assert given == [(model.context_path.trunk, "resnet34", None)]
    with pytest.raises(ValueError, match="ImageNet weights for backbone 'xception39'; pass weights=None"):
        create("bisenet", 2, "xception39", weights="imagenet")


def test_refusals():
    with pytest.raises(ValueError, match="width is 7; give an even number"):
        bisenet(3, trunk(), width=7)
    with pytest.raises(ValueError, match=r"trunk has output stride 16.*of output stride 32"):
        ContextPath(RESNETS["resnet_mini"](output_stride=16))
    with pytest.raises(ValueError, match="no backbone 'vgg16' for bisenet; choose one of resnet18, xception39"):
        create("bisenet", 3, "vgg16")


def test_runs_on_fake_cuda():
    with FakeTensorMode(), torch.device("cuda"):
        model = create("bisenet", 12, "resnet_mini")
        assert {one.device.type for one in model(torch.zeros(2, 3, 45, 61)).values()} == {"cuda"}


def test_layouts_agree(lively):
    model, images = lively(tiny()), torch.randn(1, 3, 41, 30)
    with torch.no_grad():
        plain = model(images)["out"]
        last = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))["out"]
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)
