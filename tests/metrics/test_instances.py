"""Counting objects: closed forms of hits, misses, merges and splits; and a pairwise oracle."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segedu.instances import components
from segedu.metrics import InstanceCounts


def row(text):
    """``"##.#"`` as a label map ``(1, 3, W)``, the row three times."""
    return torch.tensor([[[character == "#" for character in text]] * 3]).long()


def counted(called, truth, **options):
    counts = InstanceCounts(**options)
    counts.update(called, truth)
    scores = counts.scores()
    return scores.true, scores.predicted, scores.matched, scores.merged, scores.split


@pytest.mark.parametrize(
    ("called", "truth", "expected"),
    [
        ("###.####.", "###.####.", (2, 2, 2, 0, 0)),
        ("########.", "###.####.", (2, 1, 0, 2, 0)),  # one prediction over both; 4 of 8 pixels are no match
        ("########.", "##.#####.", (2, 1, 1, 2, 0)),  # merged, and yet it matches the larger: 5 of 8
        ("###.####.", "########.", (1, 2, 0, 0, 2)),
        (".........", "###.####.", (2, 0, 0, 0, 0)),
        ("###.####.", ".........", (0, 2, 0, 0, 0)),
        ("..#######", "########.", (1, 1, 1, 0, 0)),  # 6 of 9
        ("....#####", "########.", (1, 1, 0, 0, 0)),  # 4 of 9
        ("##.......", "####.....", (1, 1, 0, 0, 0)),  # exactly one half is no match
    ],
)
def test_closed_forms(called, truth, expected):
    assert counted(row(called), row(truth)) == expected


def test_scores_follow_from_the_counts():
    counts = InstanceCounts()
    counts.update(row("##.##.##."), row("##......."))
    scores = counts.scores()
    assert (scores.precision, scores.recall, scores.f1) == (1 / 3, 1.0, 0.5)
    empty = InstanceCounts().scores()
    assert all(map(math.isnan, (empty.precision, empty.recall, empty.f1)))


def pairwise(called, truth):
    """Counts from the areas of all pairs of objects."""
    totals = torch.zeros(5, dtype=torch.int64)
    for found, true in zip(called, truth, strict=True):
        shapes = [found == i for i in found[found > 0].unique()], [true == i for i in true[true > 0].unique()]
        common = torch.tensor([[int((a & b).sum()) for b in shapes[1]] for a in shapes[0]]).view(*map(len, shapes))
        areas = [torch.tensor([int(shape.sum()) for shape in kind]) for kind in shapes]
        union = areas[0][:, None] + areas[1] - common
        inside, holds = 2 * common > areas[1], 2 * common > areas[0][:, None]
        merged, split = inside.sum(1), holds.sum(0)
        totals += torch.tensor(
            [
                len(shapes[1]),
                len(shapes[0]),
                int((2 * common > union).sum()),
                int(merged[merged > 1].sum()),
                int(split[split > 1].sum()),
            ]
        )
    return tuple(totals.tolist())


@given(seed=st.integers(0, 9999), share=st.floats(0.0, 0.3), images=st.integers(1, 3))
def test_equals_all_pairs(seed, share, images):
    generator = torch.Generator().manual_seed(seed)
    truth = (torch.rand(images, 5, 6, generator=generator) < 0.5).long().repeat_interleave(2, 1)
    called = torch.where(torch.rand(truth.shape, generator=generator) < share, 1 - truth, truth)
    for connectivity in (4, 8):
        ids = [components(labels, connectivity) for labels in (called, truth)]
        assert counted(called, truth, connectivity=connectivity) == pairwise(*ids)


def test_streams_and_adds_up():
    truth, called = (torch.rand(6, 12, 14) < 0.4).long(), (torch.rand(6, 12, 14) < 0.4).long()
    whole, first, second = (InstanceCounts() for _ in range(3))
    whole.update(called, truth)
    for image in range(6):
        (first if image < 4 else second).update(called[image : image + 1], truth[image : image + 1])
    assert (first + second).scores() == whole.scores()
    whole.reset()
    assert whole.scores().true == 0


def test_scores_void_and_given_ids():
    truth = row("###.####.")
    logits = torch.stack([1 - truth, truth], 1).float()
    assert counted(logits, truth) == (2, 2, 2, 0, 0)
    voided = truth.clone()
    voided[:, :, :3] = 255
    assert counted(row("#########"), voided) == (1, 1, 1, 0, 0)  # 4 of 6 valid pixels
    counts, touching = InstanceCounts(), truth * torch.tensor([5, 5, 5, 0, 2**40, 2**40, 7, 7, 0])
    counts.update(truth, truth, touching)
    assert (counts.scores().true, counts.scores().merged) == (3, 2)


def test_refuses():
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"instances have shape \(1, 4, 3\)"):
        InstanceCounts().update(labels, labels, labels[..., :3])
    with pytest.raises(ValueError, match="a score per image"):
        InstanceCounts().update(labels[0], labels[0])
    with pytest.raises(ValueError, match="cannot add"):
        InstanceCounts() + InstanceCounts(connectivity=8)
