"""Region losses of a foreground against those of two classes, and what becomes of images without one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.losses import foreground
from segedu.losses.binary_regions import (
    BinaryDiceLoss,
    BinaryJaccardLoss,
    BinaryTverskyLoss,
    binary_dice_loss,
    binary_jaccard_loss,
    binary_tversky_loss,
)
from segedu.losses.regions import dice_loss, jaccard_loss, tversky_loss

VOID = 255
PAIRS = [(binary_dice_loss, dice_loss), (binary_jaccard_loss, jaccard_loss), (binary_tversky_loss, tversky_loss)]


def scene(seed=0, foreground=0.3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, 1, 5, 7, generator=generator, dtype=dtype)
    target = (torch.rand(2, 5, 7, generator=generator) < foreground).long()
    return logits, target.masked_fill(torch.rand(2, 5, 7, generator=generator) < 0.2, VOID)


def value_and_gradient(loss, logits):
    logits = logits.detach().requires_grad_()
    value = loss(logits)
    return value.detach(), torch.autograd.grad(value, logits)[0]


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 999),
    pair=st.sampled_from(PAIRS),
    over=st.sampled_from(["batch", "image"]),
    smooth=st.sampled_from([0.0, 1.0]),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    flat=st.booleans(),
    some_void=st.booleans(),
    run=st.sampled_from([4, 2**17]),
)
def test_equal_to_the_second_of_two_classes(seed, pair, over, smooth, dtype, flat, some_void, run):
    binary, multiclass = pair
    logits, target = scene(seed)
    logits, target = logits.to(dtype), target if some_void else target.masked_fill(target == VOID, 0)
    options = {"over": over, "smooth": smooth}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreground, "RUN", run)
        value, gradient = value_and_gradient(
            lambda x: binary(x[:, 0], target, **options) if flat else binary(x, target[:, None], **options), logits
        )

    def of_two(x):
        two = torch.cat((torch.zeros_like(x), x), 1)
        return multiclass(two, target, weight=torch.tensor([0.0, 1.0]), **options)

    exact, slopes = value_and_gradient(of_two, logits.double())
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=1e-6)
    tolerance = 4 * torch.finfo(dtype).eps if dtype.itemsize == 2 else 1e-6
    torch.testing.assert_close(gradient.double(), slopes, rtol=tolerance, atol=tolerance * float(slopes.abs().max()))


@pytest.mark.parametrize(("binary", "_"), PAIRS)
def test_an_image_without_foreground(binary, _):
    logits, target = scene()
    target[0] = 0
    alone = binary(logits[1:], target[1:])
    torch.testing.assert_close(binary(logits, target, over="image"), alone)
    assert float(binary(logits[:1], target[:1])) == 0
    assert float(binary(logits[:1], target[:1], classes="all")) == 1
    value, gradient = value_and_gradient(lambda x: binary(x, target[:1], classes="all", smooth=1.0), logits[:1])
    assert 0 < float(value) < 1
    assert (gradient[target[:1, None] == 0] > 0).all()  # false foreground is punished


@pytest.mark.parametrize(("binary", "_"), PAIRS)
@pytest.mark.parametrize("options", [{}, {"classes": "all", "smooth": 1.0}, {"classes": "all", "over": "image"}])
def test_nothing_valid_is_zero_with_zero_gradient(binary, _, options):
    target = torch.full((2, 5, 7), VOID)
    value, gradient = value_and_gradient(lambda x: binary(x, target, **options), scene()[0])
    assert float(value) == 0
    assert not gradient.any()


def test_void_pixels_may_hold_anything():
    logits, target = scene()
    spoilt = logits.masked_fill(target[:, None] == VOID, torch.nan)
    for binary, _ in PAIRS:
        for mine, theirs in zip(
            value_and_gradient(lambda x, binary=binary: binary(x, target), logits),
            value_and_gradient(lambda x, binary=binary: binary(x, target), spoilt),
            strict=True,
        ):
            assert torch.equal(mine, theirs)


def test_masses_beyond_the_range_of_half_precision():
    target = torch.ones(1, 300, 300, dtype=torch.int64)
    value, gradient = value_and_gradient(lambda x: binary_dice_loss(x, target), torch.zeros(1, 1, 300, 300).half())
    assert float(value) == pytest.approx(1 - 90000 / 135000, rel=1e-6)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(("binary", "_"), PAIRS)
def test_first_and_second_derivatives(binary, _):
    logits, target = scene()
    logits = logits[..., :2, :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: binary(x, target[:, :2, :3]), logits)
    assert torch.autograd.gradgradcheck(lambda x: binary(x, target[:, :2, :3]), logits)


def test_compiled_and_on_a_device_that_is_not_implied():
    logits, target = scene(dtype=torch.float32)
    compiled = torch.compile(binary_dice_loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(logits, target), binary_dice_loss(logits, target))
    with FakeTensorMode():
        logits = torch.empty(2, 1, 4, 4, device="cuda")
        assert binary_dice_loss(logits, torch.zeros(2, 4, 4, device="cuda").long()).device.type == "cuda"


def test_the_modules_keep_their_settings():
    logits, target = scene()
    settings = {"ignore_index": 1, "over": "image", "classes": "all", "smooth": 2.0}
    target = target.masked_fill(target == VOID, 0)
    modules = (BinaryDiceLoss, BinaryJaccardLoss, BinaryTverskyLoss)
    for module, (binary, _) in zip(modules, PAIRS, strict=True):
        assert torch.equal(module(**settings)(logits, target), binary(logits, target, **settings))
        assert torch.equal(module()(logits, target), binary(logits, target))
    assert torch.equal(BinaryTverskyLoss(1, 2)(logits, target), binary_tversky_loss(logits, target, alpha=1, beta=2))


@pytest.mark.parametrize("label", [2, -1])
def test_a_label_out_of_range_is_named(label):
    with pytest.raises(ValueError, match=f"class {label}"):
        binary_dice_loss(torch.zeros(1, 1, 1, 2), torch.tensor([[[0, label]]]))
