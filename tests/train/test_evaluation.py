"""Evaluation counts what a brute-force loop counts."""

import contextlib

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from segedu.data import Cells
from segedu.metrics import ConfusionMatrix
from segedu.mode import mode
from segedu.models import create
from segedu.train import Recipe, fit
from segedu.train.evaluation import evaluate


class Album:
    """Images of different sizes, with void."""

    classes = ("a", "b", "c")

    def __len__(self):
        return 5

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        size = (4 + index % 2, 5)
        label = torch.randint(0, 4, size, generator=generator)
        return torch.randn(3, *size, generator=generator), label.masked_fill(label == 3, 255)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Dropout(0.5))


def counted_by_hand(model, data):
    matrix = torch.zeros(3, 3, dtype=torch.int64)
    model.eval()
    for i in range(len(data)):
        image, label = data[i]
        called = model(image[None]).argmax(1)[0]
        for truth, guess in zip(label.flatten().tolist(), called.flatten().tolist(), strict=True):
            if truth != 255:
                matrix[truth, guess] += 1
    return matrix


@pytest.mark.parametrize("batch_size", [1, 2, 9])
@pytest.mark.parametrize("workers", [0, 2])
def test_counts_equal_brute_force(batch_size, workers):
    counts = evaluate(net(), Album(), batch_size=batch_size, device="cpu", workers=workers)
    assert torch.equal(counts.matrix, counted_by_hand(net(), Album()))


def test_tensors_and_the_given_number_of_classes():
    images, labels = (torch.stack(parts) for parts in zip(*(Album()[i] for i in (0, 2, 4)), strict=True))
    data = TensorDataset(images, labels)
    assert torch.equal(
        evaluate(net(), data, batch_size=2, device="cpu", num_classes=3).matrix, counted_by_hand(net(), data)
    )
    with pytest.raises(ValueError, match="num_classes is not given and TensorDataset has no classes"):
        evaluate(net(), data, device="cpu")


def test_nothing_is_disturbed():
    model = net()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, Album(), device="cpu")
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_modes_come_back_after_an_error():
    model = net()
    model[1].eval()
    with pytest.raises(ValueError, match="batch_size is 0"):
        evaluate(model, Album(), device="cpu", batch_size=0)
    with contextlib.suppress(KeyError), mode(model, training=False):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == [True, True, False, True]


def test_bfloat16_reaches_the_model():
    seen = set()
    model = net()
    model[0].register_forward_hook(lambda _module, _inputs, output: seen.add(output.dtype))
    evaluate(model, Album(), device="cpu", precision="bfloat16")
    assert seen == {torch.bfloat16}


def test_the_bar_counts_images_on_standard_error(capsys):
    evaluate(net(), Album(), batch_size=2, device="cpu", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "5/5" in err


def test_a_network_without_padding_is_trained_and_judged_where_it_scores():
    cells = Cells(size=(204, 220), length=2)
    model = create("unet_original", 2, width=2)
    history = fit(model, cells, Recipe(steps=2, batch_size=2), validation=cells, device="cpu", progress=False)
    assert history.steps == 2
    counts = evaluate(model, cells, device="cpu")
    images, labels = cells.batch(range(2), device="cpu")
    middle = labels[:, 92:112, 92:128]
    with torch.no_grad():
        called = model.eval()(images)["out"].argmax(1)
    expected = ConfusionMatrix(2)
    expected.update(called, middle)
    assert torch.equal(counts.matrix, expected.matrix)
