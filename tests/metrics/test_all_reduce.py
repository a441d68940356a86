"""Two gloo processes: each metric reports the whole data set on every rank."""

import sys

import pytest
import torch
import torch.distributed as dist

from segedu.metrics import (
    BoundaryF1,
    BoundaryIoU,
    Calibration,
    ConfusionMatrix,
    InstanceCounts,
    PerImageIoU,
    Ranking,
    TrimapIoU,
)


@pytest.mark.processes
def test_metrics_add_over_processes(tmp_path):
    # A fork has everything imported already; where there is none, a process starts from nothing.
    method = "fork" if sys.platform == "linux" else "spawn"
    torch.multiprocessing.start_processes(_reduce, args=(str(tmp_path / "meeting"),), nprocs=2, start_method=method)


def _reduce(rank, meeting):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    confusion = ConfusionMatrix(2)
    confusion.update(torch.tensor([[0, rank]]), torch.tensor([[0, 1]]))
    assert confusion.all_reduce().matrix.tolist() == [[2, 0], [1, 1]]

    columns, boundary = torch.arange(32), BoundaryF1(2)
    target, predictions = (columns >= 10).long().expand(1, 16, 32), (columns >= 10 + 9 * rank).long().expand(1, 16, 32)
    for _ in range(1 + 2 * rank):  # one perfect image here, three lost ones there
        boundary.update(predictions, target)
    scores = boundary.all_reduce().scores()
    assert (scores.mean_f1, scores.images) == (0.25, 4)

    cells, instances = torch.tensor([[[1, 0, 1]]]), InstanceCounts()
    instances.update(cells[..., : 1 + 2 * rank], cells[..., : 1 + 2 * rank])  # one cell here, two there
    assert instances.all_reduce().scores().matched == 3

    target, scores = torch.arange(48).view(4, 3, 4) % 2, torch.arange(96.0).view(4, 2, 3, 4).sin()
    for metric in (BoundaryIoU(2), Calibration(2), PerImageIoU(2), TrimapIoU(2)):
        whole = type(metric)(2)
        whole.update(scores, target)
        metric.update(scores[rank::2], target[rank::2])
        for name, kept in metric.all_reduce()._sums.items():
            torch.testing.assert_close(kept, whole._sums[name])
    ranking = Ranking(10)
    ranking.update(scores[:, 0][rank::2], target[rank::2])
    assert ranking.all_reduce().scores().positives == 24
    dist.destroy_process_group()
