"""Training: one loop for every lesson, every model and any number of processes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segedu import device as default_device
from segedu.mode import mode
from segedu.train import checkpoint as checkpoints
from segedu.train import distributed
from segedu.train.evaluation import evaluate
from segedu.train.history import History, Record
from segedu.train.objective import Loss, name_of, resolved
from segedu.train.progress import bar
from segedu.train.recipe import Recipe
from segedu.train.sampling import training_batches
from segedu.train.step import Stepper

__all__ = ["History", "Recipe", "Record", "TrainingDiverged", "evaluate", "fit"]


class TrainingDiverged(FloatingPointError):  # noqa: N818 (says what happened, like StopIteration)
    """Loss, gradient or parameters are no longer finite; it has the ``step`` (from 1), ``loss``, ``lr``, ``grad_norm``.

    With a checkpoint the model holds the last one again, the last state known to be good. Without one it is as it was
    before the refused step.
    """

    def __init__(self, message: str, record: Record) -> None:
        super().__init__(message)
        self.step, self.loss, self.lr, self.grad_norm = record.step, record.loss, record.lr, record.grad_norm


def fit(
    model: nn.Module,
    data: Any,
    recipe: Recipe,
    *,
    loss: Loss | None = None,
    validation: Any = None,
    device: torch.device | str | None = None,
    checkpoint: str | Path | None = None,
    on_step: Callable[[int, Record], object] | None = None,
    progress: bool = True,
) -> History:
    """Train ``model`` in place by ``recipe`` and return what happened at every step.

    ``data`` is a painter with ``batch(indices, device=)``, a ``TensorDataset`` of images and labels, or any data set of
    ``(image, label)`` pairs, whose samples ``recipe.workers`` processes load; a painter with ``transforms``, through
    which only single samples pass, is taken as such pairs. What step t sees, draws and drops depends on
    ``(recipe.seed, t)`` alone, and the caller's random state is left as found.

    ``loss`` is any function or module of ``(logits (N, K, H, W), labels (N, H, W))``, called on the device with the
    labels as the data gives them; None is cross entropy with the recipe's class weights. It returns one number, or a
    pair ``(total, weight)`` whose quotient is the loss, as ``cross_entropy_sums`` and ``BorderWeightedCrossEntropy``
    do. An output whose name starts with ``aux`` is judged by the same loss, and a network without padding, such as the
    paper's U-Net, by the labels of the pixels that it scores.

    ``validation`` is scored every ``recipe.validate_every`` steps and after the last. ``on_step(step, record)`` is
    called after every step. ``checkpoint`` names a file that is written every ``recipe.checkpoint_every`` steps and
    after the last; where it exists already, training goes on from it and takes, bit for bit on a CPU, the steps that it
    would have taken without the interruption.

    Under ``torchrun`` the processes share every batch and add up total and weight before they divide, so the result is
    that of one process; a loss of one number is averaged over the images instead, which is the same only where every
    image has the same say in it. Only the first one prints, writes and calls ``on_step``. On CUDA batch
    normalisation becomes ``SyncBatchNorm``; that has no CPU kernel, so on CPUs each process normalises its own share.

    The host reads the loss and the gradient's norm once a step, before the update: a step where either is not finite
    is refused and ``TrainingDiverged`` raised. Raises ``ValueError`` for a checkpoint of another model, recipe or loss,
    and for a loss beside class weights; ``TypeError`` for a loss that returns something else.
    """
    _check(model, data, recipe)
    with (
        distributed.process_group(torch.device(device or default_device())) as place,
        mode(distributed.synchronised(model, place), training=True),  # its new layers too get their mode back
    ):
        stepper = Stepper(model, recipe, place, resolved(loss, recipe, place))
        run = _Run(stepper, recipe, name_of(loss), None if checkpoint is None else Path(checkpoint))
        run.resume()
        stepper.join()
        batches = training_batches(
            data,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            steps=range(run.history.steps, recipe.steps),
            device=place,
            workers=recipe.workers,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        main = distributed.is_main()
        with bar(recipe.steps, done=run.history.steps, shown=progress and main) as shown:
            for images, labels in batches:
                record = stepper.take(run.history.steps, images, labels)
                keep = _due(record, recipe.checkpoint_every)
                if not record.finite or (keep and not stepper.finite()):
                    raise run.diverged(record)
                if validation is not None and _due(record, recipe.validate_every):
                    record = replace(record, scores=_validate(stepper, recipe, validation))
                run.history.append(record)
                if keep:
                    run.save()
                shown.set_postfix_str(f"loss {record.loss:.4f}", refresh=False)
                shown.update()
                if main and on_step is not None:
                    on_step(record.step, record)
        return run.history


class _Run:
    """The steps taken so far, and the file that keeps them."""

    def __init__(self, stepper: Stepper, recipe: Recipe, loss: str | None, path: Path | None) -> None:
        self.stepper, self.recipe, self.loss, self.path = stepper, recipe, loss, path
        self.history = History()

    def resume(self) -> None:
        """Go on from the checkpoint where there is one."""
        if self.path is not None and self.path.exists():
            state = checkpoints.load(self.path)
            if "optimizer" not in state:
                raise ValueError(f"checkpoint {self.path} holds a model but no run to go on with; give another path")
            _require_same_recipe(self.recipe, Recipe.from_dict(state["recipe"]), self.path)
            _require_same_loss(self.loss, state.get("loss"), self.path)
            checkpoints.load_model(self.stepper.model, state, self.path)
            self.stepper.optimizer.load_state_dict(state["optimizer"])
            self.history = History.from_dict(state["history"])
        distributed.require_equal(self.history.steps, "the step to go on from", self.stepper.device)

    def save(self) -> None:
        """Write the checkpoint, if one is wanted."""
        if self.path is not None and distributed.is_main():
            state = {
                "model": self.stepper.model.state_dict(),
                "optimizer": self.stepper.optimizer.state_dict(),
                "step": self.history.steps,
                "history": self.history.to_dict(),
                "recipe": self.recipe.to_dict(),
                "loss": self.loss,
            }
            checkpoints.save(self.path, state)

    def diverged(self, record: Record) -> TrainingDiverged:
        """Take the model back to the last checkpoint, where there is one, and say what happened."""
        if self.path is not None and self.path.exists():
            state = checkpoints.load(self.path)
            checkpoints.load_model(self.stepper.model, state, self.path)
            now = f"the model is back at step {state['step']}, the last checkpoint in {self.path}"
        elif record.finite:
            now = "its update made the parameters overflow, and no checkpoint had been written"
        else:
            now = "the model is as it was before that step, and no checkpoint had been written"
        return TrainingDiverged(
            f"training diverged at step {record.step} of {record.steps}: loss {record.loss:g}, gradient norm "
            f"{record.grad_norm:g}, lr {record.lr:g}; {now}; lower lr, warm up, set clip_norm, or look for images that "
            "hold NaN",
            record,
        )


def _validate(stepper: Stepper, recipe: Recipe, data: Any) -> dict[str, Any]:
    """The scores on ``data`` as plain numbers and lists."""
    counts = evaluate(
        stepper.model,
        data,
        batch_size=recipe.batch_size,
        device=stepper.device,
        num_classes=stepper.num_classes,
        precision=recipe.precision,
        workers=recipe.workers,
    )
    scores = vars(counts.scores())
    return {name: value.tolist() if isinstance(value, Tensor) else value for name, value in scores.items()}


def _due(record: Record, every: int) -> bool:
    return record.step == record.steps or (every > 0 and record.step % every == 0)


def _check(model: nn.Module, data: Any, recipe: Recipe) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is {type(model).__name__}; it must be a torch.nn.Module")
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe is {type(recipe).__name__}; build one with Recipe(steps=..., lr=...)")
    if len(data) == 0:
        raise ValueError("data is empty; training needs at least one sample")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("model has no parameter that requires a gradient, so there is nothing to train")


def _require_same_recipe(recipe: Recipe, other: Recipe, path: Path) -> None:
    """Loading and saving may change between a run and its resumption; what is learnt from may not."""
    here, there = recipe.to_dict(), other.to_dict()
    for name in sorted(here.keys() - {"workers", "checkpoint_every"}):
        if here[name] != there[name]:
            raise ValueError(
                f"checkpoint {path} was written with {name}={there[name]!r}, but the recipe has {name}={here[name]!r}; "
                "use that recipe to go on, or give another path to start anew"
            )


def _require_same_loss(here: str | None, there: str | None, path: Path) -> None:
    if here != there:
        raise ValueError(
            f"checkpoint {path} was written with loss={there}, but fit was given loss={here}; "
            "use that loss to go on, or give another path to start anew"
        )
