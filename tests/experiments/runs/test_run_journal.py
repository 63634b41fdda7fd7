"""The file of finished work: what was noted stands there, whatever happens to its end."""

import errno
import json
import os
import resource
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from amc.history import DeviceCost, Evaluation
from amc.journal import Entry
from experiments.disk import locking as locks
from experiments.runs.journal_file import JOURNAL_FILE, RunJournal, _line
from netadapt import Proposal

NOTES = {f"{n},4": Evaluation(score=0.1 * n, seconds=1e-3 * n) for n in range(4)}
MORE = Evaluation(score=0.5, seconds=1.0)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The bytes of a journal with a header and four notes."""
    folder = tmp_path_factory.mktemp("journal")
    with RunJournal(folder) as journal:
        journal.begin({"settings": {"budget": "macs=0.5"}})
        for key, entry in NOTES.items():
            journal.note(key, entry)
    return (folder / JOURNAL_FILE).read_bytes()


def notes_of(folder):
    with RunJournal(folder) as journal:
        found = {key: journal.recall(Evaluation, key) for key in NOTES}
    return {key: entry for key, entry in found.items() if entry is not None}


def test_what_was_noted_comes_back_to_the_last_digit(written, tmp_path):
    (tmp_path / JOURNAL_FILE).write_bytes(written)
    assert notes_of(tmp_path) == NOTES
    with RunJournal(tmp_path) as journal:
        assert journal.header["settings"] == {"budget": "macs=0.5"}
        assert (journal.count(Evaluation), journal.damaged) == (4, 0)
        assert journal.recall(Evaluation, "9,9") is None


def test_every_line_is_json_that_others_can_read(written):
    records = [json.loads(line)["record"] for line in written.splitlines()]
    assert [record["kind"] for record in records] == ["header", *["evaluation"] * len(NOTES)]
    assert [record["key"] for record in records] == ["", *NOTES]


def test_a_journal_of_an_earlier_release_has_kind_and_key_as_one_name(tmp_path):
    lines = [
        {"name": "header", "version": 2, "settings": {}},
        {"name": "evaluation 8,8", "accuracy": 0.5, "seconds": 1.0},
        {"name": "proposal 3 8,8", "accuracy": 0.25, "seconds": 2.0, "diverged": False},
        {"name": "measured latency 8,8", "cost": 0.125},
    ]
    (tmp_path / JOURNAL_FILE).write_bytes(b"".join(map(_line, lines)))
    with RunJournal(tmp_path) as journal:
        assert journal.header["version"] == 2
        assert journal.recall(Evaluation, "8,8") == MORE
        assert journal.recall(Proposal, "3 8,8") == Proposal(0.25, 2.0, False)
        assert journal.recall(DeviceCost, "latency 8,8") == DeviceCost(0.125)
        assert journal.damaged == 0


@dataclass(frozen=True)
class Own(Entry):
    """Of a strategy that somebody else wrote."""

    kind = "own"
    what: str


def test_entries_of_a_kind_of_ones_own_come_back(tmp_path):
    with RunJournal(tmp_path) as journal:
        journal.begin({})
        journal.note("here", Own("this"))
    with RunJournal(tmp_path) as journal:
        assert journal.recall(Own, "here") == Own("this")
        assert journal.recall(Evaluation, "here") is None


@given(data=st.data())
def test_a_torn_end_costs_the_torn_record_alone(data, written, tmp_path_factory):
    first = written.index(b"\n") + 1
    end = data.draw(st.integers(first, len(written)))
    folder = tmp_path_factory.mktemp("torn")
    (folder / JOURNAL_FILE).write_bytes(written[:end])
    whole = written[:end].count(b"\n") - 1
    assert notes_of(folder) == dict(list(NOTES.items())[:whole])
    with RunJournal(folder) as journal:
        journal.note("7,7", MORE)
    with RunJournal(folder) as journal:
        assert journal.recall(Evaluation, "7,7") == MORE
        assert (journal.count(Evaluation), journal.damaged) == (whole + 1, 0)


@given(data=st.data())
def test_a_damaged_byte_costs_its_line_and_never_gives_another_number(
    data, written, tmp_path_factory
):
    first = written.index(b"\n") + 1
    at, byte = data.draw(st.integers(first, len(written) - 1)), data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / JOURNAL_FILE).write_bytes(written[:at] + bytes([byte]) + written[at + 1 :])
    found = notes_of(folder)
    assert found.items() <= NOTES.items()
    assert len(found) >= len(NOTES) - 2  # A line break that is gone makes one line of two.


def test_a_file_of_another_kind_is_refused_and_left_alone(written, tmp_path):
    header, rest = written.split(b"\n", 1)
    for text in (b"mine", b"mine\n", b'{"a": 1}\n', header[:-9] + b"\n" + rest, rest):
        (tmp_path / JOURNAL_FILE).write_bytes(text)
        with pytest.raises(ValueError, match=r"not a journal that this release .*--overwrite"):
            RunJournal(tmp_path)
        assert (tmp_path / JOURNAL_FILE).read_bytes() == text
    with RunJournal(tmp_path, anew=True) as journal:
        journal.begin({})
        assert not any(journal.recall(Evaluation, key) for key in NOTES)


def test_a_journal_of_another_release_is_refused(written, tmp_path):
    with RunJournal(tmp_path) as journal:
        journal._add("header", "", {"version": 99})
    with pytest.raises(ValueError, match=r"not a journal that this release can go on with; name"):
        RunJournal(tmp_path)


ODD = {
    (Evaluation, "8,8"): [
        {"score": 0.5, "seconds": 1.0, "more": 1},
        {"score": "high", "seconds": 1.0},
        {"score": 1e300, "seconds": 1.0},
        {"score": float("nan"), "seconds": 1.0},
        {"score": 0.5, "seconds": None},
        {"score": 0.5},
        {"score": 0.5, "seconds": 1.0, "seen": 2.5},
        {},
    ],
    (Proposal, "1 8,8"): [
        {"score": 0.5, "seconds": 1.0},
        {"score": 0.5, "seconds": 1.0, "diverged": 1},
        {"score": -1e300, "seconds": 1.0, "diverged": False},
    ],
    (DeviceCost, "latency 8,8"): [{}, {"cost": 0}, {"cost": "1"}, {"cost": float("inf")}],
}


@pytest.mark.parametrize(
    ("name", "note"), [(name, note) for name, notes in ODD.items() for note in notes]
)
def test_a_whole_line_that_tells_odd_things_is_done_again(name, note, written, tmp_path):
    (tmp_path / JOURNAL_FILE).write_bytes(written)
    with RunJournal(tmp_path) as journal:
        journal._add(name[0].kind, name[1], note)
        journal.note("4,4", Evaluation(score=0.75, seconds=2.0))
    with RunJournal(tmp_path) as journal:
        assert journal.recall(*name) is None
        assert (journal.count(Evaluation), journal.damaged) == (5, 1)


def test_one_process_at_a_time(tmp_path):
    with RunJournal(tmp_path) as journal:
        journal.begin({})
        with pytest.raises(ValueError, match=r"another process is at work in .*--out"):
            RunJournal(tmp_path)
    RunJournal(tmp_path).__exit__(None, None, None)


def test_a_process_that_was_killed_holds_nothing(tmp_path):
    if not hasattr(os, "fork"):
        pytest.skip("a process is forked")
    child = os.fork()
    if child == 0:
        RunJournal(tmp_path).begin({})
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    with RunJournal(tmp_path) as journal:
        assert journal.header is not None


def test_a_file_system_without_locks_is_none_the_worse(tmp_path, monkeypatch):
    def no_locks(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_take", no_locks)
    with RunJournal(tmp_path) as journal:
        journal.begin({})


class full_disk:  # noqa: N801
    """Within, no file grows beyond so many bytes: a write takes a part, and then fails."""

    def __init__(self, most):
        self.most = most

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.most, self.before[1]))

    def __exit__(self, *error):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def test_a_full_disk_is_told_and_loses_nothing_that_was_finished(tmp_path, written):
    (tmp_path / JOURNAL_FILE).write_bytes(written)
    with RunJournal(tmp_path) as journal:
        with (
            full_disk(len(written) + 20),
            pytest.raises(OSError, match=r"journal\.jsonl: cannot be written .*goes on"),
        ):
            journal.note("8,8", Evaluation(score=0.25, seconds=1.0))
        assert len((tmp_path / JOURNAL_FILE).read_bytes()) == len(written) + 20
    assert notes_of(tmp_path) == NOTES


def test_a_checkpoint_keeps_values_types_and_layouts(tmp_path):
    image = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    column = torch.randn(5, 1, 3, 3).to(memory_format=torch.channels_last)
    shared = torch.arange(3)
    state = {"a": image, "b": column, "c": shared, "d": shared, "e": torch.tensor(7)}
    state |= {"f": torch.tensor([True, False]), "g": torch.randn(4).bfloat16()}
    with RunJournal(tmp_path) as journal:
        journal.note_state("netadapt 3", state)
        found = journal.recall_state("netadapt 3")
        assert found is not None
        for name, tensor in state.items():
            assert torch.equal(found[name], tensor)
            assert (found[name].dtype, found[name].stride()) == (tensor.dtype, tensor.stride())
        journal.forget_state("netadapt 3")
        assert journal.recall_state("netadapt 3") is None


def test_a_checkpoint_is_written_whole_or_the_old_one_stays(tmp_path):
    with RunJournal(tmp_path) as journal:
        journal.note_state("one", {"a": torch.ones(3)})
        with full_disk(50), pytest.raises(OSError, match=r"one\.safetensors: cannot be written"):
            journal.note_state("one", {"a": torch.zeros(100)})
        assert torch.equal(journal.recall_state("one")["a"], torch.ones(3))
        assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["one.safetensors"]


def test_a_damaged_checkpoint_is_told(tmp_path):
    with RunJournal(tmp_path) as journal:
        journal.note_state("one", {"a": torch.ones(3)})
        path = tmp_path / "checkpoints" / "one.safetensors"
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(ValueError, match=r"one\.safetensors: damaged .*--overwrite"):
            journal.recall_state("one")
