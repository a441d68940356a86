"""The diagram of single pixels says which classes lead, and prints the package's own scores under each."""

import torch

from segedu import ood
from segedu.classroom.diagrams.score_readings import score_readings

CLASSES = ("sky", "road", "car")
PIXELS = {"a sure one": torch.tensor([-2.0, 7.0, 1.0]), "another": torch.tensor([0.5, -1.0, 0.25])}


def test_it_names_the_two_classes_that_lead(capsys):
    score_readings(PIXELS, CLASSES)
    assert capsys.readouterr().out == (
        "Figure: logits of 2 pixels as bars, one for each class, and four scores below each. a sure one: highest for "
        "road and car; another: highest for sky and car\n"
    )


def test_the_printed_scores_are_the_package_s(monkeypatch):
    labels = []
    monkeypatch.setattr("matplotlib.axes.Axes.set_xlabel", lambda self, text: labels.append(text))
    score_readings(PIXELS, CLASSES)
    for text, logits in zip(labels, PIXELS.values(), strict=True):
        scores = ood.ood_scores(logits[None])
        assert text.splitlines() == [
            f"max softmax {float(scores.max_softmax):.2f}",
            f"max logit {float(scores.max_logit):.1f}",
            f"entropy {float(scores.entropy):.2f}",
            f"energy {float(scores.energy):.1f}",
        ]
