import pytest
import torch

from experiments.zoo.image_dataset import ImageDataset, channel_statistics, image_dataset


def numbered(train: int, test: int = 3) -> ImageDataset:
    """One-pixel images, each of its own brightness."""

    def split(start: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        brightness = torch.arange(start, start + count, dtype=torch.uint8)
        return brightness.view(-1, 1, 1, 1), torch.zeros(count, dtype=torch.int64)

    return image_dataset("numbered", split(0, train), split(train, test), ("any",))


def brightnesses(samples) -> list[int]:
    return samples.inputs.flatten().tolist()


def test_a_sixth_of_the_training_split_is_held_out():
    splits = numbered(60).splits()
    assert (len(splits.train), len(splits.holdout)) == (50, 10)


def test_training_and_held_out_images_together_are_the_training_split():
    splits = numbered(60).splits()
    together = brightnesses(splits.train) + brightnesses(splits.holdout)
    assert sorted(together) == list(range(60))


def test_no_test_image_is_held_out():
    splits = numbered(60, test=3).splits()
    assert brightnesses(splits.test) == [60, 61, 62]


def test_same_seed_holds_out_the_same_images_and_another_seed_others():
    dataset = numbered(60)
    again = brightnesses(dataset.splits(seed=1).holdout)
    assert brightnesses(dataset.splits(seed=1).holdout) == again
    assert brightnesses(dataset.splits(seed=2).holdout) != again


def test_something_is_held_out_of_the_smallest_training_split():
    splits = numbered(2).splits()
    assert (len(splits.train), len(splits.holdout)) == (1, 1)


def test_one_training_image_cannot_be_split():
    with pytest.raises(ValueError, match="cannot take 0 of 1"):
        numbered(1).splits()


def test_splits_keep_the_normalisation():
    dataset = numbered(60)
    splits = dataset.splits()
    assert splits.train.mean == splits.holdout.mean == splits.test.mean == dataset.train.mean


def test_input_shape_is_channels_height_width():
    images = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    labels = torch.tensor([0, 1])
    dataset = image_dataset("blank", (images, labels), (images, labels), ("a", "b"))
    assert dataset.input_shape == (3, 4, 5)
    assert dataset.channels == 3


def test_statistics_are_those_of_the_scaled_pixels_of_each_channel():
    images = torch.randint(256, (7, 3, 4, 5), dtype=torch.uint8)
    mean, std = channel_statistics(images)
    pixels = images.double().div(255).transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.tensor(mean, dtype=torch.float64), pixels.mean(1))
    expected = pixels.std(1, correction=0)
    torch.testing.assert_close(torch.tensor(std, dtype=torch.float64), expected)


def test_normalised_training_images_have_mean_0_and_deviation_1():
    inputs = numbered(60).train.floats()
    assert inputs.mean().item() == pytest.approx(0, abs=1e-6)
    assert inputs.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_a_constant_channel_stays_finite():
    images = torch.full((2, 1, 2, 2), 9, dtype=torch.uint8)
    labels = torch.tensor([0, 1])
    dataset = image_dataset("constant", (images, labels), (images, labels), ("a", "b"))
    torch.testing.assert_close(dataset.train.floats(), torch.zeros(2, 1, 2, 2))
