"""Candidates as tasks of Ray, on this machine or on many.

The evaluator (network, moments, samples) is put into Ray's object store once, from where each node
fetches it once; each process of a node reads it once. A task whose process or node is gone is tried
anew by Ray itself, up to `RETRIES` times; one that hangs is given up and tried anew here.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from rich.console import Console

from amc.evaluation import Measured
from amc.evaluator import Evaluator
from amc.graph import Kept
from amc.side_by_side import LostWorkersError
from amc.workers import HANGS, measured

LOCAL = "local"
"""The address of a cluster that is this machine, and begins and ends with the run."""

RETRIES = 3
"""Of a task whose process or node is gone."""

TRIES = 2
"""Of a task that hangs."""

KNOCKS = 5.0
"""Seconds that a head node has to answer in."""

STORE = 1_000_000_000
"""Bytes of the object store of a cluster that is this machine."""


def connect(address: str, workers: int, console: Console) -> None:
    """Connect to a cluster, or begin one on this machine; nothing where that was done before.

    Args:
        address: local; auto, the one that this machine belongs to; or that of a head node.
        workers: Cores that a local one has.
        console: For a line that says what there is.

    Raises:
        ImportError: if Ray is not installed.
        ValueError: if there is no such cluster.
    """
    ray = _ray()
    if ray.is_initialized():
        return
    own = {"num_cpus": workers, "object_store_memory": STORE, "include_dashboard": False}
    try:
        _knock(address)
        ray.init(
            address=address,
            **(own if address == LOCAL else {}),
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        mend = "start one with `ray start --head`, or give --ray local"
        told = f"no cluster answers there ({first}); {mend}"
        if address == LOCAL:
            told = f"no cluster can be begun on this machine ({first}); give --workers alone"
        raise ValueError(f"--ray {address}: {told}") from None
    here = ray.cluster_resources()
    nodes = sum(node["Alive"] for node in ray.nodes())
    console.print(
        f"measures candidates on {nodes} node{'' if nodes == 1 else 's'} with "
        f"{here.get('CPU', 0):g} cores (Ray {ray.__version__})",
        soft_wrap=True,
    )


def _knock(address: str) -> None:
    """See that somebody listens at HOST:PORT, for which Ray would wait for minutes.

    Raises:
        OSError: if nobody does.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), KNOCKS).close()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise ImportError(
            "--ray needs Ray, which is not here; pip install 'amc-pruning[cluster]'"
        ) from None
    return ray


@dataclass
class RayWorkers:
    """Workers of the cluster that this process is connected to.

    Args:
        count: Candidates at once, at most; 0 takes all that the cluster has room for.
        timeout: Seconds in which one of the candidates that are measured must be finished.
    """

    count: int = 0
    timeout: float = HANGS
    _given: tuple[Evaluator, Any] | None = field(default=None, init=False, repr=False)

    def __call__(
        self, evaluator: Evaluator, candidates: Sequence[Kept]
    ) -> Iterator[tuple[int, Measured]]:
        """See `amc.workers.Workers`.

        Raises:
            LostWorkersError: if tasks are lost or hang again and again.
        """
        ray = _ray()
        shared = self._shared(ray, evaluator)
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(_measure)

        def begin(at: int) -> Any:
            # In a list, so that the reference is handed on and not what it stands for.
            return task.remote([shared], candidates[at])

        waiting = list(range(len(candidates)))[::-1]
        running: dict[Any, int] = {}
        tries = dict.fromkeys(range(len(candidates)), 1)
        try:
            while running or waiting:
                while waiting and (not self.count or len(running) < self.count):
                    at = waiting.pop()
                    running[begin(at)] = at
                done, _ = ray.wait(list(running), num_returns=1, timeout=self.timeout)
                if not done:
                    running = self._anew(ray, running, tries, begin)
                for one in done:
                    at = running.pop(one)
                    yield at, self._answer(ray, one)
        finally:
            for left in running:
                ray.cancel(left, force=True)

    def _shared(self, ray: Any, evaluator: Evaluator) -> Any:
        """The evaluator in the object store, where it is put once."""
        if self._given is None or self._given[0] is not evaluator:
            self._given = evaluator, ray.put(evaluator.for_scoring())
        return self._given[1]

    def _anew(self, ray: Any, running: dict[Any, int], tries: dict[int, int], begin: Any) -> Any:
        """All that hang, given up and begun anew."""
        if max(tries[at] for at in running.values()) == TRIES:
            raise LostWorkersError(
                f"--ray: none of {len(running)} candidates was finished within {self.timeout:g} s, "
                "twice; what is finished is kept, and the same command goes on from there"
            )
        logging.getLogger(__name__).warning(
            "none of %d candidates was finished within %g s; they are measured anew",
            len(running),
            self.timeout,
        )
        for one, at in running.items():
            ray.cancel(one, force=True)
            tries[at] += 1
        return {begin(at): at for at in running.values()}

    def _answer(self, ray: Any, one: Any) -> Measured:
        try:
            found: Measured = ray.get(one)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            first = str(error).strip().partition("\n")[0]
            raise LostWorkersError(
                f"--ray: a candidate was lost {RETRIES + 1} times ({first}); what is finished is "
                "kept, and the same command goes on from there"
            ) from None
        return found


def _measure(shared: list[Any], kept: Kept) -> Measured:
    """One candidate, in a process of the cluster."""
    torch.set_num_threads(1)
    return measured(_held(shared[0]), kept)


@lru_cache(maxsize=1)
def _held(reference: Any) -> Evaluator:
    """What is shared, read once; references to the same are equal."""
    found: Evaluator = _ray().get(reference)
    return found
