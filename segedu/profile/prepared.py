"""A network with what has to happen around it: images cast and laid out as it wants them, no gradients, scores back."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from segedu.inference import inference, outputs_of


class Prepared(nn.Module):
    """``(N, C, H, W) -> {"out": (N, K, H, W), ...}`` in the images' dtype, whatever ``network`` computes in.

    Images are cast to ``dtype`` and laid out in ``layout``; ``replay`` is another way to call the network, if there is
    one. Whatever else is asked of it, such as the ``margin`` of a network without padding, the network answers.
    """

    def __init__(
        self,
        network: nn.Module,
        dtype: torch.dtype,
        layout: torch.memory_format,
        replay: Callable[[Tensor], dict[str, Tensor]] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype
        self.layout = layout
        self.replay = replay
        self.eval()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            outputs = outputs_of(self.replay or self.network, images.to(self.dtype, memory_format=self.layout))
            return {name: scores.to(images.dtype) for name, scores in outputs.items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("network"), name)


class Replayed:
    """A network on CUDA as a graph for each shape of images: its kernels are launched together, by one call.

    Captured when a shape first comes. The scores are copied out, so a later call does not change them; each shape
    holds the memory of its own pass.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, dict[str, Tensor]]] = {}

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        if images.shape not in self.graphs:
            self.graphs[images.shape] = self._capture(images)
        graph, read, written = self.graphs[images.shape]
        read.copy_(images)
        graph.replay()
        return {name: scores.clone() for name, scores in written.items()}

    def _capture(self, images: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, dict[str, Tensor]]:
        read = images.clone()
        side = torch.cuda.Stream(images.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(images.device))
        with inference(self.network), torch.cuda.device(images.device):
            with torch.cuda.stream(side):  # libraries choose their kernels before the capture, where they may not
                for _ in range(3):
                    self.network(read)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                written = outputs_of(self.network, read)
        return graph, read, written
