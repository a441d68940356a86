"""Memory for gradients: what it is, who has it, and that nobody has it twice."""

import mmap
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from segedu.losses import cross_entropy, dice_loss, pages, release_memory
from segedu.losses.pages import gradient_like, written_to

LARGE = torch.empty(1, 3, 2**20)


@pytest.fixture(autouse=True)
def _nothing_spare():
    release_memory()
    yield
    release_memory()


@pytest.mark.parametrize("layout", [{}, {"dtype": torch.float64, "memory_format": torch.contiguous_format}])
@pytest.mark.parametrize(
    "logits",
    [
        LARGE,
        LARGE[:, :1].expand(-1, 3, -1),
        LARGE.mT,
        LARGE.half(),
        LARGE.bfloat16(),
        LARGE.double()[:, ::2],
        LARGE.view(1, 3, 1024, 1024).to(memory_format=torch.channels_last),
        torch.empty(0),
        torch.empty(2, 3, 4, device="meta"),
    ],
)
def test_like_its_logits(logits, layout):
    found = gradient_like(logits, **layout)
    expected = torch.empty_like(logits, **layout)
    assert (found.shape, found.dtype, found.stride()) == (expected.shape, expected.dtype, expected.stride())
    assert found.device == logits.device
    assert found._base is None


def test_the_next_gradient_takes_the_memory_of_one_that_died():
    first = gradient_like(LARGE)
    place = first.data_ptr()
    del first
    second = gradient_like(LARGE.mT)  # the size counts, not the layout
    assert second.data_ptr() == place


def test_what_is_in_anybodys_hands_is_not_given_out_again():
    first = gradient_like(LARGE)
    place = first.data_ptr()
    kept = first[:, 1:2].fill_(7)
    del first
    assert gradient_like(LARGE).fill_(0).data_ptr() != place
    assert (kept == 7).all()
    del kept
    assert gradient_like(LARGE).data_ptr() == place


def test_the_last_three_are_kept():
    alive = [gradient_like(LARGE) for _ in range(4)]
    last = {gradient.data_ptr() for gradient in alive[1:]}
    while alive:
        del alive[0]
    assert {block.data_ptr() for block in pages._spare} == last
    release_memory()
    assert not pages._spare


def test_memory_is_given_to_what_it_fits_and_the_oldest_goes_first():
    single, double, half = (4 * LARGE.numel(), 8 * LARGE.numel(), 2 * LARGE.numel())
    for dtype in (torch.float32, torch.float64):
        gradient_like(LARGE, dtype=dtype)
    assert [len(block) for block in pages._spare] == [single, double]
    first = gradient_like(LARGE)
    assert [len(block) for block in pages._spare] == [double]
    del first
    gradient_like(LARGE, dtype=torch.float16)
    assert [len(block) for block in pages._spare] == [double, single, half]
    gradient_like(LARGE[..., : 2**18].clone())
    assert [len(block) for block in pages._spare] == [single, half, 2**18 * 12]


def test_what_is_small_or_very_large_stays_with_pytorch(monkeypatch):
    gradient_like(torch.empty(1, 2, 4))
    monkeypatch.setattr(pages, "_MOST", 2**23)
    gradient_like(LARGE)
    assert not pages._spare


def test_what_is_kept_is_not_much_all_together(monkeypatch):
    size = 4 * LARGE.numel()
    monkeypatch.setattr(pages, "_MOST", 2 * size)
    alive = [gradient_like(LARGE) for _ in range(3)]
    del alive
    assert [len(block) for block in pages._spare] == [size, size]
    gradient_like(LARGE, dtype=torch.float64)
    assert [len(block) for block in pages._spare] == [2 * size]


def test_threads_do_not_share_a_gradient():
    def step(number):
        gradient = gradient_like(LARGE).fill_(number)
        return bool((gradient == number).all())

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(step, range(40)))


def test_a_step_leaves_the_gradients_that_are_kept_alone():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 4, 768, 768, generator=generator, requires_grad=True)
    target = torch.randint(0, 4, (1, 768, 768), generator=generator)
    ways = (dice_loss, cross_entropy, lambda *given: dice_loss(*given) + cross_entropy(*given))
    kept = [torch.autograd.grad(way(logits, target), logits)[0] for way in ways]
    copies = [gradient.clone() for gradient in kept]
    torch.testing.assert_close(kept[0] + kept[1], kept[2])
    for _ in range(2):
        for way in ways:
            way(logits, target).backward()
            logits.grad = None
    assert all(map(torch.equal, kept, copies))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_what_the_system_is_asked_for_lies_inside_the_gradient(monkeypatch):
    asked = []
    monkeypatch.setattr(pages, "_advise", lambda: lambda *words: asked.append(words))
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
        release_memory()
        monkeypatch.setattr(pages, "_advise", lambda advise=advise: advise)
        assert torch.equal(*expected, *torch.autograd.grad(dice_loss(logits, target), logits))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_piece_is_written_in_the_type_of_arithmetic(dtype):
    whole = torch.zeros(2, 6, dtype=dtype)
    with written_to(whole[:, 1:3], torch.float32) as piece:
        assert piece.dtype == torch.float32
        piece.fill_(1.25)
    assert torch.equal(whole, torch.tensor([[0, 1.25, 1.25, 0, 0, 0]] * 2, dtype=dtype))
