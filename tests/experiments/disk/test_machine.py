"""What a run says of the machine that made it."""

import gymnasium
import torch

from experiments.disk import hardware as module
from experiments.disk.hardware import machine


def test_versions_and_threads_are_told():
    told = machine()
    assert told["torch"] == torch.__version__
    assert told["gymnasium"] == gymnasium.__version__
    assert f"{torch.get_num_threads()} threads" in told["processor"]
    assert all(isinstance(value, str) and value for value in told.values())


def test_a_package_that_is_not_there_is_no_obstacle(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("torch", "no-such-package"))
    assert machine()["no-such-package"] == "not installed"
