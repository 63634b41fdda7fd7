"""Batches of every form: what goes into the network, how they are parted, what is refused."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from task_cases import IMAGES, pooled, whole
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import amc
from amc.modules import tensors
from amc.tasks import batches, check_data, few, part, parts, placed, size_of
from amc.tasks.batches import collect_like

X, Y, Z = torch.randn(6, 3), torch.randint(4, (6,)), torch.randn(6, 2)
Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("example", "batch", "taken"),
    [
        (X[:1], X, X),
        (X[:1], (X, Y), X),
        (X[:1], [X, Y], X),
        (X[:1], ((X, Z), Y), X),
        (X[:1], {"x": X, "y": Y}, X),
        (X[:1], (Y, X), X),
        (X[:1], {"y": Y, "x": X}, X),
        (X[:1], {"z": Z, "x": X}, X),
        (Y[:1], {"x": X, "y": Y}, Y),
        ((X[:1], Z[:1]), (X, Z), (X, Z)),
        ((X[:1], Z[:1]), [X, Z, Y], (X, Z)),
        ((X[:1], Z[:1]), ((X, Z), Y), (X, Z)),
        ((X[:1],), X, (X,)),
        ((X[:1],), (X, Y), (X,)),
        ({"a": X[:1]}, {"a": X, "labels": Y}, {"a": X}),
        ({"a": X[:1]}, ({"a": X}, Y), {"a": X}),
        (([X[:1].reshape(1, 1, 3)],), [[X.reshape(1, 6, 3)] * 2, [{}, {}]], "pictures"),
    ],
)
def test_what_looks_like_the_example_goes_into_the_network(
    example: Any, batch: Any, taken: Any
) -> None:
    found = collect_like(example, batch)
    if isinstance(taken, str):
        assert isinstance(found, tuple)
        assert len(found[0]) == 2
        return
    assert type(found) is type(taken)
    pairs = zip(tensors(found), tensors(taken), strict=True)
    assert all(one is other for one, other in pairs)


def test_what_looks_like_nothing_is_refused_with_what_was_found() -> None:
    with pytest.raises(ValueError, match=r"mapping of a, b looks like .* say what goes into"):
        collect_like({"tokens": X}, {"a": X, "b": Y})


def test_entries_that_all_look_like_the_example_are_asked_about() -> None:
    with pytest.raises(ValueError, match=r"'a' and 'b' of a batch all look like .* collect_func"):
        collect_like(X[:1], {"a": X, "b": X + 1})


nested = st.sampled_from(
    [X, (X, Y), [X, Y], {"x": X, "more": (Y, Z)}, Pair(X, Y), (X, [{"boxes": Z}] * 6)]
)


@given(nested, st.integers(1, 8))
def test_parts_put_together_are_the_batch(batch: Any, most: int) -> None:
    found = parts(batch, most)
    assert all(type(one) is type(batch) for one in found)
    assert [size_of(one) for one in found][:-1] == [most] * (len(found) - 1)
    assert sum(map(size_of, found)) == 6
    first = tensors(batch)[0]
    assert torch.equal(torch.cat([tensors(one)[0] for one in found]), first)


def test_a_scalar_and_a_text_stay_with_each_part() -> None:
    batch = {"x": X, "weight": torch.tensor(2.0), "name": "a"}
    assert part(batch, slice(0, 2), 6)["weight"] == 2
    assert part(batch, slice(0, 2), 6)["name"] == "a"


@given(st.integers(1, 30))
def test_the_first_of_a_stream_is_what_is_asked_for_and_no_more_is_read(count: int) -> None:
    read = []

    class Stream:
        def __iter__(self) -> Iterator[Tensor]:
            for at in range(10):
                read.append(at)
                yield X[:3] + at

    found = list(few(Stream(), count))
    assert sum(map(len, found)) == min(count, 30)
    assert len(read) == min(10, -(-count // 3))


def test_samples_of_several_inputs_come_together() -> None:
    data = amc.Samples({"x": X, "z": Z}, {"a": Y})
    inputs, labels = next(iter(batches(data, 4)))
    assert torch.equal(inputs["z"], Z[:4])
    assert torch.equal(labels["a"], Y[:4])
    assert len(data.take(slice(1, 3))) == 2


@pytest.mark.parametrize(
    ("inputs", "labels", "said"),
    [
        ((X, Z[:2]), None, "one input has 6 samples and another 2"),
        (X, Y[:3], "6 inputs but 3 labels"),
        ({}, Y, "without a tensor"),
    ],
)
def test_uneven_samples_are_refused(inputs: Any, labels: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        amc.Samples(inputs, labels)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_inputs_become_what_the_network_is(kind: torch.dtype) -> None:
    found = placed({"x": X, "tokens": Y}, nn.Linear(3, 1).to(kind))
    assert found["x"].dtype == kind
    assert found["tokens"].dtype == torch.int64


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("bytes_", [True, False])
def test_networks_of_every_type_are_searched_refit_and_scored(
    kind: torch.dtype, bytes_: bool
) -> None:
    images = torch.randint(256, (24, 3, 8, 8), dtype=torch.uint8) if bytes_ else IMAGES
    data = amc.Samples(images, whole(4, 24))
    model = pooled(4).to(kind)
    task = amc.Classification(data, data)
    found = amc.search(model, IMAGES[:1], task, budget="macs=0.6", strategy="uniform")
    assert next(found.network.parameters()).dtype == kind
    assert 0 <= found.score <= 1
    assert amc.fit(found.network, data, amc.Recipe(lr=0.001), steps=1) is found.network


def shuffled() -> DataLoader[Any]:
    return DataLoader(TensorDataset(IMAGES, whole(4, 24)), 5, shuffle=True)


def no_labels() -> list[Tensor]:
    return [IMAGES]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (shuffled(), "score_loader comes otherwise each time.*neither shuffle nor augment"),
        (iter([(IMAGES, whole(4, 24))]), "list_iterator, which can be read once only"),
        ([], "score_loader is empty"),
        (3, "score_loader is a int, which cannot be iterated"),
        (["text"], "gives batches of str without a tensor"),
        (no_labels(), "batches have no labels; give .inputs, labels."),
        ([(IMAGES, whole(9, 24) + 4)], "labels go from . to 12, and the network tells 4 classes"),
        ([(IMAGES, whole(4, 24, 8, 8))], "take amc.Segmentation for one a pixel"),
        ([(IMAGES, torch.rand(24))], "labels are float32.*take amc.Regression"),
        ([(IMAGES, whole(2, 24, 4).bool())], "several yes or no amc.MultiLabel"),
        ([(IMAGES, whole(4, 3))], r"answers \(8, 4\) for 3 samples"),
    ],
    ids=lambda given: given[:30] if isinstance(given, str) else "",
)
def test_data_that_cannot_be_scored_are_refused_in_a_sentence(data: Any, said: str) -> None:
    task = amc.Classification(None, data)
    with pytest.raises(ValueError, match=said):
        amc.Problem(pooled(4), IMAGES[:1], [amc.Budget.parse("macs=0.6")], task)


class Changing:
    """Batches of which some are drawn anew each time."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[Any]:
        for at in range(8):
            changed = torch.randn(3, 3, 8, 8) if at >= self.first else IMAGES[:3]
            yield changed, whole(4, 3)


@pytest.mark.parametrize("first", [0, 1, 2, 7])
def test_data_that_change_anywhere_are_refused(first: int) -> None:
    task = amc.Classification(None, Changing(first))
    with pytest.raises(ValueError, match="comes otherwise each time"):
        amc.Problem(pooled(4), IMAGES[:1], [amc.Budget.parse("macs=0.6")], task)


def test_a_long_stream_is_looked_at_for_a_while_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("amc.tasks.batches"), "LOOKED_FOR", 0.0)
    check_data(Changing(1), "score_loader", again=True)
    with pytest.raises(ValueError, match="comes otherwise"):
        check_data(Changing(0), "score_loader", again=True)


class Drawing(nn.Module):
    """Noise in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.one(x).relu()
        made: Tensor = self.two(hidden)
        return made + torch.randn_like(made) / 10


@pytest.mark.parametrize(
    "task",
    [
        lambda: amc.Unlabelled(X),
        lambda: amc.Classification(None, [(X, whole(4, len(X)))]),
        lambda: amc.Regression(None, [(X, torch.zeros(len(X), 4))]),
    ],
)
def test_a_network_that_draws_at_random_is_refused(task: Callable[[], amc.Task]) -> None:
    with pytest.raises(ValueError, match="answers otherwise each time that it is asked"):
        amc.Problem(Drawing().eval(), X[:1], [amc.Budget.parse("macs=0.6")], task())


def test_what_default_collate_makes_of_pairs_counts_and_parts_by_samples() -> None:
    """Lists of several inputs, one beside the other, are no lists of pictures."""
    one, two, labels = torch.randn(5, 1, 4, 4), torch.randn(5, 1, 4, 4), whole(4, 5)
    for batch in ([[one, two], labels], [[one, two]], ([one, two], None)):
        assert size_of(batch) == 5
        first, rest = parts(batch, 3)
        assert torch.equal(first[0][0], one[:3])
        assert torch.equal(rest[0][1], two[3:])
    pictures = [torch.randn(3, 6, 6), torch.randn(3, 6, 6)]
    assert size_of((pictures, [{}, {}])) == 2
    assert size_of((pictures,)) == 2


def test_whole_batches_are_never_cut() -> None:
    graph = (torch.randn(300, 4), torch.rand(300, 300))
    given = amc.Whole([graph] * 3)
    assert [len(batch[0]) for batch in batches(given, 100)] == [300] * 3
    assert len(list(batches(few(given, 2), 1))) == 2


class Convolved(nn.Module):
    """A graph's nodes, each the mean of its neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 16), nn.Linear(16, 3)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        made: Tensor = self.two(torch.relu(self.one(edges @ nodes)))
        return made


def test_graphs_are_searched_whole() -> None:
    torch.manual_seed(0)
    sizes = (30, 250)
    data = amc.Whole([(torch.randn(n, 4), torch.rand(n, n) / n) for n in sizes])
    example = (torch.randn(30, 4), torch.rand(30, 30))
    found = amc.search(
        Convolved().eval(), example, amc.Unlabelled(data), budget="macs=0.9", strategy="uniform"
    )
    assert 0 < found.score < 1


def test_one_sample_without_an_axis_of_samples_is_told() -> None:
    with pytest.raises(ValueError, match=r"a batch has \(3,\), which is one sample"):
        amc.Problem(
            nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).eval(),
            X[:1],
            [amc.Budget.parse("macs=0.6")],
            amc.Unlabelled(list(X)),
        )


@pytest.mark.parametrize("data", [[X, torch.randn(4, 5)], [torch.randn(4, 5)]])
def test_a_batch_of_another_shape_is_told(data: list[Tensor]) -> None:
    with pytest.raises(ValueError, match=r"the network fails on inputs \(4, 5\) of a batch"):
        amc.Problem(
            nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).eval(),
            X[:1],
            [amc.Budget.parse("macs=0.6")],
            amc.Unlabelled(data),
        )
