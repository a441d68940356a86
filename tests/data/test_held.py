"""Pictures held in memory: what a transform makes of them, and what training makes of that."""

import pytest
import torch
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from segedu.data import ElasticDeformation, Held
from segedu.train import Recipe, fit


@pytest.fixture
def pair():
    source = torch.Generator().manual_seed(0)
    return torch.randn(3, 3, 12, 10, generator=source), torch.randint(0, 2, (3, 12, 10), generator=source)


def test_image_and_labels_go_through_one_draw(pair):
    images, labels = pair
    held = Held(images, labels, v2.RandomHorizontalFlip())
    seen = set()
    for _ in range(20):
        image, mask = held[1]
        assert isinstance(image, tv_tensors.Image)
        assert isinstance(mask, tv_tensors.Mask)
        turned = torch.equal(image, images[1].flip(-1))
        assert turned or torch.equal(image, images[1])
        assert torch.equal(mask, labels[1].flip(-1) if turned else labels[1])
        seen.add(turned)
    assert seen == {True, False}
    assert len(held) == 3


def test_a_deformation_is_drawn_again_each_time_and_leaves_the_pictures(pair):
    images, labels = (part.clone() for part in pair)
    held = Held(*pair, ElasticDeformation(sigma=2.0))
    assert not torch.equal(held[0][0], held[0][0])
    assert torch.equal(held.images, images)
    assert torch.equal(held.labels, labels)


def test_training_on_bent_pictures_depends_on_the_seed_alone(pair):
    def trained(seed):
        torch.manual_seed(0)
        net = nn.Conv2d(3, 2, 3, padding=1)
        torch.manual_seed(torch.seed() % 1000)  # the caller's random state has no say
        fit(net, Held(*pair, ElasticDeformation(sigma=2.0)), Recipe(steps=3, batch_size=2, seed=seed), progress=False)
        return net.weight

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_pictures_and_labels_have_to_fit(pair):
    with pytest.raises(ValueError, match=r"images are \(3, 3, 12, 10\) and labels \(2, 12, 10\)"):
        Held(pair[0], pair[1][:2], ElasticDeformation())
