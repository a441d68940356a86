"""What every loss of a pixel promises, for all of them at once."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.losses import (
    BinaryCrossEntropy,
    BinaryFocalLoss,
    CrossEntropy,
    FocalLoss,
    OHEMCrossEntropy,
    OneVsRestFocalLoss,
    binary_focal_loss,
    binary_focal_loss_sums,
    check_labels,
    cross_entropy,
    elementwise,
    focal_loss,
    focal_loss_sums,
    ohem_cross_entropy,
    quotient,
)

MANY = {
    "ce": CrossEntropy(label_smoothing=0.1),
    "focal": FocalLoss(gamma=0.5, alpha=torch.tensor([0.2, 0.5, 1.0])),
    "one_vs_rest": OneVsRestFocalLoss(alpha=0.25),
    "ohem": OHEMCrossEntropy(threshold=0.2, min_kept=0.3),
}
ONE = {"bce": BinaryCrossEntropy(pos_weight=2.0), "binary_focal": BinaryFocalLoss(gamma=1.5, alpha=0.25)}
LOSSES = {**MANY, **ONE}


def scene(name, device="cpu", dtype=torch.float32):
    channels = 3 if name in MANY else 1
    logits = 3 * torch.randn(2, channels, 5, 4, device=device, dtype=dtype)
    target = torch.randint(0, max(2, channels), (2, 5, 4), device=device)
    target[:, 0] = 255
    return logits.requires_grad_(), target


def gradient_of(loss, logits):
    return torch.autograd.grad(loss, logits)[0]


@pytest.mark.parametrize("name", LOSSES)
def test_derivatives(name):
    logits, target = scene(name, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, target), logits, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: LOSSES[name](x, target), logits, fast_mode=True)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", ["focal", "bce", "binary_focal"])
def test_the_pieces_that_a_map_is_worked_out_in_do_not_matter(name, reduction, monkeypatch):
    logits, target = scene(name)
    loss = copy.copy(LOSSES[name])
    loss.reduction = reduction
    found = []
    for piece in (7, 2**17):
        monkeypatch.setattr(elementwise, "RUN", piece)
        value = loss(logits, target)
        found.append((value.detach(), gradient_of(value.sum(), logits)))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_graph_walked_twice_gives_its_gradient_twice(name, reduction):
    logits, target = scene(name)
    loss = copy.copy(LOSSES[name])
    loss.reduction = reduction
    value = loss(logits, target)
    weight = torch.rand_like(value)
    first = torch.autograd.grad(value, logits, weight, retain_graph=True)[0]
    kept = first.clone()
    torch.testing.assert_close(torch.autograd.grad(value, logits, 2 * weight)[0], 2 * kept)
    assert torch.equal(first, kept)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_any_layout_and_dtype_is_that_of_float64(name, dtype):
    logits, target = scene(name)
    exact = logits.detach().to(dtype).double().requires_grad_()
    reference = LOSSES[name](exact, target)
    expected = gradient_of(reference, exact)
    given = logits.detach().to(dtype)
    layouts = (given, given.contiguous(memory_format=torch.channels_last), given.repeat_interleave(2, 3)[..., ::2])
    for layout in layouts:
        layout = layout.requires_grad_()
        loss = LOSSES[name](layout, target)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss.double(), reference, rtol=1e-6, atol=1e-6)
        gap = (gradient_of(loss, layout).double() - expected).norm() / expected.norm()
        assert gap < max(1e-6, 2 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("name", LOSSES)
def test_m6_nothing_valid_is_zero_with_a_zero_gradient(name):
    logits, target = scene(name)
    loss = LOSSES[name](logits, torch.full_like(target, 255))
    assert loss.item() == 0
    assert gradient_of(loss, logits).abs().max() == 0


@pytest.mark.parametrize("name", LOSSES)
def test_void_may_hold_anything(name):
    logits, target = scene(name)
    spoilt = logits.detach().clone()
    spoilt[:, :, 0] = torch.nan
    spoilt.requires_grad_()
    loss, clean = LOSSES[name](spoilt, target), LOSSES[name](logits, target)
    torch.testing.assert_close(loss, clean, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient_of(loss, spoilt), gradient_of(clean, logits), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_m8_a_label_out_of_range_is_refused(name):
    logits, target = scene(name)
    target[0, 1, 1] = 3
    with pytest.raises(ValueError, match="target holds class 3"):
        LOSSES[name](logits, target)


def test_labels_can_be_looked_at_once():
    check_labels(torch.tensor([0, 2, 255], dtype=torch.uint8), 3)
    check_labels(torch.tensor([], dtype=torch.int64), 3)
    with pytest.raises(ValueError, match="target holds class 3, but num_classes is 3"):
        check_labels(torch.tensor([0, 3]), 3)


@pytest.mark.parametrize("name", LOSSES)
def test_compiled_equals_eager(name):
    logits, target = scene(name)
    loss = torch.compile(LOSSES[name], backend="eager", fullgraph=True)(logits, target)
    torch.testing.assert_close(loss, LOSSES[name](logits, target))
    torch.testing.assert_close(gradient_of(loss, logits), gradient_of(LOSSES[name](logits, target), logits))


@pytest.mark.parametrize("name", LOSSES)
def test_deterministic_mode_and_autocast(name):
    """pytorch#17350, #46024: a whole forward and backward pass with nothing that is not repeatable."""
    logits, target = scene(name)
    expected = gradient_of(LOSSES[name](logits, target), logits)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            loss = LOSSES[name](logits, target)
        assert loss.dtype == torch.float32
        assert torch.equal(gradient_of(loss, logits), expected)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", LOSSES)
def test_runs_on_a_device_that_is_not_implied(name):
    with FakeTensorMode(allow_non_fake_inputs=True):
        logits = torch.empty(2, 3 if name in MANY else 1, 4, 4, device="cuda")
        loss = LOSSES[name](logits, torch.zeros(2, 4, 4, device="cuda", dtype=torch.int64))
    assert loss.device.type == "cuda"


@pytest.mark.parametrize(("name", "sums"), [("focal", focal_loss_sums), ("binary_focal", binary_focal_loss_sums)])
def test_sums_of_parts_make_the_mean_of_the_whole(name, sums):
    logits, target = scene(name)
    options = {"gamma": LOSSES[name].gamma, "alpha": LOSSES[name].alpha}
    parts = [sums(logits[i : i + 1], target[i : i + 1], **options) for i in range(2)]
    total, share = (torch.stack(column).sum() for column in zip(*parts, strict=True))
    torch.testing.assert_close(quotient(total, share), LOSSES[name](logits, target))


def test_gamma_zero_is_cross_entropy():
    logits, target = scene("focal")
    for reduction in ("mean", "sum", "none"):
        focal = focal_loss(logits, target, gamma=0, reduction=reduction)
        assert torch.equal(focal, cross_entropy(logits, target, reduction=reduction))


@pytest.mark.parametrize("gamma", [0, 0.3, 0.5, 1, 2, 3.7])
def test_m3_saturated_logits_have_a_finite_gradient(gamma):
    """m3, kornia#918, optax#1267: (1 - p)^(gamma - 1) at p = 1, and pow(0, -1) at gamma = 0."""
    logits = torch.tensor([[200.0, 0, -200], [-200, 0, 200]]).T[None, :, None].contiguous().requires_grad_()
    target = torch.tensor([[[0, 0]]])
    assert gradient_of(focal_loss(logits, target, gamma=gamma), logits).isfinite().all()
    one = logits.detach()[:, :1].requires_grad_()
    for loss in (BinaryFocalLoss(gamma), OneVsRestFocalLoss(gamma)):
        assert gradient_of(loss(one, target + (1 if loss.__class__ is BinaryFocalLoss else 0)), one).isfinite().all()


def test_m4_the_mean_divides_by_the_valid_pixels():
    """m4, itakurah/focal-loss-pytorch PR#6: not by pixels times classes."""
    logits, target = scene("focal")
    pixels = focal_loss(logits, target, reduction="none")
    torch.testing.assert_close(focal_loss(logits, target), pixels.sum() / (target != 255).sum())


def test_m5_one_vs_rest_has_a_name_of_its_own():
    """The mean over the classes of the binary loss, and not the softmax's."""
    logits, target = scene("one_vs_rest")
    void = target == 255
    apart = [BinaryFocalLoss(alpha=0.25)(logits[:, [k]], (target == k).long().masked_fill(void, 255)) for k in range(3)]
    torch.testing.assert_close(MANY["one_vs_rest"](logits, target), torch.stack(apart).mean())
    assert not torch.isclose(OneVsRestFocalLoss()(logits, target), focal_loss(logits, target))


@pytest.mark.parametrize("threshold", [0.01, 0.7])
def test_ohem_keeps_what_the_reference_rule_keeps(threshold):
    """CoinCheung/BiSeNet#194, #96: void reaches neither the count nor the choice; an easy batch still has a loss."""
    logits, target = torch.randn(2, 3, 8, 9) * 2, torch.randint(0, 3, (2, 8, 9))
    target[0, :3] = 255
    loss = cross_entropy(logits, target, reduction="none")[target != 255]
    hard = loss[loss > -torch.tensor(threshold).log()]
    needed = len(loss) // 16
    expected = hard.mean() if len(hard) >= needed else loss.topk(needed).values.mean()
    torch.testing.assert_close(ohem_cross_entropy(logits, target, threshold=threshold), expected)
    compiled = torch.compile(ohem_cross_entropy, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(logits, target, threshold=threshold), expected)


def test_ohem_shares_the_last_seats_among_ties():
    logits, target = torch.zeros(1, 2, 4, 8, requires_grad=True), torch.zeros(1, 4, 8, dtype=torch.int64)
    loss = ohem_cross_entropy(logits, target, threshold=0.1)
    torch.testing.assert_close(loss, torch.tensor(2.0).log())
    gradient = gradient_of(loss, logits)
    assert gradient.unique().numel() == 2
    torch.testing.assert_close(gradient[:, 1].sum(), torch.tensor(0.5))


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_weights_of_two_classes_are_not_negative(alpha):
    logits, target = torch.randn(1, 2, 3, 4), torch.zeros(1, 3, 4, dtype=torch.long)
    for loss, scores in ((BinaryFocalLoss(alpha=alpha), logits[:, :1]), (OneVsRestFocalLoss(alpha=alpha), logits)):
        with pytest.raises(ValueError, match=r"must lie in 0\.\.1"):
            loss(scores, target)
    with pytest.raises(ValueError, match="pos_weight is -2"):
        BinaryCrossEntropy(pos_weight=-2)(logits[:, :1], target)


@pytest.mark.parametrize("gamma", [0, 2])
def test_a_logit_without_bound_costs_nothing_on_its_side_and_everything_on_the_other(gamma):
    target = torch.tensor([[[0, 1, 0, 1]]])
    logits = torch.tensor([[[-torch.inf, torch.inf, torch.inf, -torch.inf]]])
    loss = binary_focal_loss(logits, target, gamma=gamma, reduction="none")
    assert loss.tolist() == [[[0, 0, torch.inf, torch.inf]]]


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_each_binary_loss_keeps_its_digits_however_small_or_large_it_is(gamma):
    logits = torch.linspace(-30, 30, 6001).view(1, 1, -1).requires_grad_()
    exact = logits.detach().double().requires_grad_()
    for label in (0, 1):
        target = torch.full(logits.shape, label)
        found = binary_focal_loss(logits, target, gamma=gamma, reduction="none")
        right = F.logsigmoid(exact if label else -exact)
        expected = -right * (-torch.expm1(right)) ** gamma
        torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)
        slopes = (gradient_of(loss.sum(), x) for loss, x in ((found, logits), (expected, exact)))
        torch.testing.assert_close(next(slopes).double(), next(slopes), rtol=3e-6, atol=0)
