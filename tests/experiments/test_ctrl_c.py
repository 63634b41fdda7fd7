"""Ctrl-C while Python is asleep, and while a library does not let go."""

import hashlib
import os
import signal
import sys
import threading
import time

import pytest

from experiments.ctrl_c import INTERRUPTED, stopped_in_time

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked")


def left(work, said):
    """Exit code of a process that is interrupted at this work, and what it wrote at last."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        sys.stderr = said.open("w")
        try:
            with stopped_in_time(lambda: "the best is kept", seconds=0.2):
                os.write(writes, b".")
                work()
        except KeyboardInterrupt:
            os._exit(7)
        os._exit(8)
    os.read(reads, 1)
    time.sleep(0.1)
    os.kill(child, signal.SIGINT)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, said.read_text() if said.exists() else ""


@forks
def test_a_call_that_does_not_let_go_is_ended(tmp_path):
    def work():
        hashlib.pbkdf2_hmac("sha512", b"", b"", 2**31 - 1)  # Half an hour.

    assert left(work, tmp_path / "said") == (INTERRUPTED, "amc: the best is kept\n")


@forks
def test_python_that_can_be_interrupted_ends_in_order(tmp_path):
    assert left(lambda: time.sleep(60), tmp_path / "said") == (7, "")


def test_nothing_is_left_behind():
    before = threading.active_count()
    with stopped_in_time(str):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert signal.set_wakeup_fd(-1) == -1


def test_one_within_another():
    with pytest.raises(KeyboardInterrupt), stopped_in_time(str), stopped_in_time(str):
        signal.raise_signal(signal.SIGINT)


def test_elsewhere_than_in_the_main_thread_it_does_nothing():
    done = []

    def work():
        with stopped_in_time(str):
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
