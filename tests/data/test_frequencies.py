import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segedu.data.camvid import CamVid
from segedu.data.frequencies import ClassFrequencies, class_frequencies, median_frequency_weights


class Labels:
    """A data set of label maps alone."""

    ignore_index = 255

    def __init__(self, maps, classes):
        self.maps = maps
        self.classes = tuple(map(str, range(classes)))

    def __len__(self):
        return len(self.maps)

    def __getitem__(self, index):
        return None, self.maps[index]


def test_numbers_of_caffe_segnet_issue_37():
    """All 12 values of the files, void as a class, since that is how the published figures were made."""
    pixels = [10682767, 14750079, 623349, 20076880, 2845085, 6166762, 743859, 714595, 3719877, 405385, 184967, 2503995]
    files = [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201, 367]
    counts = ClassFrequencies(torch.tensor(pixels), torch.tensor(files) * 480 * 360)
    expected = [
        0.256527, 0.185283, 4.396288, 0.136869, 0.918473, 0.387320,
        3.533074, 1.812685, 0.724620, 5.855013, 8.136508, 1.097410,
    ]  # fmt: skip
    torch.testing.assert_close(median_frequency_weights(counts), torch.tensor(expected), rtol=0, atol=1e-6)


def test_camvid_equals_its_published_table(real_data):
    counts = class_frequencies(CamVid(real_data, "train"))
    share = 100 * counts.pixels / (367 * 360 * 480)
    table = [16.845, 23.259, 0.983, 31.658, 4.486, 9.724, 1.173, 1.127, 5.866, 0.639, 0.292]
    torch.testing.assert_close(share, torch.tensor(table), rtol=0, atol=5e-4)
    assert (counts.image_pixels // (360 * 480)).tolist() == [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201]
    weights = [0.2793, 0.2017, 4.7865, 0.1490, 1.0000, 0.4217, 3.8467, 1.9736, 0.7889, 6.3747, 8.8587]
    torch.testing.assert_close(median_frequency_weights(counts), torch.tensor(weights), rtol=0, atol=5e-5)


@given(st.data())
def test_counts_equal_a_plain_loop(data):
    classes = data.draw(st.integers(1, 5))
    values = st.sampled_from([*range(classes), 255])
    maps = []
    for _ in range(data.draw(st.integers(1, 4))):
        height, width = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
        flat = data.draw(st.lists(values, min_size=height * width, max_size=height * width))
        maps.append(torch.tensor(flat).view(width, height).T)  # not contiguous, and sizes differ
    counts = class_frequencies(Labels(maps, classes))
    for index in range(classes):
        assert counts.pixels[index] == sum((labels == index).sum() for labels in maps)
        assert counts.image_pixels[index] == sum(labels.numel() for labels in maps if (labels == index).any())
    present = counts.pixels > 0
    weights = median_frequency_weights(counts)
    assert weights.dtype == torch.float32
    assert (weights[present] > 0).all()
    assert (weights[~present] == 0).all()
    # A class of median frequency weighs 1, so half of the classes weigh no less and half no more.
    assert (weights[present] >= 1 - 1e-6).sum() * 2 >= present.sum()
    assert (weights[present] <= 1 + 1e-6).sum() * 2 >= present.sum()


def test_all_void_weighs_nothing():
    weights = median_frequency_weights(class_frequencies(Labels([torch.full((4, 4), 255)], 3)))
    assert weights.tolist() == [0, 0, 0]


def test_foreign_label_is_named():
    with pytest.raises(ValueError, match="item 1 holds class 7, but the data set names 3 classes"):
        class_frequencies(Labels([torch.zeros(2, 2, dtype=torch.int64), torch.full((2, 2), 7)], 3))
