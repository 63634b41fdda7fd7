"""What tests of every room share."""

import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

from experiments.zoo import fashion_mnist as fashion
from experiments.zoo.image_dataset import ImageDataset

# Tests run in one process per core: threads inside each would only get in each other's way.
torch.set_num_threads(1)

# The same examples on every run: a failure is one of the change, never of the dice.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def threads_as_they_were() -> Iterator[None]:
    """Other numbers of threads sum in another order, and the tests that follow compare bits."""
    yield
    left = torch.get_num_threads()
    torch.set_num_threads(1)
    assert left == 1, f"this test leaves PyTorch {left} threads; use amc.devices.own_threads"


@pytest.fixture(scope="session")
def fashion_mnist() -> ImageDataset:
    """The real Fashion-MNIST; where it is not installed, tests that ask for it are skipped.

    With AMC_REQUIRE_DATA set they fail instead.
    """
    if fashion.local_folder() is None:
        missing = "fashion-mnist is not on this machine: apt-get install dataset-fashion-mnist"
        if os.environ.get("AMC_REQUIRE_DATA"):
            pytest.fail(missing)
        pytest.skip(missing)
    return fashion.fashion_mnist()
