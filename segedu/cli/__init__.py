"""The command line: ``python -m segedu check | train | evaluate | predict | export | download | claims | progress``.

What a user can put right is told in one sentence on standard error, with exit code 2; an interruption exits with 130. A
reader that has seen enough, such as ``head``, is no error.
Each command is a module that is imported when it runs, so that asking for help waits for none of them.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import torch

from segedu.cli.parser import parser

__all__ = ["main"]

INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``arguments`` are those of the process by default."""
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parser().parse_args(arguments, argparse.Namespace(arguments=list(arguments)))
    try:
        return int(import_module(f"segedu.cli.{chosen.command}").run(chosen))
    except KeyboardInterrupt as interruption:
        print(f"\nsegedu: interrupted{interruption}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        return 0
    except torch.OutOfMemoryError:
        smaller = "a --tile" if chosen.command == "predict" else "a smaller --size or --batch-size"
        print(f"segedu: the device lacks the memory for this; give {smaller}", file=sys.stderr)
        return 2
    except (ValueError, OSError, FloatingPointError, ModuleNotFoundError) as error:
        if chosen.traceback:
            raise
        print(f"segedu: {error}", file=sys.stderr)
        return 2
