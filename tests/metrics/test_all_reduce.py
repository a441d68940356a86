"""Two gloo processes: each metric reports the whole data set on every rank."""

import torch
import torch.distributed as dist

from segedu.metrics import BoundaryF1, ConfusionMatrix, InstanceCounts


def test_metrics_add_over_processes(tmp_path):
    torch.multiprocessing.spawn(_reduce, args=(str(tmp_path / "meeting"),), nprocs=2)


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
    dist.destroy_process_group()
