"""Labelled samples in memory."""

import pickle

import pytest
import torch

from amc.tasks.samples import Samples


def counted(count: int) -> Samples:
    return Samples(torch.arange(count, dtype=torch.float32)[:, None], torch.arange(count))


def test_inputs_and_labels_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="samples: 3 inputs but 2 labels; give one label"):
        Samples(torch.zeros(3, 1), torch.zeros(2, dtype=torch.long))


def test_there_must_be_at_least_one() -> None:
    with pytest.raises(ValueError, match="samples: there are none"):
        Samples(torch.zeros(0, 1), torch.zeros(0, dtype=torch.long))


def test_mean_and_deviation_go_together() -> None:
    with pytest.raises(ValueError, match="mean has 1 channels but std 0"):
        Samples(torch.zeros(1, 1, 2, 2), torch.zeros(1, dtype=torch.long), mean=(0.5,))


def test_bytes_become_floats_from_0_to_1() -> None:
    one = Samples(torch.tensor([[[[0, 51], [102, 255]]]], dtype=torch.uint8), torch.zeros(1))
    wanted = torch.tensor([[[[0.0, 0.2], [0.4, 1.0]]]])
    torch.testing.assert_close(one.floats(), wanted)


def test_bytes_are_normalised_channel_by_channel() -> None:
    pixels = torch.full((1, 2, 1, 1), 255, dtype=torch.uint8)
    one = Samples(pixels, torch.zeros(1), mean=(0.5, 0.2), std=(0.25, 0.4))
    torch.testing.assert_close(one.floats().flatten(), torch.tensor([2.0, 2.0]))


def test_reading_bytes_leaves_the_stored_ones_alone() -> None:
    one = Samples(torch.full((1, 1, 1, 1), 200, dtype=torch.uint8), torch.zeros(1), (0.5,), (0.5,))
    first = one.floats()
    torch.testing.assert_close(one.floats(), first)
    assert one.inputs.item() == 200


def test_floats_are_left_as_they_are() -> None:
    doubles = torch.tensor([[300.0]], dtype=torch.float64)
    one = Samples(doubles, torch.zeros(1), mean=(0.5,), std=(0.5,))
    assert one.floats().dtype == torch.float64
    assert one.floats().item() == 300.0


def test_batches_hold_every_sample_once_in_order() -> None:
    batches = list(counted(7).batches(3))
    assert [len(labels) for _, labels in batches] == [3, 3, 1]
    assert torch.cat([labels for _, labels in batches]).tolist() == list(range(7))
    assert torch.cat([inputs for inputs, _ in batches]).flatten().tolist() == list(range(7))


def test_taking_keeps_the_order_asked_for_and_the_normalisation() -> None:
    whole = Samples(torch.arange(4)[:, None], torch.arange(4), mean=(0.1,), std=(0.2,))
    part = whole.take(torch.tensor([3, 1]))
    assert part.labels.tolist() == [3, 1]
    assert (part.mean, part.std) == ((0.1,), (0.2,))


def test_a_split_is_a_partition() -> None:
    first, rest = counted(10).split(4, seed=0)
    assert len(first) == 4
    assert sorted([*first.labels.tolist(), *rest.labels.tolist()]) == list(range(10))
    assert first.inputs.flatten().tolist() == first.labels.tolist()


def test_a_split_is_the_same_for_the_same_seed_only() -> None:
    whole = counted(100)
    again, other = whole.split(50, seed=1), whole.split(50, seed=2)
    assert torch.equal(whole.split(50, seed=1)[0].labels, again[0].labels)
    assert not torch.equal(again[0].labels, other[0].labels)


@pytest.mark.parametrize("first", [0, 10, -1])
def test_a_split_leaves_something_on_both_sides(first: int) -> None:
    with pytest.raises(ValueError, match="ask for 1 to 9"):
        counted(10).split(first, seed=0)


def test_samples_come_whole_to_another_process() -> None:
    samples = Samples(
        torch.arange(12, dtype=torch.uint8).view(3, 1, 2, 2), torch.arange(3), (0.5,), (0.2,)
    )
    found = pickle.loads(pickle.dumps(samples))
    assert torch.equal(found.floats(), samples.floats())
    assert torch.equal(found.labels, samples.labels)
