"""What all tests share: repeatable randomness, few threads, and the folder of real data where there is one."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent

settings.register_profile("segedu", deadline=None, max_examples=15, print_blob=True)
settings.load_profile("segedu")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _progress_kept_apart(tmp_path_factory):
    """Exercises that tests solve, here or in a process of their own, are not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGEDU_PROGRESS", str(tmp_path_factory.mktemp("progress") / "progress.jsonl"))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that holds ``camvid/``: ``SEGEDU_DATA``, else ``shared/data`` beside the checkout."""
    for folder in (os.environ.get("SEGEDU_DATA"), REPOSITORY.parent / "shared" / "data"):
        if folder and (Path(folder) / "camvid").is_dir():
            return Path(folder)
    pytest.skip("no real data: set SEGEDU_DATA to the folder that holds camvid/")
