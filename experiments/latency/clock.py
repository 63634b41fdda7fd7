"""Times programs where they will run. This file needs numpy and the runtime, and nothing else here.

Copied to another device beside a `programs.zip`, it times what is in there:

    python timing.py

and leaves `timings.json`, which `amc profile --timings` reads. It runs on Python 3.8 and later.

How: programs take turns, in rounds. In a round a program runs a few times in a row, and the fastest
of these counts: other work can only make a run slower. So that memory does not limit the number of
programs, they are loaded in batches. A machine that others share is slow for seconds at a time, in
which a whole batch may fall; so all batches come again in further passes, each time shuffled anew.
A program's time is the second fastest of its twelve rounds, of more rounds the one at the same
place: any of them may have been disturbed, and the fastest is an exception itself. The quartiles of
the rounds are its spread. One program is in every batch and tells how steady the machine is.
Programs whose time is taken off that of many others have three times as many rounds.
"""

from __future__ import annotations

import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import time
import types
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[[], Any]
    Rounds = list[list[float]]  # for each round the seconds of each run in a burst

PASSES = 4
ROUNDS = 3  # in a pass, at least
PLACE = 2 / 13  # among the rounds: of twelve the second, which 2 of 13 gaps lie below on average
OFTEN = 3  # times as many rounds
PASS_SECONDS = 0.1  # at least, for one batch
BURST_SECONDS = 0.003
LONGEST_BURST = 6
AT_ONCE = 64
SCHEMA_VERSION = 2

FLOATS = {
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}
WHOLES = {"tensor(bool)": "bool", "tensor(int32)": "int32", "tensor(int64)": "int64"}


class Timing(TypedDict):
    """Of one program, in seconds.

    Args:
        seconds: Its time.
        spread: Between the quartiles of the rounds.
        typical: The median of all single runs, the slow ones included.
    """

    seconds: float
    spread: float
    typical: float


def device(runtime: str, threads: int) -> dict[str, Any]:
    """What the times depend on."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            told = info.read()
    except OSError:  # only Linux tells it there
        told = ""
    return {
        **(graphics() if runtime.endswith(CUDA) else processor(told)),
        "cores": os.cpu_count() or 1,
        "system": platform.system() + " " + platform.machine(),
        "runtime": runtime,
        "version": version(runtime),
        "threads": threads,
    }


CUDA = "-cuda"
"""How runtimes end that compute on an NVIDIA GPU."""


def graphics() -> dict[str, str]:
    """The first GPU's name and driver.

    Raises:
        ImportError: if there is none.
    """
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise ImportError(
            "runtimes with -cuda behind them compute on an NVIDIA GPU, and nvidia-smi finds none "
            "here; give another --runtime"
        ) from None
    name, _, driver = told.strip().partition(", ")
    return {"processor": name, "revision": f"driver {driver}", "instructions": ""}


NAMES = ("model name", "hardware", "cpu model")
REVISION = ("cpu family", "model", "stepping", "cpu implementer", "cpu variant", "cpu part")
KERNELS = {
    "flags": ("amx", "avx", "f16c", "fma"),
    "features": ("asimd", "bf16", "fphp", "i8mm", "neon", "sme", "sve"),
}  # beginnings of the instruction sets that runtimes choose their code by, on x86 and on ARM


def processor(told: str) -> dict[str, str]:
    """The processor's name, revision and instructions, from what /proc/cpuinfo says.

    Virtual machines call processors of several generations by one name. Where the cores differ, as
    phones have them, all are told.
    """
    found: dict[str, list[str]] = {}
    for line in told.splitlines():
        key, _, value = line.partition(":")
        values = found.setdefault(key.strip().lower(), [])
        if value.strip() not in values:
            values.append(value.strip())
    names = [found[key][0] for key in NAMES if key in found]
    revision = [key + " " + "/".join(sorted(found[key])) for key in REVISION if key in found]
    instructions = {
        word
        for key, beginnings in KERNELS.items()
        for word in " ".join(found.get(key, [])).split()
        if word.startswith(beginnings)
    }
    return {
        "processor": names[0] if names else platform.processor() or platform.machine() or "unknown",
        "revision": ", ".join(revision),
        "instructions": " ".join(sorted(instructions)),
    }


def version(runtime: str) -> str:
    """The installed version of a runtime.

    Raises:
        ImportError: if it is not installed.
    """
    package = runtime.partition("-")[0]
    try:
        found = __import__(package).__version__
    except ImportError as error:
        raise ImportError(
            f"runtime {runtime} is not here ({error}); pip install {package}, or give another "
            "--runtime"
        ) from None
    return str(found).partition("+")[0].partition("-")[0]


def load(runtime: str, payload: bytes, threads: int) -> Run:
    """A program ready to run, with something to run on.

    Args:
        runtime: A key of `LOADERS`.
        payload: The program, in the form that the runtime is given.
        threads: That it may use.
    """
    return LOADERS[runtime](payload, threads)


def _onnxruntime(payload: bytes, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # Threads of the program before would spin, and take a core from this one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(payload, options, ["CPUExecutionProvider"])
    feeds = _feeds(session)
    return lambda: session.run(None, feeds)


def _onnxruntime_cuda(payload: bytes, threads: int) -> Run:
    """By its provider for NVIDIA GPUs, whose inputs and outputs stay there."""
    import onnxruntime

    provider = "CUDAExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise ImportError(
            "this onnxruntime computes on the processor alone; pip install onnxruntime-gpu in its "
            "place, or give another --runtime"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(payload, options, [provider, "CPUExecutionProvider"])
    binding = session.io_binding()
    for name, value in _feeds(session).items():
        there = onnxruntime.OrtValue.ortvalue_from_numpy(value, "cuda", 0)
        binding.bind_ortvalue_input(name, there)
    for item in session.get_outputs():
        binding.bind_output(item.name, "cuda")

    def run() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run


def _feeds(session: Any) -> dict[str, Any]:
    import numpy as np

    chance = np.random.default_rng(0)
    return {
        item.name: chance.standard_normal(item.shape).astype(FLOATS[item.type])
        if item.type in FLOATS
        else np.ones(item.shape, WHOLES[item.type])  # an index that every table has
        for item in session.get_inputs()
    }


def _openvino(payload: bytes, threads: int) -> Run:
    import numpy as np
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # as the others compute
    }
    core = openvino.Core()
    request = core.compile_model(core.read_model(payload), "CPU", settings).create_infer_request()
    chance = np.random.default_rng(0)
    feeds = []
    for port in request.model_inputs:
        kind = port.element_type.to_dtype()
        shape = tuple(port.shape)
        floats = np.issubdtype(kind, np.floating)
        feeds.append((chance.standard_normal(shape) if floats else np.ones(shape)).astype(kind))
    return lambda: request.infer(feeds)


def _torch(payload: bytes, threads: int) -> Run:
    """PyTorch's operators called one by one, as eager code and traced programs do."""
    import torch

    torch.set_num_threads(threads)
    run, given = _steps(payload)

    def once() -> Any:
        with torch.inference_mode():
            return run(given)

    return once


COMPILED: dict[tuple[bytes, int], Run] = {}
"""What is compiled once, however often it is loaded."""


def _torch_compile(payload: bytes, threads: int) -> Run:
    """The same, compiled by PyTorch."""
    import torch

    torch.set_num_threads(threads)
    key = (payload, threads)
    if key not in COMPILED:
        run, given = _steps(payload)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch's about itself
            compiled: Any = torch.compile(_alone(run), dynamic=False)
            with torch.inference_mode():
                compiled(given)

        def once() -> Any:
            with torch.inference_mode():
                return compiled(given)

        COMPILED[key] = once
    return COMPILED[key]


def _alone(run: Any) -> Any:
    """The same function with code of its own: PyTorch compiles one piece of code for so many
    different networks, and then no more."""
    made = run.__code__.replace(co_name=f"run_{len(COMPILED)}")
    return types.FunctionType(made, run.__globals__, made.co_name, None, run.__closure__)


class Recorded:
    """A pass on an NVIDIA GPU as a CUDA graph; `seconds` is what its events told of the last one.

    Args:
        run: The pass, on tensors that stay where they are.
    """

    def __init__(self, run: Callable[[], Any]) -> None:
        import torch

        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.inference_mode(), torch.cuda.stream(aside):
            for _ in range(3):  # what is chosen and allocated at first is no part of a pass
                run()
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(self._graph):
            run()
        make: Any = torch.cuda.Event
        self._events = [make(enable_timing=True) for _ in range(2)]
        self.seconds = 0.0

    def __call__(self) -> None:
        """One pass, waited for."""
        start, end = self._events
        start.record()
        self._graph.replay()
        end.record()
        end.synchronize()
        self.seconds = start.elapsed_time(end) / 1e3


def _torch_cuda(payload: bytes, threads: int) -> Run:
    """PyTorch's operators on an NVIDIA GPU."""
    import torch

    if not torch.cuda.is_available():
        raise ImportError(
            f"PyTorch {torch.__version__} sees no NVIDIA GPU; install a build of it that knows "
            "yours, or give another --runtime"
        )
    run, given = _steps(payload, "cuda")
    return Recorded(lambda: run(given))


def _steps(
    payload: bytes, device: str = "cpu"
) -> tuple[Callable[[dict[str, Any]], Any], dict[str, Any]]:
    """A function of a program's inputs, and such inputs."""
    import torch

    program = json.loads(payload)
    torch.manual_seed(0)
    held: dict[str, Any] = {"": None, **program["constants"]}
    weights = program["weights"].items()
    held.update({name: torch.full(shape, 0.01, device=device) for name, shape in weights})
    whole = {name: _types()[kind] for name, kind in program["types"].items()}
    given = {
        name: torch.ones(shape, dtype=whole[name], device=device)
        if name in whole
        else torch.randn(shape, device=device)
        for name, shape in program["inputs"].items()
    }
    fixed, steps = set(held), []
    for kind, inputs, outputs, attributes in program["ops"]:
        operator, output = _operator(kind, attributes), outputs[0]
        if fixed.issuperset(inputs):  # made of weights alone: once, as PyTorch has it
            held[output] = operator(*[held[name] for name in inputs])
            fixed.add(output)
        else:
            steps.append((operator, inputs, output))
    last = program["outputs"]

    def run(inputs: dict[str, Any]) -> Any:
        values = {**held, **inputs}
        for operator, names, output in steps:
            values[output] = operator(*[values[name] for name in names])
        return [values[name] for name in last]

    return run, given


def _operator(kind: str, given: dict[str, Any]) -> Any:
    """One of ONNX's operators in PyTorch.

    Raises:
        ValueError: for one that is not in the table.
    """
    import torch
    from torch.nn import functional

    plain: dict[str, Any] = {
        "Add": torch.add,
        "And": torch.logical_and,
        "Clip": torch.clamp,
        "Div": torch.div,
        "Equal": torch.eq,
        "Erf": torch.erf,
        "Exp": torch.exp,
        "Expand": _expand,
        "GlobalAveragePool": lambda x: x.mean(tuple(range(2, x.dim())), keepdim=True),
        "Greater": torch.gt,
        "HardSigmoid": functional.hardsigmoid,
        "HardSwish": functional.hardswish,
        "Identity": lambda x: x,
        "Less": torch.lt,
        "MatMul": torch.matmul,
        "Mul": torch.mul,
        "Neg": torch.neg,
        "Not": torch.logical_not,
        "Or": torch.logical_or,
        "Pow": torch.pow,
        "ReduceSum": lambda x, axes: x.sum(axes, keepdim=bool(given.get("keepdims", 1))),
        "Relu": torch.relu,
        "Sigmoid": torch.sigmoid,
        "Slice": _slice,
        "Sqrt": torch.sqrt,
        "Squeeze": lambda x, axes: x.squeeze(axes),
        "Sub": torch.sub,
        "Tanh": torch.tanh,
        "Unsqueeze": _unsqueeze,
        "Where": _where,
    }
    with_settings: dict[str, Any] = {
        "AveragePool": lambda: _pool(functional.avg_pool1d, functional.avg_pool2d, given),
        "BatchNormalization": lambda: (
            lambda x, scale, shift, mean, var: functional.batch_norm(
                x, mean, var, scale, shift, eps=given.get("epsilon", 1e-5)
            )
        ),
        "Cast": lambda: lambda x: x.to(_types()[given["to"]]),
        "Concat": lambda: lambda *parts: torch.cat(parts, given["axis"]),
        "Conv": lambda: _convolution(given),
        "Flatten": lambda: lambda x: x.flatten(given.get("axis", 1)),
        "Gather": lambda: lambda x, places: _gather(x, places, given.get("axis", 0)),
        "Gelu": lambda: lambda x: functional.gelu(x, approximate=given.get("approximate", "none")),
        "Gemm": lambda: (
            lambda x, w, b=None: functional.linear(x, w if given["transB"] else w.t(), b)
        ),
        "LayerNormalization": lambda: (
            lambda x, scale, shift=None: functional.layer_norm(
                x, x.shape[given.get("axis", -1) :], scale, shift
            )
        ),
        "LeakyRelu": lambda: lambda x: functional.leaky_relu(x, given.get("alpha", 0.01)),
        "MaxPool": lambda: _pool(functional.max_pool1d, functional.max_pool2d, given),
        "ReduceMean": lambda: lambda x, axes: x.mean(axes, keepdim=bool(given.get("keepdims", 1))),
        "Reshape": lambda: _reshape,
        "Softmax": lambda: lambda x: x.softmax(given.get("axis", -1)),
        "Transpose": lambda: lambda x: x.permute(given["perm"]),
    }
    if kind in plain:
        found = plain[kind]
    elif kind in with_settings:
        found = with_settings[kind]()
    else:
        raise ValueError(
            f"runtime torch cannot time the operator {kind}; profile with runtime onnxruntime"
        )
    return found


def _types() -> dict[int, Any]:
    """ONNX's numbers for what torch calls its types."""
    import torch

    return {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64}


def _expand(x: Any, shape: list[int]) -> Any:
    import torch

    return x.expand(torch.broadcast_shapes(x.shape, tuple(shape)))  # type: ignore[no-untyped-call]


def _gather(x: Any, places: Any, axis: int) -> Any:
    import torch

    chosen = torch.as_tensor(places)
    shape = (*x.shape[:axis], *chosen.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, chosen.flatten()).reshape(shape)


def _slice(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    chosen = [slice(None)] * x.dim()
    axes = range(len(starts)) if axes is None else axes
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts)):  # noqa: B905
        chosen[axis] = slice(start, end, step)
    return x[tuple(chosen)]


def _where(chosen: Any, x: Any, y: Any) -> Any:
    import torch

    return torch.where(torch.as_tensor(chosen), torch.as_tensor(x), torch.as_tensor(y))


def _unsqueeze(x: Any, axes: list[int]) -> Any:
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


def _reshape(x: Any, target: list[int]) -> Any:
    return x.reshape([x.shape[at] if size == 0 else size for at, size in enumerate(target)])


def _convolution(given: dict[str, Any]) -> Callable[..., Any]:
    from torch.nn import functional

    axes = len(given["kernel_shape"])
    call = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]
    before, after = _padding(given, axes)
    settings = {
        "stride": given.get("strides", [1] * axes),
        "dilation": given.get("dilations", [1] * axes),
        "groups": given.get("group", 1),
    }
    if before == after:
        return lambda x, w, b=None: call(x, w, b, padding=before, **settings)
    return lambda x, w, b=None: call(_pad(x, before, after), w, b, **settings)


def _padding(given: dict[str, Any], axes: int) -> tuple[list[int], list[int]]:
    pads = given.get("pads", [0] * 2 * axes)
    return pads[:axes], pads[axes:]


def _pad(x: Any, before: list[int], after: list[int], value: float = 0.0) -> Any:
    from torch.nn import functional

    sides = [side for at in reversed(range(len(before))) for side in (before[at], after[at])]
    return functional.pad(x, sides, value=value)


def _pool(one: Any, two: Any, given: dict[str, Any]) -> Callable[..., Any]:
    sizes = given["kernel_shape"]
    call = (one, two)[len(sizes) - 1]
    before, after = _padding(given, len(sizes))
    if before != after:
        raise ValueError("runtime torch cannot time uneven padding; profile with onnxruntime")
    return lambda x: call(x, sizes, given.get("strides", sizes), before)


LOADERS = {
    "onnxruntime": _onnxruntime,
    "onnxruntime-cuda": _onnxruntime_cuda,
    "onnxruntime-int8": _onnxruntime,
    "openvino": _openvino,
    "openvino-int8": _openvino,
    "torch": _torch,
    "torch-compile": _torch_compile,
    "torch-cuda": _torch_cuda,
}


def measure(
    names: Sequence[str],
    ready: Callable[[str], Run],
    steady: str,
    said: Callable[[int], None] = lambda done: None,
    often: Sequence[str] = (),
    seconds: float = math.inf,
) -> tuple[dict[str, Timing], float]:
    """Time programs.

    Args:
        names: Of the programs.
        ready: Loads one of them.
        steady: The program that is timed with every batch.
        said: Told after each batch how many are done.
        often: Of the names, those that come `OFTEN` times in every pass.
        seconds: After which no further pass is begun that would end behind them; one is made.

    Returns:
        For each program what was found, and how far the steady program's time went apart between
        batches, relative to its median: 0.02 are two hundredths.
    """
    others = [*names, *[name for name in often for _ in range(OFTEN - 1)]]
    order, chance = [name for name in others if name != steady], random.Random(0)
    bursts: dict[str, list[list[float]]] = {name: [] for name in names}
    paces: list[float] = []
    batches = range(0, max(1, len(order)), AT_ONCE)
    start = time.perf_counter()
    for number in range(1, PASSES + 1):
        chance.shuffle(order)
        for at in batches:
            batch = [steady, *order[at : at + AT_ONCE]]
            found = take_turns([ready(name) for name in batch])
            for name, rounds in zip(batch, found):  # noqa: B905
                bursts[name] += rounds
            paces.append(timing(found[0])["seconds"])
            said(len(names) * len(paces) // (PASSES * len(batches)))
        if (time.perf_counter() - start) * (number + 1) / number > seconds:
            break
    middle = statistics.median(paces)
    unsteady = statistics.median(abs(one / middle - 1) for one in paces)
    return {name: timing(rounds) for name, rounds in bursts.items()}, unsteady


def take_turns(runs: Sequence[Run], seconds: float = PASS_SECONDS) -> list[Rounds]:
    """Rounds of turns over programs that are all loaded; for each program its bursts.

    Every other round goes backwards, so that none always follows the same one.

    Args:
        runs: The programs.
        seconds: To spend, warm-up excluded; there are at least `ROUNDS`.
    """
    lengths = [_length(run) for run in runs]
    bursts: list[Rounds] = [[] for _ in runs]
    order = list(range(len(runs)))
    start = time.perf_counter()
    while len(bursts[0]) < ROUNDS or time.perf_counter() - start < seconds:
        for at in order:
            bursts[at].append(_burst(runs[at], lengths[at]))
        order.reverse()
    return bursts


def _length(run: Run) -> int:
    """Warm up, and see how many runs make a burst."""
    run()
    once = max(min(_burst(run, 2)), 1e-7)  # a coarse clock may say 0
    return max(1, min(LONGEST_BURST, int(BURST_SECONDS / once)))


def _burst(run: Run, length: int) -> list[float]:
    if length > 1:
        run()  # what ran before has left its own data in the caches
    times = []
    for _ in range(length):
        start = time.perf_counter()
        run()
        took = time.perf_counter() - start
        times.append(getattr(run, "seconds", took))  # a GPU's own clock knows better
    return times


def timing(rounds: Rounds) -> Timing:
    """Of one program, from its bursts."""
    best = sorted(min(times) for times in rounds)
    low, high = best[len(best) // 4], best[-1 - len(best) // 4]
    every = [one for times in rounds for one in times]
    return {
        "seconds": best[max(0, round(PLACE * (len(best) + 1)) - 1)],
        "spread": high - low,
        "typical": statistics.median(every),
    }


def main() -> int:
    """Time what is in programs.zip beside this file."""
    here = Path(__file__).resolve().parent
    with zipfile.ZipFile(here / "programs.zip") as archive:
        plan = json.loads(archive.read("plan.json"))
        runtime, threads, files = plan["runtime"], plan["threads"], plan["files"]
        start = time.time()

        def ready(name: str) -> Run:
            return load(runtime, archive.read(files[name]), threads)

        def said(done: int) -> None:
            print(f"{done} of {len(files)}, {time.time() - start:.0f} s", flush=True)

        found, unsteady = measure(list(files), ready, plan["steady"], said, plan["often"])
    answer = {
        "schema_version": SCHEMA_VERSION,
        "device": {**device(runtime, threads), **plan["fixed"]},
        "timings": found,
        "unsteady": unsteady,
        "took": time.time() - start,
        "plan": plan["plan"],
    }
    (here / "timings.json").write_text(json.dumps(answer) + "\n", encoding="utf-8")
    print("timings.json is written; bring it back")
    return 0


if __name__ == "__main__":
    sys.exit(main())
