"""Kernels without a GPU: interpreted in a process of their own (``interpreted.py``), and compiled but not launched."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


@pytest.mark.processes
def test_interpreted_kernels_agree_with_the_cpu():
    tests = Path(__file__).with_name("interpreted.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    switches = {"TRITON_INTERPRET": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # notebooks' plugin loads for seconds
    done = subprocess.run(command, env=kept | switches, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def passes(logits, index, valid, slopes):
    """What each operator returns; the ways back read the labels in the bytes that they are kept in."""
    from segedu.losses import triton_lovasz, triton_masses, triton_pixels
    from segedu.losses.inputs import kept_labels

    found, log_sum = triton_pixels.true_log_probability(logits, index, valid, 0.1)
    sums, _ = triton_masses.class_masses(logits, index, valid)
    counts, _ = triton_lovasz.softmax_histograms(logits, index, valid, slopes.shape[-1])
    kept = kept_labels(index, logits.shape[1])
    return [
        *(found, log_sum, sums, counts),
        triton_pixels.true_log_probability_backward(logits, kept, valid, log_sum, found, 0.1),
        triton_masses.class_masses_backward(logits, kept, log_sum, sums[0], sums[1]),
        triton_lovasz.softmax_histograms_backward(logits, kept, log_sum, slopes, slopes),
    ]


def scene():
    """Bfloat16 logits of 19 classes, labels, which of them count, and slopes of 1000 bins."""
    index = torch.zeros(1, 64, dtype=torch.int64)
    return torch.zeros(1, 19, 64, dtype=torch.bfloat16), index, index == 0, torch.zeros(1, 19, 1000)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The assembly of each kernel, compiled for an H100 instead of launched, and what its operator then returned."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime import JITFunction, driver

    class H100:
        get_current_device = staticmethod(lambda: "nowhere")
        get_current_stream = staticmethod(lambda device: 0)
        get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))

    found, run = {}, JITFunction.run

    def compile_only(kernel, *arguments, warmup, **options):
        made = run(kernel, *arguments, warmup=True, **options)
        found[kernel.__module__.rpartition(".")[2] + kernel.__name__] = made.asm["ptx"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "_active", H100())
        patch.setattr(JITFunction, "run", compile_only)
        patch.setenv("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("kernels")))
        return found, passes(*scene())


def test_kernels_compile_for_a_gpu(compiled):
    assemblies, _ = compiled
    modules = ("triton_pixels", "triton_masses", "triton_lovasz")
    assert set(assemblies) == {module + way for module in modules for way in ("_forward", "_backward")}
    for assembly in assemblies.values():
        assert "__assertfail" in assembly  # a label that is no class is told
        assert not re.search(r"\b(atom|red)\.\S+\.b?f(16|32|64)", assembly)  # what is added atomically are integers


def test_fake_tensors_take_the_shapes_of_real_ones(compiled):
    _, real = compiled
    with FakeTensorMode() as mode:
        fake = passes(*map(mode.from_tensor, scene()))
    for ours, theirs in zip(fake, real, strict=True):
        assert (ours.shape, ours.dtype, ours.stride()) == (theirs.shape, theirs.dtype, theirs.stride())
