"""Memory for gradients: what it is, and that asking for large pages changes nothing but the pages."""

import mmap
import sys

import pytest
import torch

from segedu.losses import dice_loss, pages
from segedu.losses.pages import gradient_like, written_to

LARGE = torch.empty(1, 3, 2**20)


@pytest.mark.parametrize("logits", [LARGE, LARGE.mT, LARGE.half(), torch.empty(0), torch.empty(2, 3, 4, device="meta")])
def test_like_its_logits(logits):
    found = gradient_like(logits)
    expected = torch.empty_like(logits)
    assert (found.shape, found.dtype, found.stride()) == (expected.shape, expected.dtype, expected.stride())
    assert found.device == logits.device


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_what_the_system_is_asked_for_lies_inside_the_gradient(monkeypatch):
    asked = []
    monkeypatch.setattr(pages, "_advise", lambda: lambda *words: asked.append(words))
    gradient_like(torch.empty(1, 2, 4))
    assert not asked
    found = gradient_like(LARGE)
    [(start, length, advice)] = asked
    assert start % mmap.PAGESIZE == 0
    assert found.data_ptr() <= start < found.data_ptr() + mmap.PAGESIZE
    assert start + length == found.data_ptr() + 4 * found.numel()
    assert advice == mmap.MADV_HUGEPAGE


def test_a_system_that_refuses_or_has_no_large_pages(monkeypatch):
    logits = torch.randn(1, 4, 768, 768, requires_grad=True)
    target = torch.zeros(1, 768, 768, dtype=torch.long)
    expected = torch.autograd.grad(dice_loss(logits, target), logits)
    for advise in (None, lambda *words: -1):
        monkeypatch.setattr(pages, "_advise", lambda advise=advise: advise)
        assert torch.equal(*expected, *torch.autograd.grad(dice_loss(logits, target), logits))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_piece_is_written_in_the_type_of_arithmetic(dtype):
    whole = torch.zeros(2, 6, dtype=dtype)
    with written_to(whole[:, 1:3], torch.float32) as piece:
        assert piece.dtype == torch.float32
        piece.fill_(1.25)
    assert torch.equal(whole, torch.tensor([[0, 1.25, 1.25, 0, 0, 0]] * 2, dtype=dtype))
