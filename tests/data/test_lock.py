import errno
import threading

import pytest

from segedu.data import lock
from segedu.data.lock import exclusive


def test_one_at_a_time_and_no_file_stays(tmp_path):
    inside, most = 0, 0
    counting = threading.Lock()

    def work():
        nonlocal inside, most
        for _ in range(20):
            with exclusive(tmp_path / "lock"):
                with counting:
                    inside += 1
                    most = max(most, inside)
                threading.Event().wait(0.0005)
                with counting:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1
    assert list(tmp_path.iterdir()) == []


def test_waiting_is_announced_once(tmp_path, capsys):
    entered = threading.Event()

    def second():
        with exclusive(tmp_path / "lock"):
            entered.set()

    with exclusive(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.2)
    thread.join(60)
    assert entered.is_set()
    assert capsys.readouterr().err == f"waiting for another process that holds {tmp_path / 'lock'}\n"


def test_error_inside_releases(tmp_path):
    with pytest.raises(KeyError), exclusive(tmp_path / "lock"):
        raise KeyError
    with exclusive(tmp_path / "lock"):
        assert (tmp_path / "lock").exists()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_system_without_locks_is_used_without(tmp_path, monkeypatch, code):
    def refuse(_):
        raise OSError(code, "no locks here")

    monkeypatch.setattr(lock, "_try", refuse)
    with exclusive(tmp_path / "lock"):
        pass


def test_other_errors_are_not_swallowed(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(lock, "_try", fail)
    with pytest.raises(OSError, match="the disk is gone"), exclusive(tmp_path / "lock"):
        pass
