"""Exercise: ``border_weight(d1, d2, w_c, w0, sigma)``, how much a pixel between two cells counts in U-Net's loss.

``d1`` and ``d2`` are a pixel's distances to the nearest and to the second nearest cell, ``w_c`` the weight of its class
(tensors of one shape); ``w0`` and ``sigma`` are numbers. The answer is the weight (U-Net, section 3, eq. 2).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor

Exponent = Callable[[Tensor, Tensor, float], Tensor]


def _distances() -> Iterator[tuple[Tensor, Tensor, Tensor, float, float]]:
    """A gap of zero width and wide ones, classes of different weight, and two settings."""
    d1 = torch.tensor([0.0, 1.0, 2.0, 3.0, 1.0, 6.0])
    d2 = torch.tensor([0.0, 1.0, 3.0, 4.0, 7.0, 6.5])
    w_c = torch.tensor([1.0, 0.6, 0.6, 2.0, 0.6, 0.6])
    for w0, sigma in ((10.0, 5.0), (4.0, 3.0)):
        yield d1.clone(), d2.clone(), w_c.clone(), w0, sigma


def _weighed(exponent: Exponent) -> Answer:
    """``w_c + w0 exp(exponent)``."""
    return lambda d1, d2, w_c, w0, sigma: w_c + w0 * exponent(d1, d2, sigma).exp()


def _right(d1: Tensor, d2: Tensor, sigma: float) -> Tensor:
    return -((d1 + d2) ** 2) / (2 * sigma**2)


border_weight = Exercise(
    solution=_weighed(_right),
    mistakes=(
        Mistake(
            _weighed(lambda d1, d2, sigma: -(d1**2 + d2**2) / (2 * sigma**2)),
            "each distance is squared and then they are added. The sum d1 + d2 is the width of the gap, and it is the "
            "gap that is squared: between cells 6 pixels apart every pixel of the line across weighs the same.",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -(d1 + d2) / (2 * sigma**2)),
            "the square is missing: the sum of the distances falls off as a bell, exp(-x^2 / (2 sigma^2)), not as "
            "exp(-x).",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -((d1 + d2) ** 2) / (2 * sigma)),
            "sigma is not squared. The exponent has to be a pure number: pixels squared over pixels squared.",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -((d1 + d2) ** 2) / sigma**2),
            "the 2 is missing: the bell of deviation sigma is exp(-x^2 / (2 sigma^2)).",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -(((d1 + d2) / (2 * sigma)) ** 2)),
            "the 2 stands inside the square, and so counts twice: the divisor is 2 sigma^2, not (2 sigma)^2.",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -((d1 + d2) ** 2) / 2 * sigma**2),
            "sigma multiplies. In Python a / 2 * b is (a / 2) * b: put the divisor in brackets, / (2 * sigma**2).",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: (d1 + d2) ** 2 / (2 * sigma**2)),
            "the sign is missing, so the weight grows with the distance: far from every cell it would be the largest.",
        ),
        Mistake(
            lambda d1, d2, w_c, w0, sigma: w0 * _right(d1, d2, sigma).exp(),
            "w_c is forgotten: far from every gap a pixel would weigh nothing, and the net would learn the gaps alone.",
        ),
        Mistake(
            lambda d1, d2, w_c, w0, sigma: w_c * w0 * _right(d1, d2, sigma).exp(),
            "w_c multiplies the bell, so a pixel far from every gap weighs nothing. The two are added: the class's "
            "weight everywhere, and something on top in the gaps.",
        ),
        Mistake(
            lambda d1, d2, w_c, w0, sigma: w_c + _right(d1, d2, sigma).exp(),
            "w0 is forgotten: it says how much a gap of no width weighs on top of its class.",
        ),
        Mistake(
            lambda d1, d2, w_c, w0, sigma: (w_c + w0) * _right(d1, d2, sigma).exp(),
            "the bell multiplies w_c as well, so all weights fade with the distance: only w0 is multiplied by it.",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -((d2 - d1) ** 2) / (2 * sigma**2)),
            "the distances are subtracted. The difference is 0 in the middle of any two cells, however far apart; the "
            "sum is small in a narrow gap alone.",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -(d1**2) / (2 * sigma**2)),
            "d2 is left out. Then every border is heavy, also where no second cell is near; the map is meant for the "
            "gaps between two.",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -(d2**2) / (2 * sigma**2)),
            "d1 is left out: the width of the gap is the distance to the one cell and to the other, added.",
        ),
        Mistake(
            _weighed(lambda d1, d2, sigma: -((d1 * d2) ** 2) / (2 * sigma**2)),
            "the distances are multiplied. Then every pixel that touches one cell is heavy, for its d1 is 0; added, "
            "they are small in a narrow gap alone.",
        ),
    ),
    probes=_distances,
    observe=one_tensor,
    learnt=(
        "the class's weight, and a bell of the gap's width on top. A gap of no width weighs w_c + w0, one of sigma "
        "pixels still w_c + 0.61 w0."
    ),
)
