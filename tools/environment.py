"""Make the course's environment: create ``.venv`` and install ``requirements.txt`` into it.

``make lab`` and ``make test`` call this first. It may be run any number of times: when nothing changed it is done in a
moment, an installation that was cut off is taken up again, and whatever goes wrong is said in one sentence.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
NEEDED_BYTES = 7 * 10**9
ROOT = Path(__file__).resolve().parent.parent

# What pip prints when the network, not a package, is the trouble.
OFFLINE = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ReadTimeoutError", "ProxyError")


class SetupError(Exception):
    """One sentence for the user: what is wrong and the way out."""


def main() -> int:
    try:
        prepare(ROOT)
    except SetupError as error:
        print(f"segedu: {error}", file=sys.stderr)
        return 1
    return 0


def prepare(root: Path) -> None:
    """Bring ``root/.venv`` up to date with ``root/requirements.txt``; raises ``SetupError``."""
    check_python(sys.version_info[:2])
    venv = root / ".venv"
    stamp = venv / ".segedu-ready"
    wanted = digest(root)
    works = runs(python_of(venv))
    if works and stamp.is_file() and stamp.read_text() == wanted:
        return
    if not works:
        check_disk(shutil.disk_usage(root).free)
        print("Making .venv and installing the course (about 7 GB with a CUDA build of PyTorch, a few minutes) ...")
        create(venv)
    install(python_of(venv), root)
    unfinished = stamp.with_suffix(".part")
    unfinished.write_text(wanted)
    os.replace(unfinished, stamp)


def check_python(version: tuple[int, ...]) -> None:
    if tuple(version) < OLDEST_PYTHON:
        raise SetupError(
            f"this is Python {version[0]}.{version[1]}, and the course needs "
            f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer; name one with, say, `make lab PYTHON=python3.12`"
        )


def check_disk(free: int) -> None:
    if free < NEEDED_BYTES:
        raise SetupError(
            f"the disk has {free / 1e9:.1f} GB free, and the environment needs about {NEEDED_BYTES / 1e9:.0f} GB; "
            "make room, or move this folder to another disk"
        )


def digest(root: Path) -> str:
    """What the environment depends on; when it changes, pip is asked again."""
    content = (root / "requirements.txt").read_bytes() + (root / "pyproject.toml").read_bytes()
    return hashlib.sha256(content + str(root).encode()).hexdigest()


def python_of(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def runs(python: Path) -> bool:
    """Whether this interpreter starts: false for a missing one and for one whose Python was removed or moved."""
    try:
        return subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def create(venv: Path) -> None:
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SetupError(
            f"{sys.executable} cannot make a virtual environment; on Debian and Ubuntu install python3-venv "
            f"({(made.stdout + made.stderr).strip().splitlines()[-1]})"
        )


def install(python: Path, root: Path) -> None:
    """Run pip, let the user see it work, and turn its failure into a sentence."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--retries", "2"]
    command += ["-r", "requirements.txt"]
    lines = []
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            lines.append(line)
            if not line.startswith("Requirement already satisfied"):
                print(line, end="", flush=True)
    if pip.returncode:
        raise SetupError(reason("".join(lines)))


def reason(output: str) -> str:
    """One sentence from what pip printed."""
    if "No space left on device" in output:
        return "the disk ran full while installing; make about 7 GB of room and run the same command again"
    if any(sign in output for sign in OFFLINE):
        return (
            "the packages cannot be downloaded: no network, or a proxy in the way; "
            "connect and run the same command again (what has been downloaded is kept)"
        )
    last = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines() or ["no output"]
    return f"pip could not install the course: {last[-1]}"


if __name__ == "__main__":
    sys.exit(main())
