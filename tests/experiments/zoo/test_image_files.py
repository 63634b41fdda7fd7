"""Images that are decoded when they are asked for: the same as those in memory, of any number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import amc
from experiments.runs.resuming import _data
from experiments.zoo import image_folder as module
from experiments.zoo.image_files import ImageFiles, planes
from experiments.zoo.image_folder import image_folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes of 40 small pictures each."""
    rng = np.random.default_rng(0)
    for at, name in enumerate(("dark", "light")):
        (tmp_path / name).mkdir()
        for number in range(40):
            pixels = rng.integers(0, 120, (9, 8, 3), dtype=np.uint8) + 120 * at
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def streamed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ImageFiles, ImageFiles]:
    """Training and test images, as of a tree that is too large to be held."""
    monkeypatch.setattr(module, "HELD", 100)
    dataset = image_folder(str(tree))
    assert isinstance(dataset.train, ImageFiles)
    assert isinstance(dataset.test, ImageFiles)
    assert dataset.mistake() == ""
    return dataset.train, dataset.test


def test_they_are_the_images_that_memory_would_hold(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = image_folder(str(tree))
    train, test = streamed(tree, monkeypatch)
    for one, other in ((held.train, train), (held.test, test)):
        for part in (slice(None), slice(3, 9), torch.tensor([7, 1])):
            inputs, labels = one.batch(part)
            found, told = other.batch(part)
            torch.testing.assert_close(found, inputs)
            assert torch.equal(told, labels)
    assert train.shape == held.input_shape
    assert (train.mean, train.std) == (held.train.mean, held.train.std)


def test_they_are_parted_and_known_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, _ = streamed(tree, monkeypatch)
    first, rest = train.split(50, seed=1)
    assert len(first) == 50
    assert len(rest) == len(train) - 50
    again, _ = train.split(50, seed=1)
    assert _data(first) == _data(again) != _data(rest)
    one = train.take(slice(0, 1))
    before = _data(one)
    for path in tree.glob("*/*.png"):
        Image.new("RGB", (30, 30)).save(path)
    assert _data(one) != before


def test_a_network_is_searched_raced_and_trained_on_them(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = streamed(tree, monkeypatch)
    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1))
    network = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(8, 2)).eval()
    recipe = amc.Recipe(lr=0.05, batch_size=16, flip=True, shift=1)
    amc.fit(network, train, recipe, steps=20)
    task = amc.Classification(train, test, test)
    budget = [amc.Budget.parse("macs=0.6")]
    problem = amc.Problem(network, train.batch(slice(0, 1))[0], budget, task, racing=0.01)
    assert problem.evaluate((4,)).score > 0.8


def test_an_image_in_colour_among_grey_ones_becomes_grey() -> None:
    made = planes(np.full((2, 3, 3), (10, 20, 60), np.uint8), colour=False)
    assert made.tolist() == [[[30] * 3] * 2]
