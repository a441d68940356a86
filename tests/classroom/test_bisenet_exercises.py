"""The exercises of lesson 06 as learners answer them: a hint follows what the code does, however it is written."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segedu.classroom.exercises import bisenet
from segedu.metrics import ConfusionMatrix
from segedu.models.bisenet import FeatureFusion

# The listing


class Given(nn.Module):
    """The notebook's cell."""

    def __init__(self, trunk, num_classes, width):
        super().__init__()
        deep = trunk.stage.out_channels
        self.trunk = trunk
        self.stage = trunk.stage
        self.attend = nn.Conv2d(deep, deep, 1, bias=False)
        self.norm = nn.BatchNorm2d(deep)
        self.mix = nn.Sequential(
            nn.Conv2d(width + deep, num_classes, 1, bias=False), nn.BatchNorm2d(num_classes), nn.ReLU()
        )
        self.score = nn.Conv2d(num_classes, num_classes, 1)

    def forward(self, detail, early, size):
        deep = self.stage(early)
        whole = deep.mean((2, 3), keepdim=True)
        refined = deep * self.attend(whole).sigmoid()
        context = F.interpolate(refined * whole, detail.shape[-2:], mode="bilinear")
        fused = self.mix(torch.cat([detail, context], 1))
        return self.score(F.interpolate(fused, size, mode="bilinear"))


class Repaired(nn.Module):
    """As a learner repairs it."""

    def __init__(self, trunk, num_classes, width):
        super().__init__()
        deep = trunk.stage.out_channels
        self.stage = trunk.stage
        self.attend = nn.Conv2d(deep, deep, 1, bias=False)
        self.norm = nn.BatchNorm2d(deep)
        self.mix = nn.Sequential(
            nn.Conv2d(width + deep, 2 * width, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU()
        )
        self.score = nn.Conv2d(2 * width, num_classes, 1)

    def gate(self, whole):
        return self.norm(self.attend(whole)).sigmoid()

    def context(self, deep, whole):
        return deep * self.gate(whole) + whole

    def forward(self, detail, early, size):
        deep = self.stage(early)
        context = self.context(deep, deep.mean((2, 3), keepdim=True))
        context = F.interpolate(context, detail.shape[-2:], mode="bilinear")
        return self.end(self.mix(torch.cat([detail, context], 1)), size)

    def end(self, fused, size):
        return F.interpolate(self.score(fused), size, mode="bilinear")


class InSequence(Repaired):
    """Other names, other modules, the same effect."""

    def __init__(self, trunk, num_classes, width):
        super().__init__(trunk, num_classes, width)
        self.attention = nn.Sequential(nn.AdaptiveAvgPool2d(1), self.attend, self.norm, nn.Sigmoid())
        del self.attend, self.norm

    def forward(self, detail, early, size):
        deep = self.stage(early)
        context = torch.addcmul(deep.mean((2, 3), keepdim=True), deep, self.attention(deep))
        fused = self.mix(torch.concat([detail, F.interpolate(context, scale_factor=2, mode="bilinear")], 1))
        return F.interpolate(self.score(fused), scale_factor=8, mode="bilinear")


def as_a_function(trunk, num_classes, width):
    return Repaired(trunk, num_classes, width)


@pytest.mark.parametrize("answer", [Repaired, InSequence, as_a_function])
def test_right_listings_pass_however_written(answer):
    assert bisenet.listing.check(answer).status == "right"


def test_the_given_listing_is_known():
    assert bisenet.listing.check(Given).status == "not done yet"


class IdleNorm(Repaired):
    def gate(self, whole):
        return self.attend(whole).sigmoid()


class NoNorm(IdleNorm):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        del self.norm


class NormLast(Repaired):
    def gate(self, whole):
        return self.norm(self.attend(whole).sigmoid())


class NormFirst(Repaired):
    def gate(self, whole):
        return self.attend(self.norm(whole)).sigmoid()


class NoSigmoid(Repaired):
    def gate(self, whole):
        return self.norm(self.attend(whole))


class Multiplied(Repaired):
    def context(self, deep, whole):
        return deep * self.gate(whole) * whole


class AddedFirst(Repaired):
    def context(self, deep, whole):
        return (deep + whole) * self.gate(whole)


class Forgotten(Repaired):
    def context(self, deep, whole):
        return deep * self.gate(whole)


class OfTheRefined(Repaired):
    def context(self, deep, whole):
        refined = deep * self.gate(whole)
        return refined + refined.mean((2, 3), keepdim=True)


class Beside(Repaired):
    def __init__(self, trunk, num_classes, width):
        super().__init__(trunk, num_classes, width)
        self.mix[0] = nn.Conv2d(width + 2 * trunk.stage.out_channels, 2 * width, 1, bias=False)

    def context(self, deep, whole):
        return torch.cat([deep * self.gate(whole), whole.expand(-1, -1, *deep.shape[2:])], 1)


class KeepsClassifier(Repaired):
    def __init__(self, trunk, num_classes, width):
        super().__init__(trunk, num_classes, width)
        self.classifier = trunk.fc


class KeepsTrunk(Repaired):
    def __init__(self, trunk, num_classes, width):
        super().__init__(trunk, num_classes, width)
        self.trunk = trunk


class TwoNames(Repaired):
    def __init__(self, trunk, num_classes, width):
        super().__init__(trunk, num_classes, width)
        self.layers = nn.Sequential(trunk.stage)


class Narrow(Repaired):
    def __init__(self, trunk, num_classes, width, channels=2):
        super().__init__(trunk, num_classes, width)
        self.mix = nn.Sequential(
            nn.Conv2d(width + trunk.stage.out_channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.score = nn.Conv2d(channels, num_classes, 1)


class HalfAsWide(Narrow):
    def __init__(self, trunk, num_classes, width):
        super().__init__(trunk, num_classes, width, width)


class Late(Repaired):
    def end(self, fused, size):
        return self.score(F.interpolate(fused, size, mode="bilinear"))


class Repeated(Repaired):
    def end(self, fused, size):
        return F.interpolate(self.score(fused), size)


class Aligned(Repaired):
    def end(self, fused, size):
        return F.interpolate(self.score(fused), size, mode="bilinear", align_corners=True)


class Small(Repaired):
    def end(self, fused, size):
        return self.score(fused)


class TwoLeft(Late):
    def context(self, deep, whole):
        return deep * self.attend(whole).sigmoid() * whole


class ForgetsReturn(Repaired):
    def end(self, fused, size):
        self.score(fused)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (IdleNorm, "one fault is left: the gate's batch norm is made and never called"),
        (NoNorm, "the idle batch norm is gone"),
        (NormLast, "stands after the sigmoid"),
        (NormFirst, "stands before the 1x1 convolution"),
        (NoSigmoid, "the gate has lost its sigmoid"),
        (Multiplied, "one fault is left: the global context multiplies the map"),
        (AddedFirst, "the gate weighs the global context as well"),
        (Forgotten, "the global context is gone"),
        (OfTheRefined, "the gate weighs the global context as well"),
        (Beside, "the global context stands beside the map"),
        (KeepsClassifier, "one fault is left: the trunk's classifier is still registered"),
        (KeepsTrunk, "the trunk is still registered whole"),
        (TwoNames, "one fault is left: the stage is registered under two names"),
        (Narrow, "one fault is left: the two paths are mixed into one channel a class"),
        (HalfAsWide, "mixed into width channels"),
        (Late, "one fault is left: the scores are made after the enlargement"),
        (Repeated, "enlarged by repeating cells"),
        (Aligned, "aligns the corners' centres"),
        (Small, "the scores stay at 1/8"),
        (TwoLeft, "the number of weights without a gradient is 2; it should be 0"),
        (ForgetsReturn, "forward returns an object of type NoneType"),
        (lambda trunk, num_classes, width: 3, "hand over the class, an nn.Module"),
    ],
)
def test_wrong_listings_get_their_hint(answer, words):
    assert words in bisenet.listing.check(answer).hint


# Feature fusion


def by_pooling(spatial, context, mix, down, up):
    fused = mix(torch.cat((spatial, context), dim=1))
    gate = torch.sigmoid(up(F.relu(down(F.adaptive_avg_pool2d(fused, 1)))))
    return torch.addcmul(fused, fused, gate)


def by_factoring(spatial, context, mix, down, up):
    fused = mix(torch.cat((spatial, context), dim=1))
    return fused * (1 + up(down(fused.mean((-1, -2))[..., None, None]).clamp(min=0)).sigmoid())


@pytest.mark.parametrize("answer", [by_pooling, by_factoring])
def test_right_fusions_pass_however_written(answer):
    assert bisenet.feature_fusion.check(answer).status == "right"


def test_the_solution_is_the_package_s_fusion():
    torch.manual_seed(0)
    module = FeatureFusion(5, 4).eval()
    spatial, context = torch.randn(2, 2, 3, 5), torch.randn(2, 3, 3, 5)
    mine = bisenet.feature_fusion.solution(spatial, context, module.mix, module.gate[1], module.gate[3])
    torch.testing.assert_close(mine, module(spatial, context))


def written(weigh):
    return lambda s, c, mix, down, up: weigh(mix(torch.cat([s, c], 1)), down, up)


def mean(x):
    return x.mean((2, 3), keepdim=True)


def gate(x, down, up):
    return up(down(x).relu()).sigmoid()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (written(lambda x, d, u: x * gate(mean(x), d, u)), "the weighed map is returned alone"),
        (written(lambda x, d, u: x + gate(mean(x), d, u)), "the gate itself is added"),
        (written(lambda x, d, u: x), "the gate is missing"),
        (written(lambda x, d, u: x + x * gate(x, d, u)), "a value for every cell"),
        (written(lambda x, d, u: x + x * gate(x.mean((0, 2, 3), keepdim=True), d, u)), "over the batch as well"),
        (written(lambda x, d, u: x + x * gate(x.amax((2, 3), keepdim=True), d, u)), "the largest value"),
        (written(lambda x, d, u: x + x * gate(x.sum((2, 3), keepdim=True), d, u)), "the sum over the map"),
        (written(lambda x, d, u: x + x * u(d(mean(x))).sigmoid()), "no ReLU between"),
        (written(lambda x, d, u: x + x * u(d(mean(x)).relu()).relu().sigmoid()), "a ReLU before the sigmoid"),
        (written(lambda x, d, u: x + x * u(d(mean(x)).relu())), "the sigmoid is missing"),
        (written(lambda x, d, u: x + x * u(d(mean(x)).relu()).softmax(1)), "a softmax makes the channels share"),
        (written(lambda x, d, u: x + x * gate(mean(x), u, d)), "have changed places: down comes first"),
        (lambda s, c, mix, d, u: by_pooling(c, s, mix, d, u), "context is joined first"),
        (lambda s, c, mix, d, u: mix(s + c), "your code stopped"),
        (lambda s, c, mix, d, u: by_pooling(s, c, mix, d, u).tolist(), "return a tensor"),
        (lambda s, c, mix, d, u: 3 * by_pooling(s, c, mix, d, u), "other numbers than it should"),
    ],
)
def test_wrong_fusions_get_their_hint(answer, words):
    assert words in bisenet.feature_fusion.check(answer).hint


# The score at full size


def by_confusion(scores, labels):
    counts = ConfusionMatrix(scores.shape[1])
    counts.update(F.interpolate(scores, scale_factor=8, mode="bilinear"), labels)
    return counts.scores().pixel_accuracy


def pixel_by_pixel(scores, labels):
    large = F.interpolate(scores, labels.shape[1:], mode="bilinear", align_corners=False).softmax(1)
    known = labels < 255
    return float(((large.max(1).indices == labels) & known).sum()) / int(known.sum())


@pytest.mark.parametrize("answer", [by_confusion, pixel_by_pixel])
def test_right_scores_pass_however_written(answer):
    assert bisenet.full_size_accuracy.check(answer).status == "right"


def large(scores, labels, **options):
    return F.interpolate(scores, labels.shape[1:], mode="bilinear", **options).argmax(1)


def share(found, labels):
    return (found == labels)[labels != 255].float().mean()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda s, y: share(s.argmax(1), y[:, ::8, ::8]), "the labels are brought down"),
        (lambda s, y: share(s.argmax(1), y[:, 4::8, 4::8]), "one pixel of each 8 x 8"),
        (
            lambda s, y: share(F.interpolate(s.argmax(1)[:, None].float(), scale_factor=8)[:, 0], y),
            "chosen at 1/8 and repeated",
        ),
        (lambda s, y: share(F.interpolate(s, scale_factor=8).argmax(1), y), "chosen at 1/8 and repeated"),
        (lambda s, y: share(large(s, y, align_corners=True), y), "aligns the corners' centres"),
        (lambda s, y: (large(s, y) == y).float().mean(), "void (255) is counted as wrong"),
        (lambda s, y: sum(share(a, b) for a, b in zip(large(s, y), y, strict=True)) / len(y), "a share of its own"),
        (lambda s, y: 100 * share(large(s, y), y), "in per cent"),
        (lambda s, y: 1 - share(large(s, y), y), "the share of wrong pixels"),
        (lambda s, y: large(s, y) == y, "return one number for the whole batch"),
        (lambda s, y: share(s.argmax(1), y), "your code stopped"),
        (lambda s, y: share(large(s, y), y) / 2, "it should be"),
    ],
)
def test_wrong_scores_get_their_hint(answer, words):
    assert words in bisenet.full_size_accuracy.check(answer).hint
