"""Where the time of a running search goes, without a trace of it in the code that is timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from experiments.studies.speed.replacing import replace_function

Function = Callable[..., Any]
Method = tuple[type, str]
"""A class, and the name of its method."""


class Stopwatch:
    """Seconds spent in stages; what one stage calls of another counts for the other only.

    Attributes:
        seconds: Of each stage so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def watching(self, places: Mapping[Function | Method, str]) -> Iterator[None]:
        """Within, each of these functions counts for its stage, in the thread that enters first.

        Args:
            places: Stage of each function or method.
        """
        with ExitStack() as stack:
            for place, stage in places.items():
                if isinstance(place, tuple):
                    owner, name = place
                    timed = self._timed(getattr(owner, name), stage)
                    stack.enter_context(patch.object(owner, name, timed))
                else:
                    stack.enter_context(replace_function(place, self._timed(place, stage)))
            yield

    def taken(self) -> dict[str, float]:
        """Seconds of each stage since this was last asked."""
        found, self.seconds = self.seconds, {}
        return found

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            self._running.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn()
                self._running.pop()

        return timed

    def _turn(self) -> None:
        """Charge what has passed to the innermost stage."""
        now = time.perf_counter()
        if self._running:
            stage = self._running[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now
