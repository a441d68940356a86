"""Pooling with uint8 offsets against PyTorch's int64 indices: numbers, gradients, and the bytes that autograd keeps."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, library
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.layers import windows
from segedu.layers.unpool import OffsetMaxPool2d, OffsetMaxUnpool2d, max_pool, max_unpool, pack, unpack

FORMATS = [torch.contiguous_format, torch.channels_last]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SEGNET = [(64, 360, 480), (128, 180, 240), (256, 90, 120), (512, 45, 60), (512, 23, 30)]
sides = st.integers(1, 13)
formats = st.sampled_from(FORMATS)


def reference(x: Tensor) -> tuple[Tensor, Tensor]:
    return F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)


def same(one: Tensor, two: Tensor) -> bool:
    return torch.equal(one.nan_to_num(99), two.nan_to_num(99)) and torch.equal(one.isnan(), two.isnan())


@given(st.integers(1, 2), st.integers(1, 4), sides, sides, st.sampled_from(DTYPES), formats, st.booleans())
def test_pool_and_unpool_are_pytorchs_forward_and_backward(batch, channels, height, width, dtype, layout, packed):
    """Few different values, so that windows tie; NaN and infinities among them."""
    values = torch.tensor([-torch.inf, -1, 0, 0, 1, 2, torch.inf, torch.nan], dtype=dtype)
    x = values[torch.randint(len(values), (batch, channels, height, width))].contiguous(memory_format=layout)
    x.requires_grad_()
    pooled, offsets = max_pool(x, packed=packed)
    full = max_unpool(pooled, offsets, (height, width))
    expected, indices = reference(x)
    expected_full = F.max_unpool2d(expected, indices, 2, output_size=(height, width))
    assert offsets.dtype == torch.uint8
    assert same(pooled, expected)
    assert same(full, expected_full)
    assert all(one.is_contiguous(memory_format=layout) for one in (pooled, offsets, full))
    assert pooled.dtype == full.dtype == dtype
    for ours, theirs in ((pooled, expected), (full, expected_full)):
        weights = torch.randn_like(ours)
        (gradient,) = torch.autograd.grad(ours, x, weights, retain_graph=True)
        assert torch.equal(gradient, torch.autograd.grad(theirs, x, weights, retain_graph=True)[0])


@given(sides, sides, formats)
def test_offsets_are_the_indices_within_their_window(height, width, layout):
    x = torch.randn(2, 3, height, width).contiguous(memory_format=layout)
    _, offsets = max_pool(x)
    _, indices = reference(x)
    assert torch.equal(offsets, (indices // width % 2 * 2 + indices % width % 2).to(torch.uint8))


@given(st.integers(1, 2), st.integers(1, 4), sides, sides, st.sampled_from(DTYPES), formats)
def test_what_a_gpu_runs_gives_the_same_numbers(batch, channels, height, width, dtype, layout):
    """The bodies for other devices, run here on the CPU."""
    x = torch.randint(-2, 3, (batch, channels, height, width)).to(dtype).contiguous(memory_format=layout)
    pooled, offsets = max_pool(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "on_cpu", lambda x: False)
        assert all(torch.equal(*pair) for pair in zip(windows.largest(x), (pooled, offsets), strict=True))
        full = windows.put(pooled, offsets, (height, width))
        taken = windows.take(x, offsets)
    assert torch.equal(full, max_unpool(pooled, offsets, (height, width)))
    assert torch.equal(taken, windows.take(x, offsets))
    assert full.is_contiguous(memory_format=layout)
    assert taken.is_contiguous(memory_format=layout)


@given(sides, sides, formats)
def test_unpooling_and_taking_are_each_others_transpose(height, width, layout):
    x, y = (torch.randn(2, 3, height, width, dtype=torch.float64).contiguous(memory_format=layout) for _ in range(2))
    pooled, offsets = max_pool(x)
    put = windows.put(pooled, offsets, (height, width))
    torch.testing.assert_close((put * y).sum(), (pooled * windows.take(y, offsets)).sum())
    assert torch.equal(windows.take(put, offsets), pooled)


@pytest.mark.parametrize(("layout", "packed"), [(FORMATS[0], True), (FORMATS[1], False)])
def test_first_and_second_derivatives(layout, packed):
    x = torch.randperm(30, dtype=torch.float64).view(1, 2, 3, 5).contiguous(memory_format=layout).requires_grad_()

    def pair(x):
        pooled, offsets = max_pool(x, packed=packed)
        return max_unpool(pooled**2, offsets, (3, 5))

    assert torch.autograd.gradcheck(pair, (x,))
    assert torch.autograd.gradgradcheck(pair, (x,))


def kept_bytes(run) -> int:
    """Bytes of all storages that autograd saves while ``run`` runs; each once."""
    kept = {}

    def save(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        outputs = run()
    total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del outputs
    return total


def test_segnets_poolings_keep_an_eighth_of_the_indices():
    """5.0 against 40.3 MiB at 360 x 480; packed 1.3. PyTorch's pooling keeps its input as well."""
    with torch.device("meta"):
        maps = [torch.zeros(1, *shape, requires_grad=True) for shape in SEGNET]
        indices = sum(reference(x)[1].nbytes for x in maps)

    def run(packed):
        for x in (torch.zeros(1, *shape, requires_grad=True) for shape in SEGNET):
            pooled, offsets = max_pool(x, packed=packed)
            yield max_unpool(pooled, offsets, x.shape[-2:])

    with FakeTensorMode():
        plain, packed = (kept_bytes(lambda packed=packed: list(run(packed))) for packed in (False, True))
    assert plain * 8 == indices
    assert (round(indices / 2**20, 1), round(plain / 2**20, 1)) == (40.3, 5.0)
    assert packed / 2**20 < 1.3


@pytest.mark.parametrize("packed", [False, True])
def test_real_tensors_keep_the_offsets_and_nothing_else(packed):
    x = torch.randn(2, 3, 9, 11, requires_grad=True)
    _, offsets = max_pool(x, packed=packed)
    assert kept_bytes(lambda: max_unpool(*max_pool(x, packed=packed), (9, 11))) == offsets.nbytes
    assert offsets.nbytes == 2 * 3 * 5 * (2 if packed else 6)


@given(st.integers(1, 3), st.integers(1, 4), sides, sides, formats)
def test_packing_can_be_undone(batch, channels, height, width, layout):
    offsets = torch.randint(4, (batch, channels, height, width), dtype=torch.uint8).contiguous(memory_format=layout)
    packed = pack(offsets)
    assert packed.shape == (batch, channels, height, -(-width // 4))
    assert torch.equal(unpack(packed, width), offsets)
    bits = sum(offsets[..., at::4].sum(dtype=torch.int64) * 4**at for at in range(4))
    assert packed.sum(dtype=torch.int64) == bits


@pytest.mark.parametrize("layout", FORMATS)
def test_non_contiguous_maps(layout):
    wide = torch.randn(2, 3, 20, 24).contiguous(memory_format=layout)
    for x in (wide[..., 3:14, 5:18], wide.transpose(2, 3), wide[:, ::2], wide[:1, :1].expand(2, 3, 20, 24)):
        pooled, offsets = max_pool(x)
        expected, indices = reference(x.contiguous())
        size = tuple(x.shape[-2:])
        assert torch.equal(pooled, expected)
        spread = torch.stack((pooled, pooled), -1)[..., 0]
        full = F.max_unpool2d(expected, indices, 2, output_size=size)
        assert torch.equal(max_unpool(spread, offsets.mT.contiguous().mT, size), full)


@settings(max_examples=3)
@given(sides, sides, formats, st.booleans())
def test_compiles_without_graph_breaks(height, width, layout, packed):
    pool, unpool = OffsetMaxPool2d(packed=packed), OffsetMaxUnpool2d()

    def pair(x):
        return unpool(*pool(x * 2), x.shape[-2:]) + 1

    torch.compiler.reset()
    compiled = torch.compile(pair, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 3, height, width).contiguous(memory_format=layout).requires_grad_()
    results = [run(x) for run in (compiled, pair)]
    assert torch.equal(*results)
    assert torch.equal(*(torch.autograd.grad(one.square().sum(), x)[0] for one in results))


@pytest.mark.parametrize("packed", [False, True])
def test_operators_tell_the_truth_about_themselves(packed):
    """Schema, fake kernels and autograd registration, checked by PyTorch against real runs, strides included."""
    x = torch.randn(2, 3, 7, 9).contiguous(memory_format=FORMATS[packed]).requires_grad_()
    pooled, offsets = max_pool(x.detach(), packed=packed)
    library.opcheck(torch.ops.segedu.offset_max_pool.default, (x, packed))
    library.opcheck(torch.ops.segedu.offset_max_unpool.default, (pooled.requires_grad_(), offsets, 7, 9))
    library.opcheck(torch.ops.segedu.offset_take.default, (x, offsets))


@pytest.mark.parametrize("packed", [False, True])
def test_runs_on_fake_cuda(packed):
    with FakeTensorMode(), torch.device("cuda"):
        pooled, offsets = max_pool(torch.zeros(2, 3, 45, 60), packed=packed)
        full = max_unpool(pooled, offsets, (45, 60))
    assert pooled.shape == (2, 3, 23, 30)
    assert full.shape == (2, 3, 45, 60)
    assert {one.device.type for one in (pooled, offsets, full)} == {"cuda"}


def test_bodies_for_a_gpu_run_on_fake_cuda():
    """A tensor made on the wrong device inside an operator fails here."""
    with FakeTensorMode(), torch.device("cuda"):
        pooled, offsets = windows.largest(torch.zeros(2, 3, 45, 60))
        full = windows.put(pooled, windows.unpack(pack(offsets), 30), (45, 60))
        assert windows.take(full, offsets).shape == (2, 3, 23, 30)


def test_modules_say_what_they_are():
    assert repr(OffsetMaxPool2d(packed=True)) == "OffsetMaxPool2d(packed=True)"
    assert repr(OffsetMaxPool2d()) == "OffsetMaxPool2d()"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, p, o: max_pool(x.int()), TypeError, r"x has dtype torch\.int32"),
        (lambda x, p, o: max_pool(x[0]), ValueError, r"x has shape \(2, 5, 6\)"),
        (lambda x, p, o: max_pool(x[..., :0]), ValueError, r"x has shape \(1, 2, 5, 0\)"),
        (lambda x, p, o: max_unpool(p, o.long(), (5, 6)), TypeError, r"offsets have dtype torch\.int64"),
        (lambda x, p, o: max_unpool(p, o, (7, 6)), ValueError, "output_size 7x6 has 4x3 windows"),
        (lambda x, p, o: max_unpool(p, o[:, :1], (5, 6)), ValueError, r"offsets have shape \(1, 1, 3, 3\)"),
        (lambda x, p, o: unpack(o, 4), ValueError, "packed holds 3 bytes a row, but 4 offsets need 1"),
    ],
)
def test_errors_name_what_came(call, error, message):
    x = torch.randn(1, 2, 5, 6)
    with pytest.raises(error, match=message):
        call(x, *max_pool(x))
