"""Ctrl-C while Python is asleep, and while a library does not let go."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from experiments import cli
from experiments.commands import runs
from experiments.terminal.ctrl_c import INTERRUPTED, stop_in_time


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """A shell that starts tests in the background has them, and what they start, ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked")


def long_call(began):
    """Half an hour, in which Python does not get to its signals."""
    began()
    hashlib.pbkdf2_hmac("sha512", b"", b"", 2**31 - 1)


def left(work, said):
    """Exit code of a process that is interrupted at this work, and what it wrote at last."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        sys.stderr = said.open("w")
        try:
            with stop_in_time(lambda: "the best is kept", seconds=0.2):
                work(lambda: os.write(writes, b"."))
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
    assert left(long_call, tmp_path / "said") == (INTERRUPTED, "amc: the best is kept\n")


@forks
def test_so_it_is_in_every_command_from_its_first_moment(tmp_path, monkeypatch):
    def work(began):
        monkeypatch.setattr(runs, "run", lambda config, console: long_call(began))
        cli.main(["runs"])

    assert left(work, tmp_path / "said") == (INTERRUPTED, "amc: interrupted\n")


@forks
def test_python_that_can_be_interrupted_ends_in_order(tmp_path):
    def work(began):
        began()
        time.sleep(60)

    assert left(work, tmp_path / "said") == (7, "")


@forks
def test_what_an_import_makes_of_ctrl_c_is_still_ctrl_c(tmp_path):
    def work(began):
        try:
            began()
            time.sleep(60)
        except KeyboardInterrupt:
            raise ImportError("cannot load module more than once per process") from None

    assert left(work, tmp_path / "said") == (7, "")


def test_errors_without_ctrl_c_are_what_they_are():
    with pytest.raises(ImportError, match="no such module"), stop_in_time(str):
        raise ImportError("no such module")


def test_nothing_is_left_behind():
    before = threading.active_count()
    with stop_in_time(str):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert signal.set_wakeup_fd(-1) == -1


def test_one_within_another():
    with pytest.raises(KeyboardInterrupt), stop_in_time(str), stop_in_time(str):
        signal.raise_signal(signal.SIGINT)


def test_elsewhere_than_in_the_main_thread_it_does_nothing():
    done = []

    def work():
        with stop_in_time(str):
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


def test_it_is_obeyed_while_the_command_line_itself_is_imported(tmp_path):
    (tmp_path / "click.py").write_text(
        "import sys, time\nprint('importing', flush=True)\ntime.sleep(60)\n"
    )
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", "runs"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), root])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (INTERRUPTED, "amc: interrupted\n")


LEAVING = """
import atexit, sys, time
from experiments.terminal.ctrl_c import leave

class Imported:
    def __del__(self):
        print("taken apart")

imported = Imported()
atexit.register(print, "tidied")
leave(int(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("code", "said"),
    [(INTERRUPTED, "tidied\n"), (2, "tidied\ntaken apart\n"), (0, "tidied\ntaken apart\n")],
)
def test_an_interrupted_process_tidies_up_and_is_not_taken_apart(code, said):
    assert ended(LEAVING, code) == (code, said)


def test_it_does_not_wait_for_what_takes_long_to_tidy():
    hanging = LEAVING.replace("print,", "time.sleep, 60)\natexit.register(print,")
    assert ended(hanging, INTERRUPTED)[0] == INTERRUPTED


def ended(script, code):
    """Exit code and output of a process that leaves with this code."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(code)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout
