"""How programs take turns, by a clock that the test winds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from exported import Exported

from experiments import settings
from experiments.latency import clock as stopwatch
from experiments.latency.profiling.measuring import RUNTIMES, payload
from experiments.latency.profiling.program import to_onnx


class Clock:
    """Time passes when programs run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.runs: list[str] = []
        monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: self.now)

    def program(self, name: str, seconds: Callable[[int], float]) -> stopwatch.Run:
        """A program that takes what `seconds` says, given how often it ran before."""

        def run() -> None:
            self.now += seconds(self.runs.count(name))
            self.runs.append(name)

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_each_program_has_its_own_time(clock: Clock) -> None:
    names = {"steady": 2e-3, "fast": 1e-4, "slow": 0.5}
    found, unsteady = stopwatch.measure(
        list(names), lambda name: clock.program(name, lambda _: names[name]), "steady"
    )
    assert {name: one["seconds"] for name, one in found.items()} == pytest.approx(names)
    assert unsteady == pytest.approx(0)


def test_programs_take_turns(clock: Clock) -> None:
    stopwatch.measure(list("abc"), lambda name: clock.program(name, lambda _: 1.0), "a")
    rounds = "".join(clock.runs)[-3 * stopwatch.ROUNDS :]
    first = rounds[:3]
    assert set(first) == set("abc")
    assert rounds == first + first[::-1] + first


def test_runs_that_other_work_made_slow_do_not_count(clock: Clock) -> None:
    """Every third run takes ten times as long; the fastest in a row counts."""
    found, _ = stopwatch.measure(
        ["a"], lambda name: clock.program(name, lambda n: 1e-3 if n % 3 else 1e-2), "a"
    )
    assert found["a"]["seconds"] == pytest.approx(1e-3)
    assert found["a"]["spread"] == pytest.approx(0)


def test_the_spread_is_that_of_the_rounds(clock: Clock) -> None:
    """Rounds of one run each that take 1 s and 3 s in turns, after the warm-up's four."""
    found, _ = stopwatch.measure(
        ["a"], lambda name: clock.program(name, lambda n: 3.0 if n % 2 else 1.0), "a"
    )
    assert found["a"] == {"seconds": 1.0, "spread": 2.0, "typical": 2.0}


def test_the_second_fastest_of_twelve_rounds_counts(clock: Clock) -> None:
    """Each pass warms up with four runs, and then times three: the 4th to the 6th are the first."""
    taken = {4: 1.0, 5: 2.0}
    found, _ = stopwatch.measure(
        ["a"], lambda name: clock.program(name, lambda n: taken.get(n, 3.0)), "a"
    )
    assert found["a"]["seconds"] == 2.0


def test_a_program_of_many_rounds_has_no_other_time_than_one_of_few(clock: Clock) -> None:
    """The steady one is in all batches; where other work slows runs at random that is no gain."""
    chance, names = np.random.default_rng(0), ["steady", *map(str, range(4 * stopwatch.AT_ONCE))]
    found, _ = stopwatch.measure(
        names, lambda name: clock.program(name, lambda _: 1 + chance.exponential()), "steady"
    )
    others = [one["seconds"] for name, one in found.items() if name != "steady"]
    assert found["steady"]["seconds"] == pytest.approx(np.mean(others), rel=0.06)


def test_what_is_taken_off_others_has_more_rounds(clock: Clock) -> None:
    told: list[int] = []
    found, _ = stopwatch.measure(
        ["steady", "empty", "part"],
        lambda name: clock.program(name, lambda _: 1.0),
        "steady",
        told.append,
        often=["empty"],
    )
    counts = Counter(clock.runs)
    assert counts["empty"] == stopwatch.OFTEN * counts["part"]
    assert list(found) == ["steady", "empty", "part"]
    assert told[-1] == len(found)


def test_a_phase_that_slows_whole_batches_does_not_count(clock: Clock) -> None:
    """The machine is three times as slow in two of four passes."""
    names = ["steady", *map(str, range(2 * stopwatch.AT_ONCE))]
    loaded: Counter[str] = Counter()

    def ready(name: str) -> stopwatch.Run:
        loaded[name] += 1
        in_pass = (sum(loaded.values()) - 1) // (len(names) + 1)
        return clock.program(name, lambda _: 3.0 if in_pass in {0, 2} else 1.0)

    found, _ = stopwatch.measure(names, ready, "steady")
    assert {one["seconds"] for one in found.values()} == {1.0}


def test_few_programs_are_timed_for_a_while(clock: Clock) -> None:
    stopwatch.measure(["a"], lambda name: clock.program(name, lambda _: 1e-3), "a")
    assert clock.now >= stopwatch.PASSES * stopwatch.PASS_SECONDS


def test_the_steady_program_is_in_every_batch_and_tells_of_drift(clock: Clock) -> None:
    names = ["steady", *map(str, range(2 * stopwatch.AT_ONCE))]
    started: Counter[str] = Counter()

    def ready(name: str) -> stopwatch.Run:
        started[name] += 1
        slower = 1.0 if started["steady"] % 2 else 1.5
        return clock.program(name, lambda _: slower)

    found, unsteady = stopwatch.measure(names, ready, "steady")
    assert started["steady"] == 2 * stopwatch.PASSES
    assert {started[name] for name in names[1:]} == {stopwatch.PASSES}
    assert set(found) == set(names)
    assert unsteady == pytest.approx(0.2)  # 1 and 1.5 around 1.25


def test_progress_is_told_up_to_the_last_program(clock: Clock) -> None:
    names, told = [str(number) for number in range(2 * stopwatch.AT_ONCE)], []
    stopwatch.measure(names, lambda name: clock.program(name, lambda _: 1.0), "0", told.append)
    assert told == sorted(told)
    assert told[-1] == len(names)


@pytest.mark.parametrize("runtime", ["torch", "torch-compile"])
def test_torch_computes_what_onnxruntime_does(small: Exported, runtime: str) -> None:
    from onnxruntime import InferenceSession

    program = small.template.at((7, 19))
    (found,) = stopwatch.load(runtime, payload(program, runtime), 1)()
    _, given = stopwatch._steps(payload(program, runtime))
    session = InferenceSession(to_onnx(program).SerializeToString())
    (logits,) = session.run(None, {name: one.numpy() for name, one in given.items()})
    np.testing.assert_allclose(found.numpy(), logits, rtol=1e-4, atol=1e-6)


def test_an_operator_that_torch_cannot_time_is_named() -> None:
    with pytest.raises(ValueError, match="cannot time the operator Einsum; profile with runtime"):
        stopwatch._operator("Einsum", {})


def test_a_device_tells_what_times_depend_on() -> None:
    found = stopwatch.device("onnxruntime", 3)
    told = ["processor", "revision", "instructions"]
    assert list(found) == [*told, "cores", "system", "runtime", "version", "threads"]
    assert found["processor"]
    assert found["threads"] == 3


EPYC = """processor\t: {0}
cpu family\t: 25
model\t\t: {1}
model name\t: AMD EPYC
stepping\t: 1
flags\t\t: fpu sse sme fma avx f16c avx2 {2}

"""
PHONE = """processor\t: {0}
Features\t: fp asimd aes asimddp {2}
CPU implementer\t: 0x41
CPU variant\t: 0x1
CPU part\t: {1}

"""


def test_generations_of_processors_that_have_one_name_are_told_apart() -> None:
    milan = stopwatch.processor(EPYC.format(0, 1, "") + EPYC.format(1, 1, ""))
    assert milan == {
        "processor": "AMD EPYC",
        "revision": "cpu family 25, model 1, stepping 1",
        "instructions": "avx avx2 f16c fma",
    }
    genoa = stopwatch.processor(EPYC.format(0, 17, "avx512f avx512_vnni avx512_bf16"))
    assert genoa["processor"] == milan["processor"]
    assert genoa["revision"] == "cpu family 25, model 17, stepping 1"
    assert genoa["instructions"] == "avx avx2 avx512_bf16 avx512_vnni avx512f f16c fma"


def test_all_kinds_of_cores_of_a_phone_are_told() -> None:
    found = stopwatch.processor(
        PHONE.format(0, "0xd46", "") + PHONE.format(1, "0xd05", "bf16 sve2")
    )
    assert found["revision"] == "cpu implementer 0x41, cpu variant 0x1, cpu part 0xd05/0xd46"
    assert found["instructions"] == "asimd asimddp bf16 sve2"


def test_where_the_system_tells_nothing_only_the_name_is_made_up() -> None:
    found = stopwatch.processor("")
    assert found["processor"]
    assert (found["revision"], found["instructions"]) == ("", "")


def test_every_runtime_that_can_be_asked_for_is_known_everywhere() -> None:
    assert tuple(stopwatch.LOADERS) == tuple(RUNTIMES) == settings.RUNTIMES


def test_a_clock_of_its_own_goes_before_ours() -> None:
    """A GPU's events tell how long a pass took there, without the waiting for it."""

    class Pass:
        seconds = 0.25

        def __call__(self) -> None:
            pass

    assert stopwatch._burst(Pass(), 3) == [0.25] * 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an NVIDIA GPU")
def test_where_no_gpu_is_that_is_said(small: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ImportError, match="nvidia-smi finds none here; give another --runtime"):
        stopwatch.device("torch-cuda", 1)
    made = payload(small.template.program, "torch-cuda")
    with pytest.raises(ImportError, match="sees no NVIDIA GPU; install a build"):
        stopwatch.load("torch-cuda", made, 1)
    made = payload(small.template.program, "onnxruntime-cuda")
    with pytest.raises(ImportError, match="computes on the processor alone"):
        stopwatch.load("onnxruntime-cuda", made, 1)
