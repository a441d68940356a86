"""Dice, Jaccard and Tversky against the same formulas on one-hot labels in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.losses import chunks
from segedu.losses.regions import DiceLoss, JaccardLoss, TverskyLoss, dice_loss, jaccard_loss, tversky_loss

VOID = 255
LOSSES = {"dice": dice_loss, "jaccard": jaccard_loss, "tversky": tversky_loss}
CONSTANTS = {"dice": (0.5, 0.5), "jaccard": (1.0, 1.0), "tversky": (0.3, 0.7)}


@st.composite
def scenes(draw):
    """Logits of any layout, and labels with any share of void that lack any number of classes."""
    images, classes = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = 3 * torch.randn(images, classes, height, width, generator=generator, dtype=torch.float64)
    target = torch.randint(0, draw(st.integers(1, classes)), (images, height, width), generator=generator)
    void = torch.rand(target.shape, generator=generator) < draw(st.sampled_from([0, 0.3, 1]))
    layout = draw(st.sampled_from(["contiguous", "channels_last", "transposed", "strided"]))
    if layout == "channels_last":
        logits = logits.contiguous(memory_format=torch.channels_last)
    elif layout == "transposed":
        logits = logits.transpose(2, 3).contiguous().transpose(2, 3)
    elif layout == "strided":
        logits = logits.repeat_interleave(2, dim=3)[..., ::2]
    return logits, target.masked_fill(void, VOID)


def reference(logits, target, alpha, beta, *, over="batch", classes="present", smooth=0.0, weight=None):
    """Image by image and class by class, over the valid pixels that a mask picks out."""
    softmax = logits.softmax(1).movedim(1, -1)
    groups = [(softmax, target)] if over == "batch" else list(zip(softmax.split(1), target.split(1), strict=True))
    weight = torch.ones(logits.shape[1]) if weight is None else weight
    means = []
    for p, t in groups:
        p, t = p[t != VOID], t[t != VOID]
        terms, share = [], []
        for c in range(logits.shape[1]):
            here = t == c
            if not len(t) or (classes == "present" and not here.any()):
                continue
            shared = p[here, c].sum()
            whole = shared + alpha * p[~here, c].sum() + beta * (1 - p[here, c]).sum()
            terms.append(weight[c] * (1 - (shared + smooth) / (whole + smooth)))
            share.append(float(weight[c]))
        if sum(share):
            means.append(sum(terms) / sum(share))
    return sum(means) / len(means) if means else 0 * logits.sum()


def value_and_gradient(loss, logits):
    logits = logits.detach().requires_grad_()
    value = loss(logits)
    return value.detach(), torch.autograd.grad(value, logits)[0]


def blobs(images, classes, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, (images, size // 8, size // 8), generator=generator)
    target = target.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return torch.randn(images, classes, size, size, generator=generator), target


@settings(deadline=None, max_examples=40)
@given(
    scene=scenes(),
    name=st.sampled_from(list(LOSSES)),
    over=st.sampled_from(["batch", "image"]),
    classes=st.sampled_from(["present", "all"]),
    smooth=st.sampled_from([0.0, 1.0]),
    weighted=st.booleans(),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    chunk=st.sampled_from([1, 20, 2**18]),
)
def test_value_and_gradient_equal_the_definition(scene, name, over, classes, smooth, weighted, dtype, chunk):
    logits, target = scene
    logits = logits.to(dtype)
    weight = torch.rand(logits.shape[1], dtype=torch.float64) + 0.1 if weighted else None
    options = {"over": over, "classes": classes, "weight": weight}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "VALUES", chunk)
        value, gradient = value_and_gradient(lambda x: LOSSES[name](x, target, smooth=smooth, **options), logits)
    half = smooth / 2 if name == "dice" else smooth
    exact, slopes = value_and_gradient(
        lambda x: reference(x, target, *CONSTANTS[name], smooth=half, **options), logits.double()
    )
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert gradient.dtype == dtype
    torch.testing.assert_close(value.double(), exact.double(), rtol=1e-6, atol=1e-6)
    tolerance = 4 * torch.finfo(dtype).eps if dtype.itemsize == 2 else 1e-6
    scale = float(slopes.abs().max())
    torch.testing.assert_close(gradient.double(), slopes, rtol=tolerance, atol=max(tolerance * scale, 1e-7))


def test_a_million_pixels_are_summed_to_one_part_in_a_million():
    """m1: smp's float32 difference of sums is off by 2e-3 there."""
    logits, target = blobs(1, 3, 1024)
    value, gradient = value_and_gradient(lambda x: jaccard_loss(x, target), logits)
    exact, slopes = value_and_gradient(lambda x: reference(x, target, 1, 1), logits.double())
    assert abs(float(value - exact)) < 1e-6 * float(exact)
    assert float((gradient - slopes).norm() / slopes.norm()) < 1e-6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_masses_beyond_the_range_of_half_precision(dtype):
    """m2: more than 65504 pixels of a class are infinitely many in float16."""
    logits, target = torch.zeros(1, 2, 300, 300, dtype=dtype), torch.zeros(1, 300, 300, dtype=torch.int64)
    value, gradient = value_and_gradient(lambda x: dice_loss(x, target), logits)
    assert float(value) == pytest.approx(1 - 2 * 45000 / (45000 + 90000), rel=1e-6)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("options", [{}, {"classes": "all"}, {"over": "image"}, {"over": "image", "classes": "all"}])
def test_nothing_valid_is_zero_with_zero_gradient(name, options):
    """m6, and mmsegmentation's 0.5 for it."""
    target = torch.full((2, 4, 4), VOID)
    value, gradient = value_and_gradient(lambda x: LOSSES[name](x, target, **options), torch.randn(2, 3, 4, 4))
    assert float(value) == 0
    assert not gradient.any()


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range_is_named(label):
    """m8."""
    with pytest.raises(ValueError, match=f"class {label}"):
        dice_loss(torch.zeros(1, 3, 1, 2), torch.tensor([[[0, label]]]))


@given(scene=scenes(), over=st.sampled_from(["batch", "image"]))
@settings(deadline=None, max_examples=15)
def test_dice_and_jaccard_are_cases_of_tversky(scene, over):
    logits, target = scene
    for smooth in (0.0, 1.0):
        options = {"over": over, "smooth": smooth}
        same = tversky_loss(logits, target, alpha=1, beta=1, **options)
        torch.testing.assert_close(jaccard_loss(logits, target, **options), same)
        dice = tversky_loss(logits, target, alpha=0.5, beta=0.5, over=over, smooth=smooth / 2)
        torch.testing.assert_close(dice_loss(logits, target, **options), dice)


def test_jaccard_follows_from_dice_class_by_class():
    logits, target = blobs(1, 2, 16)
    for c in range(2):
        weight = torch.eye(2)[c]
        dice = 1 - dice_loss(logits, target, weight=weight)
        torch.testing.assert_close(1 - jaccard_loss(logits, target, weight=weight), dice / (2 - dice))


def test_a_certain_and_right_prediction_costs_nothing_with_smoothing_or_without():
    """MONAI#807: smoothing in the numerator alone moves the least value."""
    target = blobs(2, 3, 16)[1]
    logits = 100 * torch.nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    for loss in LOSSES.values():
        for smooth in (0.0, 1.0, 100.0):
            assert float(loss(logits, target, smooth=smooth)) == pytest.approx(0, abs=1e-7)


def test_an_absent_class_has_no_say_and_no_gradient():
    """smp#546, MONAI#371: neither a free 0 in the mean nor an infinite weight."""
    logits = torch.randn(1, 3, 4, 4)
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    weight = torch.tensor([1.0, 9.0, 9.0])
    assert torch.equal(dice_loss(logits, target, weight=weight), dice_loss(logits, target))
    only_absent = torch.tensor([0.0, 1.0, 1.0])
    value, gradient = value_and_gradient(lambda x: dice_loss(x, target, weight=only_absent), logits)
    assert float(value) == 0
    assert not gradient.any()
    assert float(dice_loss(logits, target, weight=only_absent, classes="all")) == 1


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("spoil", [torch.nan, torch.inf, 1e30, -1e30])
def test_void_pixels_are_in_no_sum(name, spoil):
    """mmsegmentation#1088 (the denominator), smp#366 (no effect at all)."""
    logits, target = blobs(2, 3, 8)
    target[:, :2] = VOID
    spoilt = logits.clone()
    spoilt[:, :, :2] = spoil
    value, gradient = value_and_gradient(lambda x: LOSSES[name](x, target), logits)
    other, other_gradient = value_and_gradient(lambda x: LOSSES[name](x, target), spoilt)
    torch.testing.assert_close(value, other)
    torch.testing.assert_close(gradient, other_gradient)
    torch.testing.assert_close(value, LOSSES[name](logits[:, :, 2:], target[:, 2:]))


def test_a_logit_that_is_no_number_shows():
    logits, target = blobs(1, 3, 8)
    logits[0, 1, 0, 0] = torch.nan
    assert dice_loss(logits, target).isnan()


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_pixels_does_not_matter(name):
    logits, target = (tensor.flatten(2) if tensor.ndim == 4 else tensor.flatten(1) for tensor in blobs(2, 4, 32))
    order = torch.randperm(logits.shape[2], generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        LOSSES[name](logits, target), LOSSES[name](logits[..., order], target[:, order]), rtol=1e-6, atol=0
    )


def test_soft_labels_that_are_hard_give_the_loss_of_labels():
    logits, target = blobs(2, 3, 16)
    target[:, 0] = VOID
    shares = torch.nn.functional.one_hot(target.masked_fill(target == VOID, 3), 4)[..., :3].movedim(-1, 1).float()
    for loss in LOSSES.values():
        for over in ("batch", "image"):
            torch.testing.assert_close(loss(logits, shares, over=over), loss(logits, target, over=over))


@pytest.mark.parametrize("name", LOSSES)
def test_soft_labels_are_met_best_by_themselves(name):
    """MONAI#8094: with products in the numerator a harder answer than the label scores better."""
    shares = torch.rand(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).softmax(1)
    assert float(LOSSES[name](shares.log(), shares)) == pytest.approx(0, abs=1e-12)
    for sharper in (0.5, 0.9, 1.1, 3.0):
        assert float(LOSSES[name](sharper * shares.log(), shares)) > 1e-4


@pytest.mark.parametrize(("name", "over"), [("dice", "batch"), ("tversky", "image")])
def test_first_and_second_derivatives(name, over):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 2, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    target = torch.randint(0, 3, (2, 2, 3), generator=generator).index_fill(1, torch.tensor([0]), VOID)

    def loss(x):
        return LOSSES[name](x, target, over=over)

    assert torch.autograd.gradcheck(loss, logits)
    assert torch.autograd.gradgradcheck(loss, logits)


@pytest.mark.parametrize("soft", [False, True])
def test_compiled_equals_eager(soft):
    compiled = torch.compile(dice_loss, backend="eager", fullgraph=True)
    logits, target = blobs(2, 3, 8)
    target = logits.roll(1, 0).softmax(1) if soft else target.index_fill(2, torch.tensor([1]), VOID)
    for mine, theirs in zip(
        value_and_gradient(lambda x: compiled(x, target), logits),
        value_and_gradient(lambda x: dice_loss(x, target), logits),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_autocast_changes_nothing():
    logits, target = blobs(2, 3, 16)
    value, gradient = value_and_gradient(lambda x: dice_loss(x, target), logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, inside_gradient = value_and_gradient(lambda x: dice_loss(x, target), logits)
    assert torch.equal(value, inside)
    assert torch.equal(gradient, inside_gradient)


def test_runs_deterministically_and_on_a_device_that_is_not_implied():
    logits, target = blobs(2, 3, 8)
    torch.use_deterministic_algorithms(True)
    try:
        value, gradient = value_and_gradient(lambda x: dice_loss(x, target), logits)
        again, other = value_and_gradient(lambda x: dice_loss(x, target), logits)
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(value, again)
    assert torch.equal(gradient, other)
    with FakeTensorMode():
        logits = torch.empty(2, 3, 4, 4, device="cuda")
        target = torch.zeros(2, 4, 4, device="cuda", dtype=torch.int64)
        assert tversky_loss(logits, target, weight=torch.ones(3)).device.type == "cuda"


def test_the_modules_keep_their_settings():
    logits, target = blobs(2, 3, 8)
    settings = {"ignore_index": 1, "weight": torch.tensor([0.5, 1.0, 2.0]), "over": "image", "classes": "all"}
    for module, loss in ((DiceLoss, dice_loss), (JaccardLoss, jaccard_loss), (TverskyLoss, tversky_loss)):
        kept = module(**settings, smooth=2.0)
        assert torch.equal(kept(logits, target), loss(logits, target, **settings, smooth=2.0))
        assert torch.equal(module()(logits, target), loss(logits, target))
        assert kept.state_dict() == {}
        assert kept.double().weight.dtype == torch.float64
    assert torch.equal(TverskyLoss(1, 2)(logits, target), tversky_loss(logits, target, alpha=1, beta=2))


LOGITS, TARGET = torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("logits", "target", "options", "error", "words"),
    [
        (LOGITS.long(), TARGET, {}, TypeError, "logits are torch.int64"),
        (LOGITS, TARGET.float(), {}, ValueError, r"target is \(1, 2, 2\)"),
        (LOGITS, torch.zeros(1, 4, 4).long(), {}, ValueError, r"target is \(1, 4, 4\)"),
        (LOGITS, TARGET, {"weight": torch.ones(2)}, ValueError, r"weight is \(2,\)"),
        (LOGITS, TARGET, {"over": "pixel"}, ValueError, "over is 'pixel'"),
        (LOGITS, TARGET, {"classes": "some"}, ValueError, "classes is 'some'"),
        (LOGITS, TARGET, {"smooth": -1}, ValueError, "smooth is -1"),
        (LOGITS, TARGET, {"alpha": math.nan}, ValueError, "alpha is nan"),
        (LOGITS, TARGET, {"beta": -0.1}, ValueError, r"beta is -0\.1"),
    ],
)
def test_errors_are_one_sentence(logits, target, options, error, words):
    with pytest.raises(error, match=words) as caught:
        tversky_loss(logits, target, **options)
    assert "\n" not in str(caught.value)
