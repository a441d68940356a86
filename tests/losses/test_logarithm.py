"""The series for a logarithm against the logarithm."""

import pytest
import torch

from segedu.losses.logarithm import subtract_log_of_rest


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 4e-7), (torch.float64, 1e-15)])
def test_all_shares_up_to_a_half(dtype, tolerance):
    small, large = torch.logspace(-37, -1, 5001, dtype=dtype), torch.linspace(0, 0.5, 5001, dtype=dtype)
    share = torch.cat([small, large])
    expected = -torch.log1p(-share.double())
    found = subtract_log_of_rest(torch.zeros_like(share), share.clone(), *torch.empty(2, len(share), dtype=dtype))
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=0)


def test_what_there_was_is_kept():
    value, share, one, other = torch.tensor([[100.0], [0.25], [0.0], [0.0]])
    assert subtract_log_of_rest(value, share, one, other) is value
    assert float(value) == pytest.approx(100.2876821)
