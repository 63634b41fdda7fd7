"""Batches: their order, and images shifted and mirrored."""

import numpy as np
import pytest
import torch
from tiny_networks import images, samples

from amc.finetuning.augmentation import augment, flip, shift
from amc.finetuning.recipes import Recipe
from amc.tasks.samples import Samples


def test_a_pass_shows_every_sample_once() -> None:
    data = Samples(torch.arange(12.0)[:, None], torch.arange(12))
    batches = list(augment(data, Recipe(batch_size=4), steps=6))
    passes = [torch.cat([labels for _, labels in part]) for part in (batches[:3], batches[3:])]
    assert all(sorted(labels.tolist()) == list(range(12)) for labels in passes)
    assert not torch.equal(*passes)
    assert all(torch.equal(inputs.flatten(), labels.float()) for inputs, labels in batches)


def test_the_training_samples_are_not_changed() -> None:
    data = samples(20)
    before = data.inputs.clone()
    list(augment(data, Recipe(batch_size=8, shift=2, flip=True), steps=5))
    assert torch.equal(data.inputs, before)


@pytest.mark.parametrize("most", [1, 2, 8])
def test_a_shifted_image_is_a_crop_of_the_padded_one(most: int) -> None:
    originals = images(40)
    moved = shift(originals, most)
    assert moved.shape == originals.shape
    padded = np.pad(originals.numpy(), ((0, 0), (0, 0), (most, most), (most, most)), mode="edge")
    places = range(2 * most + 1)
    seen = set()
    for image, around in zip(moved.numpy(), padded, strict=True):
        crops = {(y, x): around[:, y : y + 8, x : x + 8] for y in places for x in places}
        here = [place for place, crop in crops.items() if np.array_equal(crop, image)]
        # Beyond the image all crops are alike: there may be several.
        assert here
        seen.add(here[0])
    assert len(seen) > len(places) / 2


def test_no_shift_is_the_image_itself() -> None:
    assert torch.equal(shift(images(3), 0), images(3))


def test_a_flipped_image_is_its_mirror_image_about_half_of_the_time() -> None:
    originals = images(400)
    found = flip(originals)
    same = (found == originals).flatten(1).all(1)
    mirrored = (found == originals.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 120 < int(mirrored.sum()) < 280
