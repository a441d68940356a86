"""The BiSeNet of the notes is wrong in exactly the ways that it names."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from segedu.classroom.exhibits.bisenet_of_the_notes import FAULTS, BiSeNetOfTheNotes, Block, enlarged
from segedu.profile import parameters
from segedu.receptive_field import receptive_field


@pytest.fixture(scope="module")
def listing() -> BiSeNetOfTheNotes:
    return BiSeNetOfTheNotes(5).eval()


def on_paper(num_classes: int = 19) -> BiSeNetOfTheNotes:
    with torch.device("meta"):
        return BiSeNetOfTheNotes(num_classes).eval()


@pytest.mark.parametrize(("classes", "count"), [(19, 12_581_672), (21, 12_601_894), (12, 12_511_084)])
def test_parameters_are_the_listings(classes, count):
    assert parameters(on_paper(classes)) == count


def test_places_of_faults_exist():
    model = on_paper()
    assert all(model.get_submodule(fault.where) is not None for fault in FAULTS)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_what_never_learns(listing):
    """Faults "idle norm" and "idle classifier"; beside them everything does."""
    outputs = listing.train()(torch.randn(2, 3, 64, 64))
    assert {name: tuple(one.shape) for name, one in outputs.items()} == dict.fromkeys(
        ("out", "aux16", "aux32"), (2, 5, 64, 64)
    )
    sum(one.square().mean() for one in outputs.values()).backward()
    idle = {name for name, one in listing.named_parameters() if one.grad is None}
    listing.eval().zero_grad()
    parts = ("context_path.whole.fc", "refine16.norm", "refine32.norm")
    assert idle == {f"{part}.{kind}" for part in parts for kind in ("weight", "bias")}
    assert parameters(listing.context_path.whole.fc) == 513_000


def test_twice_registered():
    """A saved file holds the same weights under two names."""
    entries = on_paper().state_dict(keep_vars=True)
    assert (len(entries), len({id(value) for value in entries.values()})) == (290, 170)


def test_scores_after_the_upsampling(listing):
    """Fault "late scores": scored before it the same comes out, for 1/64 of the work."""
    images, held = torch.randn(1, 3, 64, 96), []
    handle = listing.fusion.register_forward_hook(lambda module, given, fused: held.append(fused))
    with torch.no_grad():
        out = listing(images)["out"]
        torch.testing.assert_close(enlarged(listing.score(held[0]), 8), out, rtol=1e-5, atol=1e-5)
    handle.remove()
    cost = [work(on_paper(5).score, torch.empty(1, 5, *size, device="meta")) for size in ((64, 96), (8, 12))]
    assert cost[0] == 64 * cost[1]


@pytest.mark.parametrize(("head", "stride", "times"), [("aux16", 16, 4), ("aux32", 32, 16)])
def test_auxiliary_heads_read_enlarged_maps(head, stride, times):
    """Fault "late auxiliaries": each scores a map at 1/8 where its own, at 1/16 or 1/32, has no fewer numbers."""
    model, read = on_paper(5).train(), []
    score = model.get_submodule(head)
    score.register_forward_pre_hook(lambda module, given: read.append(given[0]))
    model(torch.empty(2, 3, 64, 96, device="meta"))
    own = torch.empty(2, read[0].shape[1], 64 // stride, 96 // stride, device="meta")
    assert read[0].shape[-2:] == (8, 12)
    assert work(score, read[0]) == times * work(score, own)


def test_arithmetic():
    """Multiply-adds of the convolutions at 1024 x 2048; the authors' network has 103.7 G, and has them elsewhere."""
    assert work(on_paper(), torch.empty(1, 3, 1024, 2048, device="meta")) / 1e9 == pytest.approx(102.5, abs=0.05)


def test_stride_by_default():
    assert Block(3, 4)(torch.zeros(2, 3, 8, 8)).shape == (2, 4, 4, 4)
    output = receptive_field(on_paper().spatial_path, (64, 64)).output
    assert (output.size, output.stride) == (15, 8)


def test_context_is_multiplied(listing):
    """What the last stage says twice as loud reaches fusion four times as loud; the stage before is beside it."""
    images, joined, factors = torch.randn(1, 3, 64, 64), [], iter((1, 2))
    hooks = [
        listing.fusion.register_forward_pre_hook(lambda module, given: joined.append(given[1])),
        listing.context_path.layer4.register_forward_hook(lambda module, given, made: made * next(factors)),
        listing.refine32.register_forward_hook(lambda module, given, made: given[0]),  # no gate
    ]
    with torch.no_grad():
        listing(images), listing(images)
    for hook in hooks:
        hook.remove()
    one, two = joined
    assert one.shape == (1, 256 + 512, 8, 8)
    torch.testing.assert_close(two, one * torch.tensor([1.0] * 256 + [4.0] * 512)[:, None, None])


def test_sizes_of_32(listing):
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        listing(torch.randn(1, 3, 48, 64))


def work(model: nn.Module, x: torch.Tensor) -> float:
    """Multiply-adds of the convolutions."""
    with FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_flop_counts()["Global"][torch.ops.aten.convolution] / 2
