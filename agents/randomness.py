"""The global generators, which stable-baselines3 seeds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from amc.devices import own_generators


@contextmanager
def restored_randomness() -> Iterator[None]:
    """Put them back as they were."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with own_generators():
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
