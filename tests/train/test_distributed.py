"""Two processes do what one does. Run as a script under torchrun, this file is one of the two."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from segedu.losses import cross_entropy, pixel_weighted_cross_entropy_sums
from segedu.train import Recipe, distributed, evaluate, fit

CLASSES = 3
RECIPE = Recipe(steps=6, batch_size=5, lr=0.1, clip_norm=1.0, class_weights=(1, 2, 0.5), validate_every=3)
CPU = torch.device("cpu")


class Toy(nn.Module):
    """No batch statistics: on CPUs those are each process's own."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU())
        self.head, self.aux_head = nn.Conv2d(8, CLASSES, 1), nn.Conv2d(8, CLASSES, 1)

    def forward(self, images):
        features = self.body(images)
        return {"out": self.head(features), **({"aux": self.aux_head(features)} if self.training else {})}


def toy():
    torch.manual_seed(0)
    return Toy()


def scenes():
    """Void takes from nothing to all of an image, so that the processes' shares weigh unequally."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(11, 3, 8, 8, generator=generator)
    labels = images.argmax(1)
    for i in range(11):
        labels[i, : min(8, i)] = 255
    return TensorDataset(images, labels)


def run(folder, name):
    """Train and measure, and leave what came of it in ``folder``."""
    model, calls = toy(), []
    history = fit(
        model,
        scenes(),
        RECIPE,
        validation=scenes(),
        device="cpu",
        checkpoint=folder / f"{name}.pt",
        on_step=lambda step, _: calls.append(step),
    )
    counts = evaluate(model, scenes(), batch_size=2, device="cpu", num_classes=CLASSES).matrix
    return {"history": history.to_dict(), "model": model.state_dict(), "counts": counts, "calls": calls}


def doubtful(logits, labels):
    """A total and a weight that differ between outputs and processes: a pixel weighs what the model doubts of it."""
    doubt = 1.1 - logits.detach().softmax(1).amax(1)
    return pixel_weighted_cross_entropy_sums(logits, labels, doubt)


def by_image(logits, labels):
    """One number, in which each image has the same say."""
    return torch.stack([cross_entropy(*pair) for pair in zip(logits[:, None], labels[:, None], strict=True)]).mean()


def losses_of():
    recipe = Recipe(steps=3, batch_size=5, lr=0.1)
    return {
        loss.__name__: fit(toy(), scenes(), recipe, loss=loss, device="cpu", progress=False).loss
        for loss in (doubtful, by_image)
    }


def torchrun(folder):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    loopback = {"linux": "lo", "darwin": "lo0"}.get(sys.platform, "")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **({"GLOO_SOCKET_IFNAME": loopback} if loopback else {})}
    return subprocess.run(
        [*command, __file__, str(folder)], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What the two processes printed and found."""
    folder = tmp_path_factory.mktemp("pair")
    finished = torchrun(folder)
    assert finished.returncode == 0, finished.stderr
    return finished, [torch.load(folder / f"rank{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return run(tmp_path_factory.mktemp("alone"), "run")


@pytest.mark.processes
def test_two_processes_train_the_model_of_one(pair, alone):
    for found in pair[1]:
        for name, value in alone["model"].items():
            torch.testing.assert_close(found["model"][name], value, rtol=0, atol=1e-5)
        for measured in ("loss", "grad_norm", "lr"):
            assert found["history"][measured] == pytest.approx(alone["history"][measured], abs=1e-5)


@pytest.mark.processes
def test_two_processes_mean_the_same_by_any_loss(pair):
    alone = losses_of()
    for found in pair[1]:
        for name, losses in alone.items():
            assert found["losses"][name] == pytest.approx(losses, abs=1e-5)
    assert alone["doubtful"] != alone["by_image"]


@pytest.mark.processes
def test_two_processes_count_what_one_counts(pair, alone):
    for found in pair[1]:
        assert torch.equal(found["counts"], alone["counts"])
        assert found["history"]["validation"].keys() == alone["history"]["validation"].keys() == {"3", "6"}
        assert found["history"]["validation"]["6"]["iou"] == pytest.approx(alone["history"]["validation"]["6"]["iou"])


@pytest.mark.processes
def test_only_the_first_process_speaks(pair):
    finished, (first, second) = pair
    assert first["calls"] == [1, 2, 3, 4, 5, 6]
    assert second["calls"] == []
    assert finished.stderr.count("| 0/6 [") == 1
    assert finished.stdout == ""


@pytest.mark.processes
def test_a_finished_run_is_taken_up_by_both(pair):
    for found in pair[1]:
        assert json.dumps(found["resumed"]) == json.dumps(found["history"])


@pytest.mark.processes
def test_a_file_that_only_one_process_sees_is_an_error_in_both(pair):
    assert all("the processes disagree about the step to go on from: [6, 0]" in found["error"] for found in pair[1])


def test_alone_everything_is_a_no_op(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with distributed.process_group(CPU) as place:
        assert place == CPU
        assert (distributed.rank(), distributed.world_size(), distributed.is_main()) == (0, 1, True)
        values, model = torch.ones(2), toy()
        assert distributed.all_reduce_sum(values) is values
        assert distributed.wrap(model, CPU) is distributed.synchronised(model, CPU) is model
        distributed.require_equal(3, "the weather", CPU)
    assert values.tolist() == [1, 1]


def test_batch_statistics_are_shared_on_cuda_only(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    scale = model[1].weight
    assert isinstance(distributed.synchronised(model, CPU)[1], nn.BatchNorm2d)
    shared = distributed.synchronised(model, torch.device("cuda"))
    assert isinstance(shared[1], nn.SyncBatchNorm)
    assert shared[1].weight is scale


def main(folder: Path) -> None:
    with distributed.process_group(CPU):
        rank = distributed.rank()
        found = run(folder, "run")
        found["resumed"] = run(folder, "run")["history"]
        try:
            fit(toy(), scenes(), RECIPE, device="cpu", progress=False, checkpoint=folder / ("run.pt", "none.pt")[rank])
        except ValueError as error:
            found["error"] = str(error)
        found["losses"] = losses_of()
        torch.save(found, folder / f"rank{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
