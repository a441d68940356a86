"""What users of other libraries filed: each issue that concerns a loss is a test here, unless another file has it."""

import pytest
import torch

from segedu import losses

POOLED = {
    "cross entropy": losses.cross_entropy,
    "focal": losses.focal_loss,
    "ohem": losses.ohem_cross_entropy,
    "dice": losses.dice_loss,
    "jaccard": losses.jaccard_loss,
    "tversky": losses.tversky_loss,
    "lovasz": losses.lovasz_loss,
}


@pytest.fixture
def scene():
    """Three classes, the last of which is nowhere, and a strip of void."""
    logits = torch.randn(2, 3, 6, 8, requires_grad=True)
    labels = torch.randint(0, 2, (2, 6, 8))
    labels[:, 0] = 255
    return logits, labels


def gradient_of(loss, logits):
    return torch.autograd.grad(loss, logits)[0]


def test_pytorch_69339_91383_72056_void_is_in_neither_term_of_label_smoothing(scene):
    logits, labels = scene
    weight = torch.tensor([0.5, 2.0, 1.0])
    for options in ({}, {"weight": weight}):
        whole = losses.cross_entropy(logits, labels, label_smoothing=0.2, **options)
        valid = losses.cross_entropy(logits[:, :, 1:], labels[:, 1:], label_smoothing=0.2, **options)
        torch.testing.assert_close(whole, valid, rtol=1e-6, atol=0)


def test_pytorch_104776_class_weights_leave_the_smoothed_label_even():
    logits, labels = torch.randn(1, 3, 1, 1), torch.tensor([[[1]]])
    weighted = losses.cross_entropy(logits, labels, weight=torch.tensor([9.0, 2.0, 1.0]), label_smoothing=0.3)
    torch.testing.assert_close(weighted, losses.cross_entropy(logits, labels, label_smoothing=0.3))


@pytest.mark.parametrize("name", POOLED)
def test_kornia_839_paddleseg_2270_void_is_taken_out_before_anything_is_looked_up(name, scene):
    logits, labels = scene
    found = POOLED[name](logits, labels)
    torch.testing.assert_close(found, POOLED[name](logits[:, :, 1:], labels[:, 1:]), rtol=1e-5, atol=0)
    assert not gradient_of(found, logits)[:, :, 0].any()


@pytest.mark.parametrize("name", POOLED)
def test_monai_8757_a_void_of_minus_one_indexes_no_channel(name, scene):
    logits, labels = scene
    renamed = labels.masked_fill(labels == 255, -1)
    assert torch.equal(POOLED[name](logits, renamed, ignore_index=-1), POOLED[name](logits, labels))


@pytest.mark.parametrize("name", [name for name in POOLED if name != "focal"])
def test_monai_7729_weights_of_another_length_are_refused(name, scene):
    with pytest.raises(ValueError, match="weight is"):
        POOLED[name](*scene, weight=torch.ones(2))


@pytest.mark.parametrize("name", POOLED)
def test_monai_4234_innereye_338_nothing_of_the_size_of_a_one_hot_waits_for_the_backward_pass(name):
    logits = torch.randn(1, 40, 32, 32, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        POOLED[name](logits, torch.randint(0, 40, (1, 32, 32)))
    own = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in kept}
    own.pop(logits.untyped_storage().data_ptr(), None)
    histograms = 2 * 40 * 1024 * 8 if name == "lovasz" else 0
    assert sum(own.values()) < 30 * 32 * 32 + histograms + 10_000  # a few numbers a pixel, where one-hot has 40


def test_kornia_2264_dice_is_the_mean_of_the_classes_own(scene):
    logits, labels = scene
    each = [losses.dice_loss(logits, labels, weight=torch.eye(3)[c]) for c in range(2)]
    torch.testing.assert_close(losses.dice_loss(logits, labels), torch.stack(each).mean())


def test_kornia_1362_mmcv_1488_saturated_logits_in_half_precision():
    logits = torch.tensor([6e4, -6e4]).half().view(1, 1, 1, 2).requires_grad_()
    for target in (torch.tensor([[[1, 0]]]), torch.tensor([[[0, 1]]])):
        for loss in (losses.binary_focal_loss, losses.binary_cross_entropy):
            value = loss(logits, target)
            assert value.isfinite()
            assert gradient_of(value, logits).isfinite().all()


def test_optax_1267_sam3_484_gamma_zero_is_cross_entropy_where_p_is_one():
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]]).view(2, 2, 1, 1).requires_grad_()
    labels = torch.tensor([0, 0]).view(2, 1, 1)
    focal, plain = losses.focal_loss(logits, labels, gamma=0), losses.cross_entropy(logits, labels)
    assert torch.equal(focal, plain)
    assert torch.equal(gradient_of(focal, logits), gradient_of(plain, logits))


def test_monai_4656_369_a_class_that_never_occurs_has_no_infinite_weight():
    counts = torch.tensor([70, 30, 0])
    for weights in (
        losses.inverse_frequency_weights(counts),
        losses.median_frequency_weights(counts, torch.tensor([100, 100, 0])),
    ):
        assert weights.isfinite().all()
        assert weights[2] == 0


def test_enet_26_the_median_is_that_of_the_classes():
    pixels, image_pixels = torch.tensor([50, 30, 20]), torch.tensor([100, 100, 50])
    weights = losses.median_frequency_weights(pixels, image_pixels)
    torch.testing.assert_close(weights, torch.tensor([0.4 / 0.5, 0.4 / 0.3, 1.0]))


def test_bisenet_96_180_hard_examples_are_never_none():
    easy = torch.zeros(1, 2, 4, 4)
    easy[:, 0] = 20
    easy.requires_grad_()
    found = losses.ohem_cross_entropy(easy, torch.zeros(1, 4, 4, dtype=torch.int64))
    assert found.isfinite()
    assert gradient_of(found, easy).isfinite().all()
    assert losses.ohem_cross_entropy(easy, torch.full((1, 4, 4), 255)) == 0


def test_mmsegmentation_2996_dice_of_nothing_valid_is_zero(scene):
    logits, labels = scene
    loss = losses.dice_loss(logits, torch.full_like(labels, 255), smooth=1)
    assert loss == 0
    assert not gradient_of(loss, logits).any()


def test_lovasz_28_a_picture_of_one_class_alone(scene):
    logits, labels = scene
    for loss in (
        losses.lovasz_loss(logits, torch.zeros_like(labels)),
        losses.lovasz_hinge_loss(logits[:, 0], 0 * labels),
    ):
        assert loss.isfinite()
        assert gradient_of(loss, logits).isfinite().all()
