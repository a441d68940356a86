"""The exercises of lesson 00 as learners answer them: a hint follows what the code does, however it is written."""

from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from segedu.classroom.exercises import pixels
from segedu.classroom.explorers.pixels_cells import most_common
from segedu.metrics import ConfusionMatrix

VOID = 255


def drawn(seed, *shape):
    """Label maps of four classes and void."""
    draw = torch.Generator().manual_seed(seed)
    return torch.tensor([0, 1, 2, 3, VOID])[torch.randint(0, 5, shape, generator=draw)]


# The confusion matrix


def with_numpy(predicted, labels, num_classes):
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    valid = labels.numpy() != VOID
    np.add.at(matrix, (labels.numpy()[valid], predicted.numpy()[valid]), 1)
    return torch.from_numpy(matrix)


def pixel_after_pixel(predicted, labels, num_classes):
    matrix = torch.zeros(num_classes, num_classes)
    for true, called in zip(labels.flatten().tolist(), predicted.flatten().tolist(), strict=True):
        if true < num_classes:
            matrix[true, called] += 1
    return matrix


def by_products(predicted, labels, num_classes):
    valid = labels != VOID
    true, called = (F.one_hot(one[valid], num_classes) for one in (labels, predicted))
    return true.T @ called


@pytest.mark.parametrize("answer", [with_numpy, pixel_after_pixel, by_products])
def test_right_tables_pass_however_written(answer):
    assert pixels.confusion_matrix.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999))
def test_the_solutions_are_the_package_s_table_and_its_iou(seed):
    labels, predicted = drawn(seed, 2, 5, 7), drawn(seed + 1, 2, 5, 7).clamp(max=3)
    theirs = ConfusionMatrix(5)
    theirs.update(predicted, labels)
    assert torch.equal(pixels.confusion_matrix.solution(predicted, labels, 5), theirs.matrix)
    mine = pixels.class_iou.solution(theirs.matrix)
    torch.testing.assert_close(mine, theirs.scores().iou, equal_nan=True)


def table(rows, columns, num_classes):
    return torch.bincount(num_classes * rows + columns, minlength=num_classes**2).view(num_classes, num_classes)


def kept(predicted, labels):
    return labels[labels != VOID], predicted[labels != VOID]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p, y, k: table(*reversed(kept(p, y)), k), "rows and columns have changed places"),
        (lambda p, y, k: table((y * (y != VOID)).flatten(), p.flatten(), k), "counted as class 0"),
        (lambda p, y, k: table(y.clamp(max=k - 1).flatten(), p.flatten(), k), "counted as the last class"),
        (lambda p, y, k: table(y.where(y != VOID, p).flatten(), p.flatten(), k), "counted as right"),
        (lambda p, y, k: table(*kept(p[0], y[0]), k), "the first picture alone"),
        (lambda p, y, k: table(*kept(p, y), k) / kept(p, y)[0].numel(), "divided by the number of pixels"),
        (lambda p, y, k: F.normalize(table(*kept(p, y), k).float(), p=1, dim=1), "each row is divided by its sum"),
        (lambda p, y, k: torch.diag(table(*kept(p, y), k).diagonal()), "the right pixels alone"),
        (lambda p, y, k: table(*kept(p, y), k).fill_diagonal_(0), "the wrong pixels alone"),
        (lambda p, y, k: table(*kept(p, y), k + 1), "it should be (3, 3)"),
        (lambda p, y, k: table(y.flatten(), p.flatten(), k), "your code stopped"),
    ],
)
def test_wrong_tables_get_their_hint(answer, words):
    assert words in pixels.confusion_matrix.check(answer).hint


def test_a_pair_written_once_is_told_from_one_that_is_counted():
    def written(predicted, labels, num_classes):
        true, called = kept(predicted, labels)
        matrix = torch.zeros(num_classes, num_classes)
        matrix[true, called] = matrix[true, called] + 1
        return matrix

    def added(predicted, labels, num_classes):
        matrix = torch.zeros(num_classes, num_classes)
        ones = torch.ones(int((labels != VOID).sum()))
        return matrix.index_put_(kept(predicted, labels), ones, accumulate=True)

    assert "each pair is counted once" in pixels.confusion_matrix.check(written).hint
    assert pixels.confusion_matrix.check(added).status == "right"


# IoU from the table


def class_by_class(matrix):
    shares = []
    for k in range(len(matrix)):
        union = int(matrix[k].sum() + matrix[:, k].sum() - matrix[k, k])
        shares.append(int(matrix[k, k]) / union if union else float("nan"))
    return torch.tensor(shares)


def hits_misses_and_inventions(matrix):
    hits = matrix.diagonal()
    return hits / (hits + (matrix.sum(0) - hits) + (matrix.sum(1) - hits))


@pytest.mark.parametrize("answer", [class_by_class, hits_misses_and_inventions])
def test_right_shares_pass_however_written(answer):
    assert pixels.class_iou.check(answer).status == "right"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda m: m.diagonal() / m.sum(1), "this is recall"),
        (lambda m: m.diag() / m.sum(0), "this is precision"),
        (lambda m: m.diag() / (m.sum(0) + m.sum(1)), "stands twice below"),
        (lambda m: 2 * m.diag() / (m.sum(0) + m.sum(1)), "this is Dice"),
        (lambda m: hits_misses_and_inventions(m).nan_to_num(), "has 0, as if something had been missed"),
        (lambda m: m.diag() / (m.sum(0) + m.sum(1) - m.diag()).clamp(min=1), "has 0, as if something had been missed"),
        (lambda m: hits_misses_and_inventions(m).nan_to_num(1), "has 1, as if all of it"),
        (lambda m: hits_misses_and_inventions(m).masked_fill(m.sum(1) == 0, torch.nan), "truly nowhere has NaN"),
        (lambda m: hits_misses_and_inventions(m)[~hits_misses_and_inventions(m).isnan()], "get the wrong place"),
        (lambda m: hits_misses_and_inventions(m).nanmean(), "one value for each"),
        (lambda m: m.diag() / m.sum(), "divided by all pixels"),
        (lambda m: 100 * hits_misses_and_inventions(m), "per cent"),
        (lambda m: (m.diag() + 1) / (m.sum(0) + m.sum(1) - m.diag() + 1), "1 is added above and below"),
        (lambda m: m.diag() - 1, "other numbers|it should be"),
    ],
)
def test_wrong_shares_get_their_hint(answer, words):
    hint = pixels.class_iou.check(answer).hint
    assert any(word in hint for word in words.split("|"))


# Labels on cells


def cell_after_cell(labels, cell, num_classes):
    rows, cols = (side // cell for side in labels.shape)
    found = torch.full((rows, cols), VOID)
    for row in range(rows):
        for col in range(cols):
            block = labels[row * cell :, col * cell :][:cell, :cell].flatten().tolist()
            votes = Counter(label for label in block if label != VOID)
            if votes:
                found[row, col] = min(votes, key=lambda label: (-votes[label], label))
    return found


def by_shares(labels, cell, num_classes):
    known = torch.stack([(labels == k).float() for k in range(num_classes)])
    shares = F.avg_pool2d(known[None], cell)[0]
    return shares.argmax(0).where(shares.amax(0) > 0, VOID)


@pytest.mark.parametrize("answer", [cell_after_cell, by_shares])
def test_right_cells_pass_however_written(answer):
    assert pixels.on_cells.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), cell=st.integers(1, 4))
def test_the_solution_is_the_explorer_s(seed, cell):
    labels = drawn(seed, 3 * cell, 2 * cell)
    mine = pixels.on_cells.solution(labels, cell, 4)
    enlarged = mine.repeat_interleave(cell, 0).repeat_interleave(cell, 1)
    assert torch.equal(enlarged, most_common(labels, cell, 4, VOID))


def pooled(labels, cell):
    return F.avg_pool2d(labels[None].float(), cell, divisor_override=1)[0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda y, cell, k: (
                (pooled(y * (y != VOID), cell) / pooled(1.0 * (y != VOID), cell)).nan_to_num(VOID).round()
            ),
            "the class numbers are averaged",
        ),
        (lambda y, cell, k: F.avg_pool2d(y[None].float(), cell)[0].round(), "void (255) among them"),
        (lambda y, cell, k: y[::cell, ::cell], "the one at the top left"),
        (
            lambda y, cell, k: F.interpolate(y[None, None].float(), scale_factor=1 / cell, mode="nearest")[0, 0],
            "the one at the top left",
        ),
        (lambda y, cell, k: y[cell // 2 :: cell, cell // 2 :: cell], "the one in the middle"),
        (lambda y, cell, k: -F.max_pool2d(-y[None].float(), cell)[0], "the smallest number"),
        (
            lambda y, cell, k: torch.stack([pooled((y == c) * 1.0, cell) for c in range(k)]).argmax(0),
            "becomes class 0: all counts are 0",
        ),
        (
            lambda y, cell, k: by_shares(y, cell, k).repeat_interleave(cell, 0).repeat_interleave(cell, 1),
            "enlarged to the size of the picture again",
        ),
        (lambda y, cell, k: by_shares(y, cell, k) + 1, "other numbers than it should"),
    ],
)
def test_wrong_cells_get_their_hint(answer, words):
    assert words in pixels.on_cells.check(answer).hint
