"""Scores that tell pixels of no class: all four from logits ``(2, 19, 512, 512)``, and Mahalanobis distances.

Of the logits, every way gives largest softmax, largest logit, entropy and energy. Distances are those of features
``(2, 64, 128, 128)`` of 19 classes: once their means and covariance, once every pixel's distance to the nearest class.
"Plain torch" is each formula as one would write it. Peers come with the [bench] extra; one that is not installed is
left out. All ways are held to one another before they are timed.
"""

from collections.abc import Callable
from importlib.util import find_spec

import torch
from metric_tasks import CLASSES, VOID, Way, label_maps, require_equal, run
from torch import Tensor

from segedu.ood import Mahalanobis, ood_scores

SCORES, FIT, DISTANCES = "four scores of logits", "class means and covariance", "Mahalanobis distances"
CHANNELS = 64
Ways = dict[str, dict[str, Way]]


def class_features() -> tuple[Tensor, Tensor]:
    """Features ``(2, 64, 128, 128)`` that lie round a mean of their class, and the classes, with a void strip."""
    labels = label_maps()[2][:, ::4, ::4].contiguous()
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(CLASSES + 1, CHANNELS, generator=generator)
    features = means[labels.clamp(max=CLASSES)].movedim(-1, 1).contiguous()
    return features + torch.randn(features.shape, generator=generator), labels


def require_close(what: str, ours: Tensor, theirs: Tensor, tolerance: float) -> None:
    """Stop before timing ways whose maps differ by more than a share of their largest value."""
    largest = float(theirs.abs().max())
    require_equal(f"{what}, largest difference", 0, float((ours - theirs).abs().max()) / largest, tolerance)


def fitted_to(features: Tensor, labels: Tensor) -> Mahalanobis:
    metric = Mahalanobis(CLASSES, CHANNELS, shrinkage=0)
    metric.update(features, labels)
    return metric.fit()


def own_distances(features: Tensor, labels: Tensor) -> Tensor:
    return fitted_to(features, labels).scores(features)


def segedu(logits: Tensor, features: Tensor, labels: Tensor) -> Ways:
    fitted = fitted_to(features, labels)
    return {
        SCORES: {"segedu": lambda: ood_scores(logits)},
        FIT: {"segedu": lambda: fitted_to(features, labels)},
        DISTANCES: {"segedu": lambda: fitted.scores(features)},
    }


def plain_torch(logits: Tensor, features: Tensor, labels: Tensor) -> Ways:
    def scores() -> tuple[Tensor, ...]:
        probabilities = logits.softmax(1)
        surprise = -(probabilities * logits.log_softmax(1)).sum(1)
        return 1 - probabilities.amax(1), -logits.amax(1), surprise, -logits.logsumexp(1)

    rows, names = features.movedim(1, -1).flatten(0, 2), labels.flatten()

    def fit() -> tuple[Tensor, Tensor]:
        kept = names != VOID
        known, of_known = rows[kept].double(), names[kept]
        means = torch.stack([known[of_known == name].mean(0) for name in range(CLASSES)])
        apart = known - means[of_known]
        return means, apart.mT @ apart / len(known)

    means, covariance = fit()
    precision = covariance.inverse().float()

    def distances() -> Tensor:
        apart = [rows - mean for mean in means.float()]
        return torch.stack([((each @ precision) * each).sum(1) for each in apart]).amin(0).view(labels.shape)

    for name, ours, theirs in zip(("MSP", "logit", "entropy", "energy"), ood_scores(logits), scores(), strict=True):
        require_close(f"plain torch's {name}", ours, theirs, 1e-5)
    require_close("plain torch's distances", own_distances(features, labels), distances(), 1e-4)
    return {
        SCORES: {"plain torch": scores},
        FIT: {"plain torch": fit},
        DISTANCES: {"plain torch": distances},
    }


def pytorch_ood(logits: Tensor, features: Tensor, labels: Tensor) -> Ways:
    from pytorch_ood import detector

    def scores() -> tuple[Tensor, ...]:
        four = (detector.MaxSoftmax, detector.MaxLogit, detector.Entropy, detector.EnergyBased)
        return tuple(each.score(logits) for each in four)

    ours = ood_scores(logits)
    confidence, *others = scores()
    require_close("pytorch-ood's MSP", ours.max_softmax, 1 + confidence, 1e-5)
    for name, own, theirs in zip(("logit", "entropy", "energy"), ours[1:], others, strict=True):
        require_close(f"pytorch-ood's {name}", own, theirs, 1e-4)  # its entropy has no probability below 1e-7

    rows, names = features.movedim(1, -1).flatten(0, 2), labels.flatten()

    def fit() -> detector.Mahalanobis:
        kept = names != VOID
        return detector.Mahalanobis(None).fit_features(rows[kept], names[kept])

    fitted, pixels = fit(), int((names != VOID).sum())

    def distances() -> Tensor:
        return fitted.predict_features(rows).view(labels.shape)

    # Half of the distances, in a covariance that is not divided by the number of pixels.
    require_close("pytorch-ood's distances", own_distances(features, labels), 2 * pixels * distances(), 1e-3)
    return {SCORES: {"pytorch-ood": scores}, FIT: {"pytorch-ood": fit}, DISTANCES: {"pytorch-ood": distances}}


PEERS: dict[str, Callable[[Tensor, Tensor, Tensor], Ways]] = {"torch": plain_torch, "pytorch_ood": pytorch_ood}


def tasks() -> Ways:
    given = label_maps()[0], *class_features()
    found = segedu(*given)
    for peer, ways in PEERS.items():
        if find_spec(peer):
            for task, more in ways(*given).items():
                found[task].update(more)
    return found


if __name__ == "__main__":
    run(__doc__, tasks, repeats=5)
