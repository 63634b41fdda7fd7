"""Stored bytes: of the file that is written, and of sparse weights by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from real_costs import stored_bytes
from tiny_networks import TINY, images, random_units, tiny
from torch import nn

from amc.costs import Size
from amc.granularity import Granularity
from amc.graph import PruningGraph
from amc.pruning.masks import masking_graph
from amc.surgery import cut
from amc.tracing.build import survey, trace


def graph_at(granularity: str) -> PruningGraph:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4, bias=False))
    graph = trace(model, torch.zeros(1, 8))
    if granularity == "channel":
        return graph
    return masking_graph(survey(model, torch.zeros(1, 8)), Granularity.parse(granularity))


def test_dense_channels_cost_four_bytes_a_parameter() -> None:
    size = Size(graph_at("channel"))
    assert size((16,)) == 4 * (8 * 16 + 16 + 16 * 4)
    assert size((5,)) == 4 * (8 * 5 + 5 + 5 * 4)


def test_a_batch_norm_stores_its_statistics_too() -> None:
    model = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.Conv2d(6, 2, 1))
    size = Size(trace(model, images()))
    batches_seen = 8  # a whole number of 64 bits
    assert size.per_layer([4]).tolist() == [4 * 27 * 4, 4 * 4 * 4, 4 * (8 + 2)]
    assert size([4]) == size.per_layer([4]).sum() + batches_seen


@pytest.mark.parametrize("name", TINY)
def test_the_file_of_a_cut_network_is_as_large_as_said(name: str, tmp_path: Path) -> None:
    model = tiny(name)
    graph = trace(model, images())
    for seed in range(3):
        units = random_units(graph.full, seed)
        size = Size(graph)([len(staying) for staying in units])
        assert size == stored_bytes(cut(model, graph, units), tmp_path)


def test_the_files_of_the_zoo_are_as_large_as_said(zoo: Any, tmp_path: Path) -> None:
    units = random_units(zoo.graph.full, 0)
    size = Size(zoo.graph)([len(staying) for staying in units])
    assert size == stored_bytes(cut(zoo.model, zoo.graph, units), tmp_path)


def test_elements_by_hand_in_every_format() -> None:
    formats = Size(graph_at("element")).by_format((32, 64))
    assert formats["dense"].tolist() == [4 * 128, 4 * 64]
    assert formats["bitmap"].tolist() == [4 * 32 + 128 / 8, 4 * 64 + 64 / 8]
    # 16 and 4 rows, each with a pointer and one more at the end.
    assert formats["csr"].tolist() == [(4 + 2) * 32 + 4 * 17, (4 + 2) * 64 + 4 * 5]


def test_each_layer_takes_its_smallest_format_and_biases_come_on_top() -> None:
    size = Size(graph_at("element"))
    bitmap, dense, biases = 4 * 32 + 16, 4 * 64, 4 * 16
    assert size((32, 64)) == bitmap + dense + biases


def test_two_of_four_costs_two_bits_of_position_a_weight() -> None:
    formats = Size(graph_at("2:4")).by_format((2, 4))
    assert formats.keys() == {"dense", "n:m"}
    assert formats["n:m"][0] == 64 * (32 + 2) / 8


@pytest.mark.parametrize("granularity", ["element", "kernel", "vector", "n:4"])
def test_fewer_weights_never_cost_more(granularity: str) -> None:
    graph = graph_at(granularity)
    size, units = Size(graph), graph.groups[0].units
    sizes = [size((kept, graph.groups[1].units)) for kept in range(1, units + 1)]
    assert sizes == sorted(sizes)


def test_a_kernel_needs_one_bit_of_a_bitmap() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.Conv2d(4, 2, 3, bias=False))
    graph = masking_graph(survey(model, torch.zeros(1, 2, 8, 8)), Granularity.parse("kernel"))
    formats = Size(graph).by_format((3, 8))
    assert formats["bitmap"][0] == 3 * 9 * 4 + 8 / 8
    assert formats["csr"][0] == 3 * 9 * 4 + 3 * 2 + 4 * 5


def test_the_table_names_every_masked_layer_with_all_its_formats() -> None:
    first, second = Size(graph_at("element")).table((32, 64))
    assert (first.layer, first.weights, first.kept) == ("0", 128, 32)
    assert first.bytes == {"dense": 512, "bitmap": 144, "csr": 260}
    assert (second.layer, second.kept) == ("2", 64)
    assert Size(graph_at("channel")).table((16,)) == ()
