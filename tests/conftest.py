"""What tests of every room share."""

import pytest
import torch

from experiments.zoo import fashion_mnist as fashion
from experiments.zoo.image_dataset import ImageDataset

# Tests run in one process per core: threads inside each would only get in each other's way.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def fashion_mnist() -> ImageDataset:
    """The real Fashion-MNIST; tests that ask for it are skipped where it is not installed."""
    if fashion.local_folder() is None:
        pytest.skip("fashion-mnist is not on this machine: apt-get install dataset-fashion-mnist")
    return fashion.fashion_mnist()
