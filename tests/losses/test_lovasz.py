"""Lovász losses against their definition: sort, take the Jaccard index of every prefix, weigh by the differences."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.losses import chunks
from segedu.losses.lovasz import LovaszHingeLoss, LovaszLoss, lovasz_hinge_loss, lovasz_loss

VOID = 255


def extension(errors, true):
    """The loss of one class: ``errors (P,)`` in float64 and which pixels are true."""
    order = errors.argsort(descending=True)
    size, previous, total = int(true.sum()), 0.0, 0 * errors.sum()
    shared, whole = size, size
    for pixel in order.tolist():
        shared, whole = (shared - 1, whole) if true[pixel] else (shared, whole + 1)
        jaccard_loss = 1 - shared / whole
        total = total + errors[pixel] * (jaccard_loss - previous)
        previous = jaccard_loss
    return total


def reference(logits, target, over, classes):
    softmax = logits.softmax(1).movedim(1, -1)
    groups = [(softmax, target)] if over == "batch" else list(zip(softmax.split(1), target.split(1), strict=True))
    means = []
    for p, t in groups:
        p, t = p[t != VOID], t[t != VOID]
        counted = [c for c in range(logits.shape[1]) if len(t) and (classes == "all" or (t == c).any())]
        if counted:
            terms = [extension(torch.where(t == c, 1 - p[:, c], p[:, c]), t == c) for c in counted]
            means.append(sum(terms) / len(terms))
    return sum(means) / len(means) if means else 0 * logits.sum()


@st.composite
def scenes(draw):
    images, classes = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = 2 * torch.randn(images, classes, height, width, generator=generator, dtype=torch.float64)
    target = torch.randint(0, draw(st.integers(1, classes)), (images, height, width), generator=generator)
    void = torch.rand(target.shape, generator=generator) < draw(st.sampled_from([0, 0.3, 1]))
    if draw(st.booleans()):
        logits = logits.contiguous(memory_format=torch.channels_last)
    return logits, target.masked_fill(void, VOID)


def value_and_gradient(loss, logits):
    logits = logits.detach().requires_grad_()
    value = loss(logits)
    return value.detach(), torch.autograd.grad(value, logits)[0]


def blobs(images, classes, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, (images, size // 8, size // 8), generator=generator)
    target = target.repeat_interleave(8, 1).repeat_interleave(8, 2)
    logits = torch.randn(images, classes, size, size, generator=generator)
    return logits + torch.nn.functional.one_hot(target, classes).movedim(-1, 1), target


OVER, CLASSES = st.sampled_from(["batch", "image"]), st.sampled_from(["present", "all"])


@settings(deadline=None, max_examples=20)
@given(scene=scenes(), over=OVER, classes=CLASSES, dtype=st.sampled_from([torch.float64, torch.float32]))
def test_sorted_equals_the_definition(scene, over, classes, dtype):
    logits, target = scene
    logits = logits.to(dtype)
    value, gradient = value_and_gradient(
        lambda x: lovasz_loss(x, target, over=over, classes=classes, bins=None), logits
    )
    exact, slopes = value_and_gradient(lambda x: reference(x, target, over, classes), logits.double())
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(gradient.double(), slopes, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    scene=scenes(),
    over=OVER,
    classes=CLASSES,
    bins=st.sampled_from([2, 5, 64, 1024]),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    chunk=st.sampled_from([1, 20, 2**18]),
)
def test_counted_is_within_its_bound_of_the_definition(scene, over, classes, bins, dtype, chunk):
    logits, target = scene
    logits = logits.to(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "VALUES", chunk)
        value, gradient = value_and_gradient(
            lambda x: lovasz_loss(x, target, over=over, classes=classes, bins=bins), logits
        )
    exact = reference(logits.double(), target, over, classes)
    assert abs(float(value) - float(exact)) <= 1 / (2 * bins - 2) + 1e-6
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert gradient.dtype == dtype
    assert gradient.isfinite().all()


@settings(deadline=None, max_examples=10)
@given(scene=scenes(), over=OVER, classes=CLASSES)
def test_as_many_bins_as_errors_are_a_sort(scene, over, classes):
    """With every error in a bin of its own the gradient is the exact one, to the width of a bin."""
    logits, target = scene
    options = {"over": over, "classes": classes}
    value, gradient = value_and_gradient(lambda x: lovasz_loss(x, target, bins=2**16, **options), logits)
    exact, slopes = value_and_gradient(lambda x: lovasz_loss(x, target, bins=None, **options), logits)
    torch.testing.assert_close(value, exact, rtol=0, atol=1e-5)
    errors = logits.softmax(1)
    bins = (2**16 * torch.cat((errors, 1 - errors))).round()
    if len(bins.unique()) == bins.numel():  # errors that share a bin have no order of their own
        torch.testing.assert_close(gradient, slopes, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("bins", "bound"), [(64, 2e-2), (1024, 2e-3), (4096, 1e-3)])
def test_the_gradient_of_counted_errors(bins, bound):
    logits, target = blobs(2, 5, 96)
    _, gradient = value_and_gradient(lambda x: lovasz_loss(x, target, bins=bins), logits)
    _, exact = value_and_gradient(lambda x: lovasz_loss(x, target, bins=None), logits.double())
    assert float((gradient - exact).norm() / exact.norm()) < bound


@pytest.mark.parametrize("bins", [None, 256])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_float_dtype(bins, dtype):
    """m7: smp takes float32 alone."""
    logits, target = blobs(2, 3, 16)
    value, gradient = value_and_gradient(lambda x: lovasz_loss(x, target, bins=bins), logits.to(dtype))
    exact, slopes = value_and_gradient(lambda x: lovasz_loss(x, target, bins=bins), logits.to(dtype).double())
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=0)
    assert float((gradient.double() - slopes).norm() / slopes.norm()) < (2e-2 if dtype.itemsize == 2 else 1e-3)


@pytest.mark.parametrize("bins", [None, 64])
@pytest.mark.parametrize(("over", "classes"), [("batch", "present"), ("image", "all")])
def test_nothing_valid_is_zero_with_zero_gradient(bins, over, classes):
    """m6, LovaszSoftmax#14: an empty tensor, or the mean of nothing."""
    target = torch.full((2, 4, 4), VOID)
    value, gradient = value_and_gradient(
        lambda x: lovasz_loss(x, target, bins=bins, over=over, classes=classes), torch.randn(2, 3, 4, 4)
    )
    assert value.shape == ()
    assert float(value) == 0
    assert not gradient.any()


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range_is_named(label):
    """m8: smp takes it for a class that nothing is."""
    with pytest.raises(ValueError, match=f"class {label}"):
        lovasz_loss(torch.zeros(1, 3, 1, 2), torch.tensor([[[0, label]]]))


@pytest.mark.parametrize("bins", [None, 1024])
def test_an_absent_class_has_no_say(bins):
    """LovaszSoftmax#20: absent under "all" it costs its largest error."""
    logits, target = blobs(1, 3, 16)
    target = target.clamp(max=1)
    present = lovasz_loss(logits, target, bins=bins)
    absent = float(logits.softmax(1)[:, 2].max())
    expected = (2 * float(present) + absent) / 3
    assert float(lovasz_loss(logits, target, classes="all", bins=bins)) == pytest.approx(expected, abs=1e-3)
    weighted = lovasz_loss(logits, target, weight=torch.tensor([1.0, 1.0, 9.0]), bins=bins)
    torch.testing.assert_close(weighted, present)


@pytest.mark.parametrize("bins", [None, 64])
@pytest.mark.parametrize("spoil", [torch.nan, torch.inf, 1e30])
def test_void_pixels_may_hold_anything(bins, spoil):
    logits, target = blobs(2, 3, 16)
    target[:, :2] = VOID
    spoilt = logits.clone()
    spoilt[:, :, :2] = spoil
    for mine, theirs in zip(
        value_and_gradient(lambda x: lovasz_loss(x, target, bins=bins), logits),
        value_and_gradient(lambda x: lovasz_loss(x, target, bins=bins), spoilt),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("bins", [None, 64])
def test_a_logit_that_is_no_number_shows(bins):
    logits, target = blobs(1, 3, 16)
    logits[0, 1, 0, 0] = torch.nan
    value, gradient = value_and_gradient(lambda x: lovasz_loss(x, target, bins=bins), logits)
    assert value.isnan()
    assert gradient.isnan().any()


@pytest.mark.parametrize("bins", [None, 64])
def test_the_order_of_pixels_does_not_matter(bins):
    logits, target = blobs(2, 4, 16)
    logits, target = logits.flatten(2), target.flatten(1)
    order = torch.randperm(logits.shape[2], generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        lovasz_loss(logits, target, bins=bins), lovasz_loss(logits[..., order], target[:, order], bins=bins)
    )


def test_derivatives():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, 2, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    target = torch.randint(0, 3, (2, 2, 3), generator=generator).index_fill(1, torch.tensor([0]), VOID)
    assert torch.autograd.gradcheck(lambda x: lovasz_loss(x, target, bins=None), logits)
    assert torch.autograd.gradgradcheck(lambda x: lovasz_loss(x, target, bins=None), logits)
    assert torch.autograd.gradgradcheck(lambda x: lovasz_loss(x, target, bins=64), logits)


@pytest.mark.parametrize("over", ["batch", "image"])
def test_compiled_equals_eager(over):
    compiled = torch.compile(lovasz_loss, backend="eager", fullgraph=True)
    logits, target = blobs(2, 3, 8)
    target = target.index_fill(2, torch.tensor([1]), VOID)
    for mine, theirs in zip(
        value_and_gradient(lambda x: compiled(x, target, over=over), logits),
        value_and_gradient(lambda x: lovasz_loss(x, target, over=over), logits),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_runs_in_autocast_deterministically_and_on_a_device_that_is_not_implied():
    logits, target = blobs(2, 3, 16)
    value, gradient = value_and_gradient(lambda x: lovasz_loss(x, target), logits)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            again, other = value_and_gradient(lambda x: lovasz_loss(x, target), logits)
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(value, again)
    assert torch.equal(gradient, other)
    with FakeTensorMode():
        logits = torch.empty(2, 3, 4, 4, device="cuda")
        target = torch.zeros(2, 4, 4, device="cuda", dtype=torch.int64)
        assert lovasz_loss(logits, target, weight=torch.ones(3)).device.type == "cuda"
        assert lovasz_loss(logits, target, bins=None).device.type == "cuda"


def test_the_modules_keep_their_settings():
    logits, target = blobs(2, 3, 8)
    settings = {"ignore_index": 1, "weight": torch.tensor([0.5, 1.0, 2.0]), "over": "image", "classes": "all"}
    module = LovaszLoss(**settings, bins=None)
    assert torch.equal(module(logits, target), lovasz_loss(logits, target, **settings, bins=None))
    assert torch.equal(LovaszLoss()(logits, target), lovasz_loss(logits, target))
    assert module.state_dict() == {}
    target = target.clamp(max=1)
    hinge = {"ignore_index": 0, "over": "image", "classes": "all"}
    assert torch.equal(
        LovaszHingeLoss(**hinge)(logits[:, :1], target), lovasz_hinge_loss(logits[:, :1], target, **hinge)
    )


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999), over=OVER, share=st.sampled_from([0.0, 0.3]), void=st.sampled_from([0.0, 0.3, 1.0]))
def test_hinge_equals_the_definition(seed, over, share, void):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, 1, 5, 6, generator=generator, dtype=torch.float64)
    target = (torch.rand(2, 5, 6, generator=generator) < share).long()
    target[torch.rand(2, 5, 6, generator=generator) < void] = VOID

    def definition(x, classes):
        groups = [(x[:, 0], target)] if over == "batch" else list(zip(x[:, 0], target, strict=True))
        terms = []
        for scores, t in groups:
            scores, t = scores[t != VOID], t[t != VOID]
            if len(t) and (classes == "all" or t.any()):
                terms.append(extension((1 - scores * (2 * t - 1)).relu(), t == 1))
        return sum(terms) / len(terms) if terms else 0 * x.sum()

    for classes in ("present", "all"):
        value, gradient = value_and_gradient(lambda x: lovasz_hinge_loss(x, target, over=over, classes=classes), logits)  # noqa: B023
        exact, slopes = value_and_gradient(lambda x: definition(x, classes), logits)  # noqa: B023
        torch.testing.assert_close(value, exact)
        torch.testing.assert_close(gradient, slopes)


def test_hinge_without_foreground_and_with_void_that_is_no_number():
    """LovaszSoftmax#26."""
    logits = torch.tensor([0.5, -3.0, torch.nan, -0.5]).view(1, 1, 2, 2)
    target = torch.tensor([0, 0, VOID, 0]).view(1, 2, 2)
    assert float(lovasz_hinge_loss(logits, target)) == 0
    value, gradient = value_and_gradient(lambda x: lovasz_hinge_loss(x, target, classes="all"), logits)
    assert float(value) == 1.5
    assert gradient.flatten().tolist() == pytest.approx([1, 0, 0, 0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bins": 1}, "bins is 1; for 3 classes it must lie in 2"),
        ({"bins": 2**21}, "bins is 2097152"),
        ({"over": "pixel"}, "over is 'pixel'"),
        ({"classes": "some"}, "classes is 'some'"),
        ({"weight": torch.ones(2)}, r"weight is \(2,\)"),
    ],
)
def test_errors_are_one_sentence(options, words):
    with pytest.raises(ValueError, match=words) as caught:
        lovasz_loss(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64), **options)
    assert "\n" not in str(caught.value)
