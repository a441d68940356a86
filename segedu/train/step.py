"""One step of training: the loss over the batch of all processes, its gradient, and the update if both are finite."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from segedu.inference import outputs_of
from segedu.losses import quotient
from segedu.train import distributed
from segedu.train.evaluation import scored
from segedu.train.history import Record
from segedu.train.objective import Loss, sums_of
from segedu.train.recipe import Recipe
from segedu.train.sampling import seed_of, seeded

__all__ = ["Stepper"]


class Stepper:
    """A model and its optimiser, which take one step at a time by a recipe.

    ``loss`` judges the model's output over the whole batch, and ``aux_weight`` times what it says of each auxiliary
    output is added. A step whose loss or gradient is not finite is refused: its record says so (``record.finite``) and
    parameters, optimiser and running statistics are what they were. For that the buffers are copied at every step (they
    are few, and a forward pass spoils them); parameters never are.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, device: torch.device, loss: Loss) -> None:
        self.recipe, self.device, self.loss = recipe, device, loss
        self.layout = torch.channels_last if recipe.channels_last else torch.preserve_format
        self.model = model.to(device).to(memory_format=self.layout)
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = recipe.make_optimizer(self.parameters)
        self.network: Callable[[Tensor], Any] = self.model
        self.num_classes = 0
        self.buffers = list(model.buffers())
        self.buffers_before = [buffer.clone() for buffer in self.buffers]

    def join(self) -> None:
        """Tie the model, as it now is, to those of the other processes, and compile it if the recipe says so."""
        network = distributed.wrap(self.model, self.device)
        self.network = network if self.recipe.compile is None else torch.compile(network, backend=self.recipe.compile)

    def take(self, step: int, images: Tensor, labels: Tensor) -> Record:
        """Step number ``step`` (0 is the first) on this process's share of the batch."""
        _copy(self.buffers, self.buffers_before)
        with seeded(seed_of("layers", self.recipe.seed, step, distributed.rank()), self.device):
            loss = self._backward(images.to(memory_format=self.layout), labels)
        norm = nn.utils.get_total_norm([parameter.grad for parameter in self.parameters if parameter.grad is not None])
        # The one place where the host waits for the device.
        loss_now, norm_now = torch.stack([loss, norm]).tolist()
        record = Record(step + 1, self.recipe.steps, loss_now, self.recipe.learning_rate(step), norm_now)
        if record.finite:
            self._update(record.lr, norm)
        else:
            _copy(self.buffers_before, self.buffers)
        return record

    def finite(self) -> bool:
        """Whether all parameters and buffers are: an update by finite gradients can still overflow."""
        return bool(torch.stack([entry.isfinite().all() for entry in self.model.state_dict().values()]).all())

    def _backward(self, images: Tensor, labels: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            outputs = outputs_of(self.network, images)
        self.num_classes = outputs["out"].shape[1]
        shares = {"out": 1.0}
        shares |= {name: self.recipe.aux_weight for name in outputs if name.startswith("aux")}
        sums = [
            torch.stack(sums_of(self.loss, outputs[name], scored(self.model, labels, outputs[name]))) for name in shares
        ]
        totals, weights = torch.stack(sums, 1).unbind()
        whole_totals, whole_weights = distributed.all_reduce_sum(torch.stack([totals.detach(), weights])).unbind()
        # Each process divides by the weight of all; gradients are averaged over the processes, hence the factor.
        torch.autograd.backward(_mixed(quotient(totals * distributed.world_size(), whole_weights), shares))
        return _mixed(quotient(whole_totals, whole_weights), shares)

    def _update(self, rate: float, norm: Tensor) -> None:
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.recipe.clip_norm, norm)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()


def _mixed(losses: Tensor, shares: Mapping[str, float]) -> Tensor:
    """The losses of the outputs added up, each times its share: ``(O,) -> ()``."""
    return torch.stack([share * loss for share, loss in zip(shares.values(), losses.unbind(), strict=True)]).sum()


def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    """All of ``source`` into ``target``, in one launch."""
    if source:
        torch._foreach_copy_(target, source)
