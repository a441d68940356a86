"""What the ASPP explorer says: the map, the taps that are left of each branch, and the cell or rate pointed at."""

from segedu.classroom.explorers.aspp_heads import Pyramid
from segedu.classroom.explorers.labelled import share
from segedu.receptive_field.taps import valid_taps


def words(result: Pyramid, place: tuple[int, int], rate: int | None) -> str:
    """Five lines."""
    about = _say_cell(result, place) if rate is None else _say_rate(result, rate)
    return "\n".join([_say_map(result), _say_means(result), _say_widest(result), about, _code(result)])


def _say_map(result: Pyramid) -> str:
    coarse, fine = (stride * (result.size - 1) + 1 for stride in (16, 8))
    return f"{result.size} × {result.size} cells: {coarse} pixels at output stride 16, {fine} at output stride 8."


def _say_means(result: Pyramid) -> str:
    """How many taps of each rate are on the map, on average."""
    first, *others = (branch for branch in result.branches if branch.kernel > 1)
    said = ", ".join([f"{first.mean:.2f} at rate {first.rate}", *(f"{b.mean:.2f} at {b.rate}" for b in others)])
    return f"Mean taps on the map, of 9: {said}."


def _say_widest(result: Pyramid) -> str:
    """What becomes of the largest rate's kernel."""
    widest = max(result.branches, key=lambda branch: branch.padding)
    whole, corner = widest.shares.get(9, 0.0), float(widest.usage[0, 0])
    if widest.is_pointwise:
        return f"Rate {widest.rate} is no smaller than the map: its 3 × 3 kernel is a 1 × 1 everywhere."
    seen = f"{share(whole)} of cells see all nine taps" if whole else "no cell sees all nine taps"
    return f"At rate {widest.rate}, {seen} and {share(corner)} see a given corner tap."


def _say_cell(result: Pyramid, place: tuple[int, int]) -> str:
    """The block of each kernel that one cell uses, and how many taps of all kernels read zeros."""
    row, col = place
    blocks = [branch.block(row, col) for branch in result.branches if branch.kernel > 1]
    sizes = [(down.stop - down.start, right.stop - right.start) for down, right in blocks]
    said = ", ".join(f"{down} × {right}" for down, right in sizes)
    lost = sum(9 - down * right for down, right in sizes)
    return f"Row {row}, column {col} sees {said} taps; {lost} of {9 * len(sizes)} read zeros."


def _say_rate(result: Pyramid, rate: int) -> str:
    taps = valid_taps(result.size, rate)
    (most, cells), *others = taps.shares.items()
    first = f"{most} tap{'s' * (most > 1)} at {share(cells)} of cells"
    said = ", ".join([first, *(f"{number} at {share(cells)}" for number, cells in others)])
    return f"Rate {rate}: {said}; mean {taps.mean:.2f}."


def _code(result: Pyramid) -> str:
    """The head in PyTorch, over the 2048 channels of a ResNet and, in v2, to the scores of 21 classes."""
    rates = ", ".join(map(str, result.rates))
    return f"pyramid(2048, ({rates}))" if result.head == "v3" else f"SummedASPP(2048, 21, ({rates}))"
