"""How fast `Streets` paints: images a second by picture size, batch size and threads.

    python benchmarks/streets.py [--device cuda] [--repeats 11] [--json FILE]

``cpu ms`` is processor time for each image over all threads: unlike the clock it hardly feels a busy machine.
"""

import argparse
from functools import partial

import torch
from common import interleaved, machine, table, write

from segedu.data.streets import Streets

SIZES = ((96, 128), (180, 240), (360, 480))
BATCHES = (1, 8, 32, 128)


def measure(device: str, repeats: int) -> list[dict[str, object]]:
    """Time every combination, batch sizes interleaved."""
    rows: list[dict[str, object]] = []
    for threads in (1, 2) if device == "cpu" else (1,):
        torch.set_num_threads(threads)
        for size in SIZES:
            data = Streets(size=size)
            share = size[0] * size[1] // (96 * 128)
            batches = [batch for batch in BATCHES if batch == 1 or batch <= 128 // share]
            runs = {str(batch): partial(data.batch, range(batch), device) for batch in batches}
            for batch, timing in interleaved(runs, repeats).items():
                images = int(batch)
                rows.append(
                    {
                        "size": f"{size[0]}x{size[1]}",
                        "batch": images,
                        "threads": threads,
                        "images/s": round(images / timing.wall, 1),
                        "cpu ms": round(1000 * timing.cpu / images, 3),
                    }
                )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="where to paint (default: cpu)")
    parser.add_argument("--repeats", type=int, default=11, help="timings of each combination (default: 11)")
    parser.add_argument("--json", help="file to write the rows and the machine's description to")
    arguments = parser.parse_args()
    result = measure(arguments.device, arguments.repeats)
    print(machine())
    print(table(result))
    if arguments.json:
        write(arguments.json, result)
