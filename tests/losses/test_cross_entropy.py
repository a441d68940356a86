"""Cross entropy against PyTorch's own in float64."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.losses import (
    CrossEntropy,
    PixelWeightedCrossEntropy,
    chunks,
    cross_entropy,
    cross_entropy_sums,
    pixel_weighted_cross_entropy,
    pixel_weighted_cross_entropy_sums,
    quotient,
)


@st.composite
def scenes(draw):
    """Logits of any layout and labels with any share of void."""
    images, classes = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = 5 * torch.randn(images, classes, height, width, generator=generator, dtype=torch.float64)
    target = torch.randint(0, classes, (images, height, width), generator=generator)
    void = torch.rand(target.shape, generator=generator) < draw(st.sampled_from([0, 0.3, 1]))
    layout = draw(st.sampled_from(["contiguous", "channels_last", "transposed", "strided"]))
    if layout == "channels_last":
        logits = logits.contiguous(memory_format=torch.channels_last)
    elif layout == "transposed":
        logits = logits.transpose(2, 3).contiguous().transpose(2, 3)
    elif layout == "strided":
        logits = logits.repeat_interleave(2, dim=3)[..., ::2]
    return logits, target.masked_fill(void, 255)


def gradient_of(loss, logits):
    return torch.autograd.grad(loss, logits)[0]


@given(
    scene=scenes(),
    weighted=st.booleans(),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    chunk=st.sampled_from([1, 20, 2**18]),
)
def test_value_and_gradient_equal_torch(scene, weighted, reduction, dtype, chunk):
    logits, target = scene
    logits = logits.to(dtype).requires_grad_()
    weight = torch.rand(logits.shape[1]) + 0.1 if weighted else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "VALUES", chunk)
        loss = cross_entropy(logits, target, weight=weight, reduction=reduction)
        slopes = torch.rand(loss.shape, dtype=loss.dtype)
        ours = gradient_of((loss * slopes).sum(), logits)

    exact = logits.detach().double().requires_grad_()
    reference = F.cross_entropy(
        exact, target, ignore_index=255, weight=None if weight is None else weight.double(), reduction=reduction
    )
    if (target == 255).all():  # torch says 0 / 0 to the mean over nothing
        reference = (0 * exact).sum() if reduction == "mean" else reference
    theirs = gradient_of((reference * slopes).sum(), exact)

    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert ours.dtype == dtype
    torch.testing.assert_close(loss.double(), reference, rtol=1e-5, atol=1e-5)
    tolerance = 4 * torch.finfo(dtype).eps if dtype.itemsize == 2 else 1e-5
    torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_first_and_second_derivatives(reduction):
    logits = torch.randn(2, 4, 2, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 4, (2, 2, 3)).index_fill(1, torch.tensor([0]), 255)
    weight = torch.rand(4, dtype=torch.float64)

    def loss(x):
        return cross_entropy(x, target, weight=weight, reduction=reduction)

    assert torch.autograd.gradcheck(loss, logits)
    assert torch.autograd.gradgradcheck(loss, logits)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 0.0, 2.0])])
def test_nothing_valid_is_zero_with_zero_gradient(reduction, weight):
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    target = torch.full((2, 4, 4), 255 if weight is None else 1)
    loss = cross_entropy(logits, target, weight=weight, reduction=reduction)
    assert torch.equal(loss, torch.zeros_like(loss))
    assert torch.equal(gradient_of(loss.sum(), logits), torch.zeros_like(logits))


@given(scene=scenes(), weighted=st.booleans())
def test_sums_of_parts_make_the_mean_of_the_whole(scene, weighted):
    logits, target = scene
    weight = torch.rand(logits.shape[1], dtype=torch.float64) if weighted else None
    parts = [cross_entropy_sums(logits[i : i + 1], target[i : i + 1], weight=weight) for i in range(len(logits))]
    total, share = (torch.stack(sums).sum() for sums in zip(*parts, strict=True))
    torch.testing.assert_close(quotient(total, share), cross_entropy(logits, target, weight=weight))


def test_the_module_keeps_its_settings():
    logits, target = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    settings = {"ignore_index": 1, "weight": torch.tensor([0.5, 1.0, 2.0]), "reduction": "sum"}
    module = CrossEntropy(**settings)
    assert torch.equal(module(logits, target), cross_entropy(logits, target, **settings))
    assert torch.equal(CrossEntropy()(logits, target), cross_entropy(logits, target))
    assert module.state_dict() == {}
    assert module.to(torch.float64).weight.dtype == torch.float64


def test_void_pixels_do_not_reach_the_value():
    logits = torch.randn(1, 3, 2, 2)
    target = torch.tensor([[[0, 1], [2, 255]]])
    spoilt = logits.clone()
    spoilt[..., 1, 1] = torch.nan
    for reduction in ("mean", "sum", "none"):
        torch.testing.assert_close(
            cross_entropy(logits, target, reduction=reduction),
            cross_entropy(spoilt, target, reduction=reduction),
            rtol=1e-6,
            atol=0,
        )


def test_saturated_logits_stay_finite():
    logits = torch.tensor([[1e4, -1e4, 0.0]]).view(1, 3, 1, 1).requires_grad_()
    loss = cross_entropy(logits, torch.tensor([[[1]]]))
    assert loss.item() == 2e4
    assert gradient_of(loss, logits).flatten().tolist() == [1, -1, 0]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
@pytest.mark.parametrize("ignore_index", [255, -1, 1])
def test_any_integer_labels(dtype, ignore_index):
    logits = torch.randn(1, 3, 4, 4)
    target = torch.randint(0, 3, (1, 4, 4))
    assert torch.equal(
        cross_entropy(logits, target.to(dtype), ignore_index=ignore_index),
        cross_entropy(logits, target, ignore_index=ignore_index),
    )


def test_compiled_equals_eager():
    compiled = torch.compile(cross_entropy, backend="eager", fullgraph=True)
    logits = torch.randn(2, 3, 5, 4, requires_grad=True)
    target = torch.randint(0, 3, (2, 5, 4)).index_fill(2, torch.tensor([1]), 255)
    torch.testing.assert_close(compiled(logits, target), cross_entropy(logits, target))
    torch.testing.assert_close(
        gradient_of(compiled(logits, target), logits), gradient_of(cross_entropy(logits, target), logits)
    )


def test_runs_on_a_device_that_is_not_implied():
    with FakeTensorMode():
        logits = torch.empty(2, 3, 4, 4, device="cuda")
        target = torch.zeros(2, 4, 4, device="cuda", dtype=torch.int64)
        loss = cross_entropy(logits, target, weight=torch.ones(3))
    assert loss.device.type == "cuda"


@pytest.mark.parametrize("label", [3, 7, -1])
@pytest.mark.parametrize("weight", [None, torch.ones(3)])
def test_a_label_out_of_range_is_named(label, weight):
    target = torch.tensor([[[0, label], [255, 2]]])
    with pytest.raises(ValueError, match=rf"class {label}, but logits have 3 channels; classes are 0\.\.2 and void is"):
        cross_entropy(torch.zeros(1, 3, 2, 2), target, weight=weight)


LOGITS, TARGET = torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("logits", "target", "options", "error", "words"),
    [
        (LOGITS.long(), TARGET, {}, TypeError, "logits are torch.int64"),
        (LOGITS, TARGET.float(), {}, TypeError, "target is torch.float32"),
        (LOGITS, TARGET.bool(), {}, TypeError, "target is torch.bool"),
        (LOGITS, torch.zeros(1, 4, 4).long(), {}, ValueError, r"target is \(1, 4, 4\) and logits are \(1, 3, 2, 2\)"),
        (LOGITS, TARGET[:, None], {}, ValueError, r"target is \(1, 1, 2, 2\)"),
        (torch.zeros(4, 3), torch.zeros(4).long(), {}, ValueError, r"logits are \(4, 3\)"),
        (LOGITS, TARGET, {"weight": torch.ones(2)}, ValueError, r"weight is \(2,\).* each of 3 classes"),
        (LOGITS, TARGET, {"reduction": "avg"}, ValueError, "reduction is 'avg'"),
    ],
)
def test_errors_are_one_sentence(logits, target, options, error, words):
    with pytest.raises(error, match=words) as caught:
        cross_entropy(logits, target, **options)
    assert "\n" not in str(caught.value)


@given(seed=st.integers(0, 999), reduction=st.sampled_from(["mean", "sum", "none"]))
def test_pixel_weights_equal_torch(seed, reduction):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 3, (2, 4, 5), generator=generator)
    weights = torch.rand(2, 4, 5, generator=generator, dtype=torch.float64)
    target[torch.rand(2, 4, 5, generator=generator) < 0.2] = 255
    given_weights = weights.masked_fill(target == 255, torch.nan)  # nobody looks there
    pixels = weights * F.cross_entropy(logits, target, ignore_index=255, reduction="none")
    expected = {"none": pixels, "sum": pixels.sum(), "mean": pixels.sum() / weights[target != 255].sum()}[reduction]
    found = pixel_weighted_cross_entropy(logits, target, given_weights, reduction=reduction)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(value.sum(), logits, retain_graph=True)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients)
    assert torch.equal(PixelWeightedCrossEntropy(reduction=reduction)(logits, target, given_weights), found)
    torch.testing.assert_close(
        quotient(*pixel_weighted_cross_entropy_sums(logits, target, given_weights)),
        pixel_weighted_cross_entropy(logits, target, given_weights),
    )


def test_class_weights_are_pixel_weights_looked_up():
    logits, target = torch.randn(2, 3, 6, 7), torch.randint(0, 3, (2, 6, 7))
    weight = torch.tensor([0.5, 2.0, 3.0])
    torch.testing.assert_close(
        pixel_weighted_cross_entropy(logits, target, weight[target]), cross_entropy(logits, target, weight=weight)
    )
    with pytest.raises(ValueError, match=r"pixel_weights are \(2, 6\) and target is \(2, 6, 7\)"):
        pixel_weighted_cross_entropy(logits, target, weight[target][..., 0])


def labels_and_shares(classes=4):
    target = torch.randint(0, classes, (2, 5, 6)).index_fill(1, torch.tensor([0]), 255)
    hot = F.one_hot(target.masked_fill(target == 255, 0), classes).movedim(-1, 1).double()
    return target, hot * (target != 255)[:, None]


@pytest.mark.parametrize("reduction", ["mean", "mean_over_pixels", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 1.0, 2.0, 0.0])])
def test_soft_labels_that_are_hard_are_the_labels(reduction, smoothing, weight):
    logits = torch.randn(2, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    options = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
    found = [cross_entropy(logits, target, **options) for target in labels_and_shares()]
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*(gradient_of(loss.sum(), logits) for loss in found))


def test_soft_labels_equal_torch():
    logits = torch.randn(2, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    shares, weight = torch.rand(2, 4, 5, 6, dtype=torch.float64), torch.rand(4, dtype=torch.float64)
    for reduction in ("sum", "none"):
        ours = cross_entropy(logits, shares, weight=weight, reduction=reduction)
        theirs = F.cross_entropy(logits, shares, weight=weight, reduction=reduction)
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(gradient_of(ours.sum(), logits), gradient_of(theirs.sum(), logits))
    assert torch.autograd.gradgradcheck(lambda x: cross_entropy(x, shares[:1, :, :2, :2]), logits[:1, :, :2, :2])


def test_void_drops_from_both_terms_of_a_smoothed_label_pytorch_73205():
    """pytorch#73205, #69339, #91383, #72056: label smoothing beside ignore_index and weight."""
    logits = torch.randn(2, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    target, _ = labels_and_shares()
    ours = cross_entropy(logits, target, label_smoothing=0.2)
    theirs = F.cross_entropy(logits, target, ignore_index=255, label_smoothing=0.2)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradient_of(ours, logits), gradient_of(theirs, logits))
    assert gradient_of(cross_entropy(logits, target, label_smoothing=0.2), logits)[:, :, 0].abs().max() == 0


def test_class_weights_leave_the_smoothed_label_even_pytorch_104776():
    """A pixel's loss under class weights is its loss without them, times the weight of its own class."""
    logits, weight = torch.randn(2, 4, 5, 6), torch.tensor([0.5, 1.0, 2.0, 3.0])
    target = torch.randint(0, 4, (2, 5, 6))
    plain = cross_entropy(logits, target, label_smoothing=0.2, reduction="none")
    weighted = cross_entropy(logits, target, label_smoothing=0.2, weight=weight, reduction="none")
    torch.testing.assert_close(weighted, plain * weight[target])


def test_the_two_weighted_means_are_named_mmsegmentation_546():
    """mmsegmentation#546: a mean over pixels divides by the valid ones, not by all."""
    logits, weight = torch.randn(2, 4, 5, 6), torch.tensor([0.5, 1.0, 2.0, 3.0])
    target, _ = labels_and_shares()
    total = cross_entropy(logits, target, weight=weight, reduction="sum")
    valid = target[target != 255]
    found = cross_entropy(logits, target, weight=weight, reduction="mean_over_pixels")
    torch.testing.assert_close(found, total / len(valid))
    torch.testing.assert_close(cross_entropy(logits, target, weight=weight), total / weight[valid].sum())


def test_a_gradient_at_void_is_zero_whatever_the_logits_hold():
    logits = torch.randn(1, 3, 2, 2).index_fill(3, torch.tensor([1]), torch.nan).requires_grad_()
    target = torch.tensor([[[0, 255], [2, 255]]])
    gradient = gradient_of(cross_entropy(logits, target, label_smoothing=0.1), logits)
    assert gradient.isfinite().all()
    assert gradient[..., 1].abs().max() == 0


@pytest.mark.parametrize("smoothing", [-0.1, 1.5])
def test_a_smoothing_outside_its_range_is_named(smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing is {smoothing}"):
        cross_entropy(LOGITS, TARGET, label_smoothing=smoothing)


def test_soft_labels_of_another_shape_are_named():
    with pytest.raises(ValueError, match=r"soft labels need the shape \(N, K, H, W\)"):
        cross_entropy(LOGITS, torch.zeros(1, 2, 2, 2))
