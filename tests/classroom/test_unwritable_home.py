"""Lessons on a machine whose home cannot be written to, as in many a class room."""

import os
import subprocess
import sys

import pytest


@pytest.mark.processes
def test_drawing_says_nothing_of_a_home_that_cannot_be_written(tmp_path):
    (tmp_path / "home").write_text("no folder, so nothing can be made in it")
    elsewhere = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in elsewhere}
    ran = subprocess.run(
        [sys.executable, "-c", "from segedu.classroom import figures\nwith figures.figure('a line'): pass"],
        env=environment | {"HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
