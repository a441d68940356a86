"""Training against a loop written out by hand, against itself after a kill, and against trouble.

Run as a script, this file trains until it kills itself: the test of resumption starts it so.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from segedu.losses import CrossEntropy, cross_entropy, cross_entropy_sums
from segedu.train import Recipe, TrainingDiverged, checkpoint, evaluate, fit
from segedu.train.history import History
from segedu.train.sampling import shuffled

CLASSES = 4


class Toy(nn.Module):
    """Everything that a step may disturb: running statistics, dropout, an auxiliary head."""

    def __init__(self, dropout=0.5, aux=True):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Conv2d(8, CLASSES, 1)
        self.aux_head = nn.Conv2d(8, CLASSES, 1) if aux else None

    def forward(self, images):
        features = self.body(images)
        scores = {"out": self.head(features), "other": features}
        if self.training and self.aux_head is not None:
            scores["aux"] = self.aux_head(features)
        return scores


def toy(**options):
    torch.manual_seed(0)
    return Toy(**options)


def scenes(length=11, size=8):
    """The brightest of three channels decides the class; the last class and void stand in the first rows."""
    images = torch.randn(length, 3, size, size, generator=torch.Generator().manual_seed(1))
    labels = images.argmax(1)
    labels[:, 0], labels[:, 1] = 255, 3
    return TensorDataset(images, labels)


class Jittered:
    """Single samples with a random brightness."""

    def __init__(self):
        self.pairs = scenes()

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        image, label = self.pairs[index]
        return image * (0.5 + torch.rand(())), label


QUICK = Recipe(steps=9, batch_size=4, lr=0.05, validate_every=4, checkpoint_every=3)


def train(model=None, data=None, recipe=QUICK, **options):
    """The model and its history after training on the CPU, without a bar."""
    model = toy() if model is None else model
    history = fit(model, scenes() if data is None else data, recipe, device="cpu", progress=False, **options)
    return model, history


def told(history):
    """Everything in a history, NaN too, in a form that compares."""
    return json.dumps(history.to_dict())


def states_equal(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == other_name and torch.equal(a, b) for (name, a), (other_name, b) in pairs)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.05, "warmup": 2}, {"class_weights": (1, 0.5, 2, 3)}])
def test_equals_the_loop_written_out(optimizer, options):
    recipe = Recipe(steps=6, batch_size=4, lr=0.02, optimizer=optimizer, weight_decay=0.1, aux_weight=0.3, **options)
    images, labels = scenes().tensors
    images = images.double()  # Adam makes much of what rounding leaves of a gradient that is zero
    trained, history = train(toy(dropout=0).double(), TensorDataset(images, labels), recipe)

    model = toy(dropout=0).double()
    if optimizer == "sgd":
        update = torch.optim.SGD(model.parameters(), lr=1, momentum=0.9, weight_decay=0.1)
    else:
        update = torch.optim.AdamW(model.parameters(), lr=1, weight_decay=0.1)
    weight = torch.tensor(recipe.class_weights).double() if recipe.class_weights else None
    for step in range(6):
        index = [i for i, _ in shuffled(11, 4, recipe.seed, step)]
        outputs = model(images[index])
        main, aux = (F.cross_entropy(outputs[k], labels[index], weight, ignore_index=255) for k in ("out", "aux"))
        loss = main + 0.3 * aux
        update.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm or 1e9)
        update.param_groups[0]["lr"] = recipe.learning_rate(step)
        update.step()
        assert history.loss[step] == pytest.approx(loss.item(), rel=1e-9)
        assert history.grad_norm[step] == pytest.approx(norm.item(), rel=1e-6)
        assert history.lr[step] == recipe.learning_rate(step)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[name], value, rtol=1e-6, atol=1e-8)


def test_a_model_of_one_tensor_trains_like_one_of_a_dict():
    class Bare(Toy):
        def forward(self, images):
            return super().forward(images)["out"]

    torch.manual_seed(0)
    bare, history = train(Bare(aux=False))
    like, other = train(toy(aux=False))
    assert told(history) == told(other)
    assert states_equal(bare, like)


def test_training_is_repeatable_and_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    model = toy()
    torch.set_rng_state(before)
    _, history = train(model, Jittered(), validation=scenes())
    assert torch.equal(torch.get_rng_state(), before)
    again, other = train(data=Jittered(), validation=scenes())
    assert told(history) == told(other)
    assert states_equal(model, again)


def test_every_step_drops_other_features():
    masks, model = [], toy()
    model.body[3].register_forward_hook(lambda _module, _inputs, output: masks.append(output[:4] == 0))
    one = TensorDataset(*(values[:1] for values in scenes().tensors))
    train(model, one, Recipe(steps=4, batch_size=4, lr=1e-9))
    assert all(not torch.equal(masks[i], masks[j]) for i in range(4) for j in range(i))


@pytest.mark.parametrize("field", ["seed", "lr", "aux_weight", "weight_decay"])
def test_every_seed_and_dial_counts(field):
    _, history = train()
    changed = {**QUICK.to_dict(), field: 7 if field == "seed" else 0.01}
    _, other = train(recipe=Recipe.from_dict(changed))
    assert history.loss != other.loss


def test_it_learns():
    recipe = Recipe(steps=60, batch_size=8, lr=0.1)
    model, history = train(toy(dropout=0), recipe=recipe, validation=scenes())
    assert history.loss[-1] < history.loss[0] / 2
    scores = history.validation[60]
    assert scores == history.validation[max(history.validation)]
    assert scores["mean_iou"] == evaluate(model, scenes(), device="cpu", num_classes=CLASSES).scores().mean_iou
    assert scores["mean_iou"] > 1 / CLASSES


def test_callbacks_see_every_step_in_order():
    records = []
    _, history = train(validation=scenes(), on_step=lambda step, record: records.append((step, record)))
    assert [step for step, _ in records] == [record.step for _, record in records] == list(range(1, 10))
    assert [record.loss for _, record in records] == history.loss
    assert [step for step, record in records if record.scores] == [4, 8, 9] == list(history.validation)
    assert all(history.validation[step] == record.scores for step, record in records if record.scores)


def test_modules_get_their_mode_back():
    model = toy()
    model.head.eval()
    modes = [module.training for module in model.modules()]
    train(model, validation=scenes())
    assert [module.training for module in model.modules()] == modes


def test_layers_that_replace_others_get_their_mode_back(monkeypatch):
    """Under torchrun on CUDA the batch norms give way to SyncBatchNorm."""

    def replace_layers(model, device):
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)

    monkeypatch.setattr("segedu.train.distributed.synchronised", replace_layers)
    images, labels = scenes().tensors
    frozen = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    train(frozen, TensorDataset(images, labels))
    assert isinstance(frozen[1], nn.SyncBatchNorm)
    assert not any(module.training for module in frozen.modules())


def test_frozen_parameters_stay():
    model = toy()
    model.head.requires_grad_(False)
    train(model)
    assert torch.equal(model.head.weight, toy().head.weight)
    assert not torch.equal(model.aux_head.weight, toy().aux_head.weight)


def test_the_bar_is_on_standard_error_or_nowhere(capsys):
    train()
    assert capsys.readouterr() == ("", "")
    fit(toy(), scenes(), QUICK, device="cpu")
    out, err = capsys.readouterr()
    assert out == ""
    assert "9/9" in err


# --- precision, layout, compilation ---


def test_bfloat16_computes_in_bfloat16_and_learns():
    seen = set()
    model = toy(dropout=0)
    model.head.register_forward_hook(lambda _module, _inputs, output: seen.add(output.dtype))
    recipe = Recipe(steps=60, batch_size=8, lr=0.1, precision="bfloat16")
    _, history = train(model, recipe=recipe, validation=scenes())
    assert seen == {torch.bfloat16}
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert history.loss[-1] < history.loss[0] / 2


def test_channels_last_changes_the_layout_only():
    model, history = train(toy(dropout=0), recipe=Recipe.from_dict({**QUICK.to_dict(), "channels_last": True}))
    assert model.body[0].weight.is_contiguous(memory_format=torch.channels_last)
    _, other = train(toy(dropout=0))
    assert history.loss == pytest.approx(other.loss, rel=1e-4)


def test_the_compiled_model_is_the_one_that_is_trained():
    graphs = []

    def backend(graph, _inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    torch._dynamo.register_backend(backend, "counting")
    model, history = train(toy(dropout=0), recipe=Recipe.from_dict({**QUICK.to_dict(), "compile": "counting"}))
    other, expected = train(toy(dropout=0))
    assert len(graphs) == 1
    assert history.loss == pytest.approx(expected.loss, rel=1e-5)
    assert model.state_dict().keys() == other.state_dict().keys()


# --- going on after a kill ---


def kill_at(fatal):
    def on_step(step, _record):
        if step == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    return on_step


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.processes
def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path):
    whole, history = train(data=Jittered(), validation=scenes())
    path = tmp_path / "run.pt"
    command = [sys.executable, __file__, str(path)]
    killed = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert checkpoint.load(path)["step"] == 6

    steps = []
    resumed, rest = train(
        toy(), Jittered(), validation=scenes(), checkpoint=path, on_step=lambda step, _: steps.append(step)
    )
    assert steps == [7, 8, 9]
    assert told(rest) == told(history)
    assert states_equal(resumed, whole)


def test_a_finished_run_is_returned_without_a_step(tmp_path):
    whole, history = train(validation=scenes(), checkpoint=tmp_path / "run.pt")
    again, same = train(
        validation=scenes(), checkpoint=tmp_path / "run.pt", on_step=lambda *_: pytest.fail("a step was taken")
    )
    assert told(same) == told(history)
    assert states_equal(again, whole)


def test_how_often_it_saves_and_how_it_loads_may_change(tmp_path):
    train(checkpoint=tmp_path / "run.pt")
    other = Recipe.from_dict({**QUICK.to_dict(), "workers": 2, "checkpoint_every": 1})
    _, history = train(recipe=other, checkpoint=tmp_path / "run.pt")
    assert history.steps == 9


def test_another_recipe_or_model_is_refused(tmp_path):
    train(checkpoint=tmp_path / "run.pt")
    slower = Recipe.from_dict({**QUICK.to_dict(), "lr": 0.01})
    with pytest.raises(ValueError, match=r"run\.pt was written with lr=0\.05, but the recipe has lr=0\.01"):
        train(recipe=slower, checkpoint=tmp_path / "run.pt")
    model = nn.Conv2d(3, CLASSES, 1)
    before = model.weight.clone()
    with pytest.raises(ValueError, match=r"run\.pt is of another model: weight is absent there"):
        train(model, checkpoint=tmp_path / "run.pt")
    assert torch.equal(model.weight, before)


def test_a_file_without_a_run_is_refused(tmp_path):
    checkpoint.save(tmp_path / "model.pt", {"model": toy().state_dict()})
    with pytest.raises(ValueError, match=r"model\.pt holds a model but no run to go on with"):
        train(checkpoint=tmp_path / "model.pt")


def test_history_survives_json():
    _, history = train(validation=scenes())
    assert told(History.from_dict(json.loads(told(history)))) == told(history)


# --- trouble ---


class Poisoned(Jittered):
    """A data set of which one sample holds a NaN."""

    def __init__(self, index):
        super().__init__()
        self.pairs.tensors[0][index, 0, 3, 3] = torch.nan


class EnoughError(Exception):
    """A callback's way to end a run."""


def stop_after(last):
    def on_step(step, _record):
        if step == last:
            raise EnoughError

    return on_step


def first_step_with(index):
    return next(step for step in range(9) if index in [i for i, _ in shuffled(11, 4, QUICK.seed, step)])


def latest_sample():
    return max(range(11), key=first_step_with)


@pytest.mark.parametrize("every", [0, 1])
def test_nan_stops_before_it_spoils_anything(tmp_path, every):
    """The model, running statistics too, is that of a run which ended just before the bad sample came."""
    index = latest_sample()
    good = first_step_with(index)
    assert good > 0
    path = tmp_path / "run.pt" if every else None
    recipe = Recipe.from_dict({**QUICK.to_dict(), "checkpoint_every": every})
    model = toy()
    with pytest.raises(TrainingDiverged, match=rf"diverged at step {good + 1} of 9: loss nan.* lr 0\.0") as caught:
        train(model, Poisoned(index), recipe, checkpoint=path)
    stopped = toy()
    with pytest.raises(EnoughError):
        train(stopped, Jittered(), recipe, on_step=stop_after(good))
    assert states_equal(model, stopped)
    assert isinstance(caught.value, FloatingPointError)
    assert caught.value.step == good + 1
    assert caught.value.lr == recipe.learning_rate(good)
    assert "\n" not in str(caught.value)
    if path:
        assert checkpoint.load(path)["step"] == good
        assert f"back at step {good}, the last checkpoint in {path}" in str(caught.value)


def test_a_gradient_that_is_not_finite_stops_too():
    class Cliff(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, x):
            return x.clone()

        @staticmethod
        def backward(_ctx, gradient):
            return gradient / 0

    class Cliffed(Toy):
        def forward(self, images):
            return {"out": Cliff.apply(super().forward(images)["out"])}

    torch.manual_seed(0)
    model = Cliffed(aux=False)
    torch.manual_seed(0)
    before = Cliffed(aux=False)
    with pytest.raises(TrainingDiverged, match=r"step 1 of 9: loss \d.*gradient norm (nan|inf)") as caught:
        train(model)
    assert caught.value.loss == pytest.approx(caught.value.loss)
    assert states_equal(model, before)


def test_an_update_that_overflows_is_never_saved(tmp_path):
    path = tmp_path / "run.pt"
    recipe = Recipe(steps=4, lr=1e38, aux_weight=1e6, warmup=1, checkpoint_every=1)
    with pytest.raises(TrainingDiverged, match="its update made the parameters overflow"):
        train(recipe=recipe, checkpoint=path)
    assert not path.exists()


def test_a_rate_far_too_high_leaves_the_last_checkpoint(tmp_path):
    recipe = Recipe(steps=60, lr=1e12, checkpoint_every=1)
    model = toy()
    with pytest.raises(TrainingDiverged):
        train(model, recipe=recipe, checkpoint=tmp_path / "run.pt")
    kept = checkpoint.load(tmp_path / "run.pt")["model"]
    assert all(torch.equal(kept[name], value) for name, value in model.state_dict().items())
    assert all(value.isfinite().all() for value in model.parameters())


def test_a_batch_of_void_teaches_nothing():
    model = toy()
    void = TensorDataset(torch.randn(4, 3, 8, 8), torch.full((4, 8, 8), 255))
    _, history = train(model, void, Recipe(steps=3, batch_size=2, weight_decay=0))
    assert history.loss == [0, 0, 0]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), toy().parameters(), strict=True))


@pytest.mark.parametrize("loss", [cross_entropy, cross_entropy_sums, CrossEntropy()], ids=["mean", "sums", "module"])
def test_cross_entropy_in_any_form_is_the_usual_loss(loss):
    assert train(loss=loss)[1].loss == pytest.approx(train()[1].loss, abs=1e-6)


def test_any_loss_is_minimised_and_auxiliary_outputs_are_judged_by_it():
    def spread(logits, labels):
        return (logits * (labels[:, None] != 255)).square().mean()

    recipe = Recipe(steps=1, batch_size=11, lr=0.05, aux_weight=0.3)
    _, history = train(toy(dropout=0.0), recipe=recipe, loss=spread)
    images, labels = scenes().tensors
    expected = toy(dropout=0.0)
    outputs = expected(images)
    total = spread(outputs["out"], labels) + 0.3 * spread(outputs["aux"], labels)
    assert history.loss == [pytest.approx(float(total.detach()), abs=1e-6)]
    assert history.grad_norm == [
        pytest.approx(float(nn.utils.get_total_norm(torch.autograd.grad(total, [*expected.parameters()]))), abs=1e-6)
    ]


def test_a_run_goes_on_by_its_own_loss_only(tmp_path):
    path, half = tmp_path / "run.pt", 4
    _, whole = train(loss=CrossEntropy())

    def stop(step, record):
        if step == half:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(loss=CrossEntropy(), checkpoint=path, on_step=stop)
    for other, name in ((None, "None"), (cross_entropy, "cross_entropy")):
        with pytest.raises(ValueError, match=f"with loss=CrossEntropy, but fit was given loss={name}"):
            train(loss=other, checkpoint=path)
    assert train(loss=CrossEntropy(), checkpoint=path)[1].loss == whole.loss


@pytest.mark.parametrize(
    ("loss", "options", "error", "words"),
    [
        ("dice", {}, TypeError, "loss is 'dice'; give a function"),
        (
            cross_entropy,
            {"class_weights": (1, 1, 1, 1)},
            ValueError,
            "recipe has class_weights and fit was given a loss",
        ),
        (lambda logits, labels: logits, {}, TypeError, r"loss returned a tensor of shape \(4, 4, 8, 8\)"),
        (lambda logits, labels: 0.5, {}, TypeError, "loss returned a float"),
        (lambda logits, labels: (logits.sum(), 2), {}, TypeError, r"a tuple of a tensor of shape \(\), a int"),
    ],
)
def test_refuses_what_is_no_loss(loss, options, error, words):
    with pytest.raises(error, match=words):
        train(recipe=Recipe(steps=1, batch_size=4, **options), loss=loss)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((None, scenes(), QUICK), TypeError, "model is NoneType"),
        ((toy(), scenes(), {"steps": 3}), TypeError, "recipe is dict"),
        ((toy(), scenes(0), QUICK), ValueError, "data is empty"),
        ((nn.ReLU(), scenes(), QUICK), ValueError, "no parameter that requires a gradient"),
        ((nn.Conv2d(3, 2, 1), scenes(), QUICK), ValueError, "target holds class 3, but logits have 2 channels"),
        ((toy(), scenes(), Recipe(class_weights=(1, 2))), ValueError, r"weight is \(2,\)"),
    ],
)
def test_errors_at_the_boundary(arguments, error, words):
    with pytest.raises(error, match=words):
        fit(*arguments, device="cpu", progress=False)


if __name__ == "__main__":
    train(data=Jittered(), validation=scenes(), checkpoint=Path(sys.argv[1]), on_step=kill_at(8))
