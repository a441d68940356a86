"""The exercises of lesson 03 as learners answer them: a hint follows what the code does, however it is written."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from segedu.classroom.exercises import segnet
from segedu.classroom.exercises.kept import SEGNET
from segedu.layers.way_back import WAYS_BACK

# Back to the window


def by_masks(pooled, offsets, size):
    fine = torch.zeros(*pooled.shape[:2], 2 * pooled.shape[2], 2 * pooled.shape[3])
    for offset in range(4):
        fine[:, :, offset // 2 :: 2, offset % 2 :: 2] = torch.where(offsets == offset, pooled, 0)
    return fine[:, :, : size[0], : size[1]]


def cell_by_cell(pooled, offsets, size):
    fine = np.zeros((*pooled.shape[:2], *size))
    for place, value in np.ndenumerate(pooled.numpy()):
        row, column = divmod(int(offsets[place]), 2)
        fine[(*place[:2], 2 * place[2] + row, 2 * place[3] + column)] = value
    return torch.tensor(fine)


def by_pytorch(pooled, offsets, size):
    """Each offset becomes the int64 position that PyTorch would have stored."""
    rows, columns = torch.arange(pooled.shape[2])[:, None], torch.arange(pooled.shape[3])
    indices = (2 * rows + offsets.long() // 2) * size[1] + 2 * columns + offsets.long() % 2
    return F.max_unpool2d(pooled, indices, 2, output_size=size)


def by_shuffling_pixels(pooled, offsets, size):
    planes = F.one_hot(offsets.long(), 4).movedim(-1, 2) * pooled[:, :, None]
    return F.pixel_shuffle(planes, 2)[:, :, 0, : size[0], : size[1]]


@pytest.mark.parametrize("answer", [by_masks, cell_by_cell, by_pytorch, by_shuffling_pixels])
def test_right_unpoolings_pass_however_written(answer):
    assert segnet.unpool.check(answer).status == "right"


def masks_columns_first(pooled, offsets, size):
    fine = torch.zeros(*pooled.shape[:2], 2 * pooled.shape[2], 2 * pooled.shape[3])
    for offset in range(4):
        fine[..., offset % 2 :: 2, offset // 2 :: 2] = pooled * (offsets == offset)
    return fine[..., : size[0], : size[1]]


def offsets_as_indices(pooled, offsets, size):
    return F.max_unpool2d(pooled, offsets.long(), 2, output_size=size)


def rows_of_the_pooled_map(pooled, offsets, size):
    fine = np.zeros((*pooled.shape[:2], size[0] * size[1]), dtype=np.float32)
    for place, value in np.ndenumerate(pooled.numpy()):
        row, column = divmod(int(offsets[place]), 2)
        fine[(*place[:2], (2 * place[2] + row) * pooled.shape[3] + 2 * place[3] + column)] = value
    return torch.tensor(fine).view(*pooled.shape[:2], *size)


def blocks_side_by_side(pooled, offsets, size):
    height, width = pooled.shape[2:]
    fine = torch.zeros(*pooled.shape[:2], 2 * height, 2 * width)
    for offset in range(4):
        row, column = divmod(offset, 2)
        part = fine[..., row * height :, column * width :][..., :height, :width]
        part[offsets == offset] = pooled[offsets == offset]
    return fine[..., : size[0], : size[1]]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (masks_columns_first, "2 * row + column, counted as one reads"),
        (offsets_as_indices, "positions in the whole map"),
        (rows_of_the_pooled_map, "rows of w cells, the width of the pooled map"),
        (blocks_side_by_side, "four quarters"),
        (lambda p, o, s: by_masks(p, o, (2 * p.shape[2], 2 * p.shape[3])), "has to be cut to size"),
        (lambda p, o, s: by_masks(p, o, (99, 99))[..., -s[0] :, -s[1] :], "the incomplete window is the last"),
        (lambda p, o, s: by_masks(p, o - 1, s), "counted from 1"),
        (lambda p, o, s: by_masks(p, 3 - o, s), "read from its end"),
        (lambda p, o, s: by_masks(p, 0 * o, s), "upper left cell of its window"),
        (lambda p, o, s: by_masks(p, o[:, :1].repeat(1, 3, 1, 1), s), "the first channel"),
        (lambda p, o, s: by_masks(p, o[0, 0].expand(p.shape), s), "offsets of the first. Each channel of each"),
        (lambda p, o, s: by_masks(p.clamp(min=0), o, s), "negative values are gone"),
        (lambda p, o, s: F.interpolate(p, size=s), "nearest-neighbour"),
        (lambda p, o, s: p.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., : s[0], : s[1]], "nearest-neighbour"),
        (lambda p, o, s: F.interpolate(p, s, mode="bilinear"), "bilinear"),
        (lambda p, o, s: by_masks(p, o, s).numpy(), "type ndarray; return a tensor"),
        (lambda p, o, s: by_masks(p, o, s)[:1], "has shape (1, 3, 8, 12); it should be (2, 3, 8, 12)"),
        (lambda p, o, s: F.max_unpool2d(p, o, 2, output_size=s), "your code stopped"),
    ],
)
def test_wrong_unpoolings_get_their_hint_however_written(answer, words):
    assert words in segnet.unpool.check(answer).hint


# From a position to an offset


@settings(deadline=None, max_examples=25)
@given(height=st.integers(1, 7), width=st.integers(1, 7), seed=st.integers(0, 99))
def test_the_offset_is_the_one_that_the_package_stores(height, width, seed):
    x = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(seed))
    _, indices = WAYS_BACK["indices"].pool()(x)
    _, offsets = WAYS_BACK["offsets"].pool()(x)
    mine = [segnet.window_offset.solution(index, width) for index in indices.flatten().tolist()]
    assert mine == offsets.flatten().tolist()


@pytest.mark.parametrize(
    "answer",
    [
        lambda index, width: index // width % 2 * 2 + index % width % 2,
        lambda index, width: ((index // width) & 1) << 1 | (index % width) & 1,
        lambda index, width: torch.arange(4).view(2, 2)[index // width % 2, index % width % 2],
        lambda index, width: np.ravel_multi_index([axis % 2 for axis in divmod(index, width)], (2, 2)),
    ],
)
def test_right_offsets_pass_however_written(answer):
    assert segnet.window_offset.check(answer).status == "right"


def divided_by_two(index, width):
    row, column = divmod(index, width)
    return 2 * (row % 2) + column / 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda index, width: index & 3, "the index modulo 4"),
        (lambda index, width: 2 * (index // width & 1) + (index & 1), "the column's parity is not the index's"),
        (lambda index, width: 2 * (index % width % 2) + index // width % 2, "changed places"),
        (lambda index, width: index // width % 2 + index % width % 2, "added"),
        (lambda index, width: sum(2 * part for part in divmod(index, width)) - index % width, "in the whole map"),
        (lambda index, width: index // (2 * width) * -(-width // 2) + index % width // 2, "number of the window"),
        (lambda index, width: index % width & 1, "only the column"),
        (lambda index, width: 2 * (index // (width // 2) % 2) + index % (width // 2) % 2, "half as long"),
        (lambda index, width: 1 + 2 * (index // width % 2) + index % width % 2, "counted from 0"),
        (divided_by_two, "return one whole number from 0 to 3; the function returns 0.0. Tried: divided_by_two(0, 6)."),
        (lambda index, width: divmod(index, width), "return one whole number from 0 to 3; the function returns (0, 0)"),
        (lambda index, width: 2, "the offset is 2; it should be 0. Tried: <lambda>(0, 6)."),
    ],
)
def test_wrong_offsets_get_their_hint_however_written(answer, words):
    assert words in segnet.window_offset.check(answer).hint


# What a design keeps


@settings(deadline=None, max_examples=25)
@given(
    way=st.sampled_from(["indices", "offsets", "pooled skip", "full skip"]),
    maps=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)), max_size=3),
)
def test_the_count_is_that_of_the_layers(way, maps):
    kept = [WAYS_BACK[way].pool()(torch.zeros(1, *one))[1] for one in maps]
    assert segnet.kept_bytes.solution(way, maps) == sum(one.nbytes for one in kept)


def test_segnet_keeps_what_the_design_says():
    mebibytes = {way: segnet.kept_bytes.solution(way, SEGNET) / 2**20 for way in ("offsets", "indices", "full skip")}
    assert mebibytes == {
        "offsets": pytest.approx(5.04, abs=0.01),
        "indices": pytest.approx(40.31, abs=0.01),
        "full skip": pytest.approx(80.45, abs=0.01),
    }


def by_running(way, maps):
    return sum(WAYS_BACK[way].pool()(torch.empty(1, *one, device="meta"))[1].nbytes for one in maps)


def with_numpy(way, maps):
    sizes = np.array(maps, dtype=np.int64).reshape(-1, 3)
    if way != "full skip":
        sizes = np.column_stack([sizes[:, 0], (sizes[:, 1:] + 1) // 2])
    item = {"indices": "int64", "offsets": "uint8"}.get(way, "float32")
    return sizes.prod(1).sum() * np.dtype(item).itemsize


@pytest.mark.parametrize("answer", [by_running, with_numpy])
def test_right_counts_pass_however_written(answer):
    assert segnet.kept_bytes.check(answer).status == "right"


PRICE = {"indices": 8, "offsets": 1, "pooled skip": 4, "full skip": 4}


def counted(half, price=PRICE, full=lambda h, w: h * w, times=1):
    def answer(way, maps):
        total = 0
        for channels, height, width in maps:
            cells = full(height, width) if way == "full skip" else half(height) * half(width)
            total += channels * cells * price[way]
        return total * times

    return answer


def up(side):
    return -(-side // 2)


def returns_inside_the_loop(way, maps):
    for one in maps:
        return by_running(way, [one])
    return 0


def starts_again(way, maps):
    total = 0
    for one in maps:
        total = by_running(way, [one])
    return total


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (counted(lambda side: side // 2), "halves are rounded up"),
        (counted(up, full=lambda h, w: up(h) * up(w)), "counted after pooling"),
        (counted(up, price=PRICE | {"indices": 4}), "like int32"),
        (counted(up, price=PRICE | {"offsets": 4}), "like float32. A uint8"),
        (counted(up, price=dict.fromkeys(PRICE, 1)), "numbers are counted and not bytes"),
        (counted(up, times=8), "a byte has eight"),
        (counted(lambda side: side), "keep a quarter as many"),
        (returns_inside_the_loop, "only the first map"),
        (starts_again, "only the last map"),
        (lambda way, maps: by_running(way, [(1, h, w) for _, h, w in maps]), "one channel is counted"),
        (counted(up, times=2**-20), "return a whole number of bytes; the function returns"),
        (counted(up, times=3), "the number of bytes is 288; it should be 96. Tried: answer('indices', [(2, 4, 6)])."),
        (counted(lambda side: side / 2), "return a whole number of bytes"),
    ],
)
def test_wrong_counts_get_their_hint_however_written(answer, words):
    assert words in segnet.kept_bytes.check(answer).hint
