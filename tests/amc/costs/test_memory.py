"""Peak memory by hand and against what really cut networks hold."""

import pickle
from typing import Any

import pytest
import torch
from real_costs import peak_bytes
from tiny_networks import TINY, Wired, images, random_units, tiny
from torch import Tensor, nn

from amc.costs import Memory
from amc.granularity import Granularity
from amc.pruning.masks import masking_graph
from amc.pruning.narrowing import narrower
from amc.surgery import cut
from amc.tracing.build import survey, trace


def two_convolutions(inplace: bool) -> nn.Module:
    first, last = nn.Conv2d(3, 5, 3, bias=False), nn.Conv2d(5, 4, 1, bias=False)
    return nn.Sequential(first, nn.ReLU(inplace), last)


def test_the_worst_moment_by_hand() -> None:
    memory = Memory(trace(two_convolutions(inplace=False), images()))
    # Numbers held: images and the first layer's output; that and its ReLU; the ReLU and the last.
    assert memory.live([5])[:3].tolist() == [
        4 * (192 + 5 * 36),
        4 * (192 + 2 * 5 * 36),
        4 * (192 + 5 * 36 + 4 * 36),
    ]
    assert memory([5]) == 4 * (5 * 27 + 5 * 4 + 192 + 2 * 5 * 36)
    # Of a narrow network the last layer is the worst.
    assert memory([2]) == 4 * (2 * 27 + 2 * 4 + 192 + 2 * 36 + 4 * 36)


def test_what_happens_in_place_makes_no_new_tensor() -> None:
    memory = Memory(trace(two_convolutions(inplace=True), images()))
    assert memory([5]) == 4 * (5 * 27 + 5 * 4 + 192 + 5 * 36 + 4 * 36)


def test_a_tensor_that_is_read_later_is_held_until_then() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        early = net.one(pictures)  # (samples, 2, 8, 8)
        inner = net.three(net.two(early))
        return torch.cat([inner, early], 1)

    layers = {"one": nn.Conv2d(3, 2, 1), "two": nn.Conv2d(2, 3, 1), "three": nn.Conv2d(3, 2, 1)}
    net = nn.Sequential(Wired(forward, **layers), nn.Conv2d(4, 2, 1))
    memory = Memory(trace(net, images()))
    joined = 4 * 64 * (3 + 2 + 2 + 4)  # images, what is joined, and the whole
    assert memory.live([2, 3, 2])[3] == joined


def test_weights_are_held_all_the_time_and_the_batch_is_not_in_them() -> None:
    graph = trace(tiny("residual"), images())
    one, many = Memory(graph), Memory(graph, batch=64)
    assert one.weights(graph.full) == many.weights(graph.full) > 0
    assert (many.live(graph.full) == 64 * one.live(graph.full)).all()


@pytest.mark.parametrize("name", TINY)
def test_tiny_networks_hold_what_is_said(name: str) -> None:
    model, inputs = tiny(name), images(3)
    graph = trace(model, images(2))
    memory = Memory(graph, batch=3)
    for seed in range(4):
        units = random_units(graph.full, seed)
        kept = [len(staying) for staying in units]
        assert memory(kept) == peak_bytes(cut(model, graph, units), inputs)


@pytest.mark.parametrize("seed", [0, 1])
def test_networks_of_the_zoo_hold_what_is_said(zoo: Any, seed: int) -> None:
    units = random_units(zoo.graph.full, seed)
    memory = Memory(zoo.graph, batch=len(zoo.inputs))
    found = memory([len(staying) for staying in units])
    assert found == peak_bytes(cut(zoo.model, zoo.graph, units), zoo.inputs)


def test_a_pruned_networks_graph_says_the_same(mobilenet_v1: Any) -> None:
    graph = mobilenet_v1.graph
    first = random_units(graph.full, 0)
    smaller = narrower(graph, first)
    again = random_units(smaller.full, 1)
    kept = [len(staying) for staying in again]
    assert Memory(smaller)(kept) == Memory(graph)(kept)
    assert Memory(smaller)(smaller.full) == Memory(graph)([len(staying) for staying in first])


def test_masks_save_no_memory() -> None:
    model = tiny("residual")
    graph = masking_graph(survey(model, images()), Granularity.parse("element"))
    fewest = [1] * len(graph.groups)
    assert Memory(graph)(fewest) == Memory(graph)(graph.full) == peak_bytes(model, images(1))


def test_a_number_takes_32_bits_whatever_the_network_was_traced_in() -> None:
    net = two_convolutions(inplace=False)
    half = trace(two_convolutions(inplace=False).double(), images().double())
    assert Memory(half)([3]) == Memory(trace(net, images()))([3])


def test_an_example_that_is_part_of_a_data_set_counts_alone() -> None:
    alone, part = images(1), images(50)[:1]
    net = two_convolutions(inplace=False)
    assert Memory(trace(net, part))([3]) == Memory(trace(net, alone))([3])


def test_what_does_not_grow_with_the_batch_is_held_once() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        places = torch.arange(8.0)[:, None].expand(8, 8).contiguous()  # (8, 8)
        return net.two(net.one(pictures) + places)

    net = Wired(forward, one=nn.Conv2d(3, 5, 1), two=nn.Conv2d(5, 2, 1))
    memory = Memory(trace(net, images()), batch=10)
    assert memory([4]) == peak_bytes(net_of(net, [4]), images(10))


def net_of(net: nn.Module, kept: list[int]) -> nn.Module:
    graph = trace(net, images())
    return cut(net, graph, [tuple(range(count)) for count in kept])


def test_code_that_fixes_the_batch_is_followed_all_the_same() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        return net.two(torch.relu(net.one(pictures.view(2, 3, 8, 8))))

    net = Wired(forward, one=nn.Conv2d(3, 5, 1), two=nn.Conv2d(5, 2, 1))
    memory = Memory(trace(net, images(2)), batch=2)
    assert memory([4]) == peak_bytes(net_of(net, [4]), images(2))


def test_code_that_does_more_at_some_widths_is_never_said_to_hold_less() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        features = net.one(pictures)
        if features.shape[1] == 5:
            features = features * 1.0
        return net.two(features)

    net = Wired(forward, one=nn.Conv2d(3, 5, 1), two=nn.Conv2d(5, 2, 1))
    memory = Memory(trace(net, images()), batch=2)
    for count in (1, 4, 5):
        assert memory([count]) >= peak_bytes(net_of(net, [count]), images())


def test_a_tensor_that_two_groups_make_shrinks_with_both() -> None:
    def by_width(net: Any, pictures: Tensor) -> Tensor:
        sizes = [net.of_one.in_channels, net.of_other.in_channels]
        one, other = net.both(pictures).split(sizes, 1)
        return net.of_one(one) + net.of_other(other)

    layers = {"of_one": nn.Conv2d(20, 2, 1), "of_other": nn.Conv2d(24, 2, 1)}
    net = Wired(by_width, both=nn.Conv2d(3, 44, 1), **layers)
    graph = trace(net, images())
    assert graph.full == (20, 24)
    units = (tuple(range(7)), tuple(range(11)))
    small = cut(net, graph, units)
    assert small.both.out_channels == 18
    assert Memory(graph)([7, 11]) == peak_bytes(small, images(1))


def test_code_that_keeps_what_it_made_for_one_width_is_followed() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        features = net.one(pictures)
        if getattr(net, "width", 0) != features.shape[1]:
            net.width, net.places = features.shape[1], torch.arange(8.0).sqrt()
        return net.two(features + net.places)

    net = Wired(forward, one=nn.Conv2d(3, 40, 1), two=nn.Conv2d(40, 2, 1))
    graph = trace(net, images())
    shrinking = [item for item in graph.activations if item.widths]
    assert len(shrinking) == 2  # features and their sum


def test_boxes_that_numbers_choose_do_not_hide_what_shrinks_before() -> None:
    def forward(net: Any, pictures: Tensor) -> Tensor:
        features = torch.relu(net.one(pictures))
        rows = net.two(features).permute(0, 2, 3, 1).flatten(0, 2)  # (places, 2)
        best = rows[rows[:, 0] > 0]  # as many as numbers say
        for _ in range(len(best) % 3):
            best = best * 2.0
        return best

    net = Wired(forward, one=nn.Conv2d(3, 40, 1), two=nn.Conv2d(40, 2, 1))
    graph = trace(net, images())
    shrinking = [item for item in graph.activations if item.widths]
    assert len(shrinking) == 2  # features and what is positive of them
    assert {item.widths[0].parts for item in shrinking} == {((0, 1),)}


def test_a_batch_of_none_is_refused() -> None:
    graph = trace(two_convolutions(inplace=False), images())
    with pytest.raises(ValueError, match="batch is 0; it must be 1 or more samples"):
        Memory(graph, batch=0)


def test_the_tensors_are_plain_data() -> None:
    graph = trace(tiny("residual"), images())
    again = pickle.loads(pickle.dumps(graph))
    assert again.activations == graph.activations
    assert all(type(item.each) in (int, float) for item in graph.activations)
