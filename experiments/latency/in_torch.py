"""How fast a pruned network is in PyTorch itself: what every run says at its end."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from amc.devices import device_of, evaluating
from amc.modules import Inputs, call, shapes
from amc.pruning import plain_copy
from amc.tasks import placed
from experiments.latency import clock
from experiments.latency.gain import times_as_fast
from experiments.runs import Pace
from experiments.terminal import count

SECONDS = 3.0
"""That both networks are timed for, in turns."""


def pace(unpruned: nn.Module, pruned: nn.Module, inputs: Inputs) -> Pace:
    """Time a pass of both networks in turns, where they are.

    Args:
        unpruned: As it came.
        pruned: As a run leaves it; of masked weights the zeros are multiplied like all others.
        inputs: Of both, of one sample.
    """
    copy = plain_copy(pruned).eval()
    given = placed(inputs, unpruned)
    with evaluating(unpruned), torch.inference_mode():
        runs = [_run(network, given) for network in (unpruned, copy)]
        slow, fast = clock.take_turns(runs, SECONDS)
    times = times_as_fast(slow, fast)
    return Pace(
        clock.timing(slow)["seconds"],
        clock.timing(fast)["seconds"],
        (times.low, times.median, times.high),
        _where(unpruned, inputs),
    )


def _run(network: nn.Module, inputs: Inputs) -> Callable[[], object]:
    device = device_of(network)

    def run() -> object:
        made = call(network, inputs)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return made

    return run


def _where(network: nn.Module, inputs: Inputs) -> str:
    device = device_of(network)
    place = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type}, {count(torch.get_num_threads(), 'thread')}"
    )
    return f"torch {torch.__version__} on {place}, inputs {shapes(inputs)}"
