"""Latency with a clock that the test sets, and what a measurement leaves behind."""

from itertools import accumulate, chain

import pytest
import torch
from torch import nn

from segedu.profile import Latency, latency
from segedu.profile import timing as timing_module


class Recorder(nn.Module):
    """Notes what it was called with."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.calls = []

    def forward(self, images):
        self.calls.append((tuple(images.shape), self.training, torch.is_grad_enabled(), torch.get_num_threads()))
        return images


def test_percentiles_of_known_times(monkeypatch):
    durations = [0.011, 0.001, 0.005, 0.003, 0.007, 0.002, 0.004, 0.008, 0.010, 0.009, 0.006]  # 1 to 11 ms
    ticks = accumulate(chain.from_iterable((0.5, duration) for duration in durations))
    monkeypatch.setattr(timing_module, "perf_counter", lambda: next(ticks))
    measured = latency(Recorder(), (4, 4), repeats=11, warmup=0)
    assert measured.median_ms == pytest.approx(6)
    assert measured.p10_ms == pytest.approx(2)
    assert measured.p90_ms == pytest.approx(10)


def test_runs_inference_on_the_asked_threads_and_puts_all_back():
    model, threads = Recorder().train(), torch.get_num_threads()
    measured = latency(model, (5, 6), batch_size=2, channels=4, repeats=3, warmup=2, threads=threads + 1)
    assert model.calls == [((2, 4, 5, 6), False, False, threads + 1)] * 5
    assert model.training
    assert torch.get_num_threads() == threads
    assert 0 < measured.p10_ms <= measured.median_ms <= measured.p90_ms


def test_text():
    assert str(Latency(1.25, 1.0, 2.0)) == "1.2 ms (p10 1.0, p90 2.0)"


def test_unfit_requests_are_refused():
    with pytest.raises(ValueError, match="at least 2 repeats"):
        latency(Recorder(), (4, 4), repeats=1)
    with pytest.raises(ValueError, match=r"move it with model.to\('meta'\)"):
        latency(Recorder(), (4, 4), device="meta")
