"""Energy by hand: what is multiplied, and what moves."""

from typing import Any

import pytest
import torch
from real_costs import moved_words
from tiny_networks import TINY, images, random_units, tiny
from torch import Tensor, nn

from amc.costs import NM45, Energy, Macs, Size, Technology
from amc.granularity import Granularity
from amc.graph import PruningGraph
from amc.pruning.masks import masking_graph
from amc.surgery import cut
from amc.tracing.build import survey, trace

MAC = 3.7e-12 + 0.9e-12 + 2 * 5e-12
WORD = 640e-12


def graph_of(granularity: str, *layers: nn.Module, inputs: Tensor) -> PruningGraph:
    model = nn.Sequential(*layers)
    if granularity == "channel":
        return trace(model, inputs)
    return masking_graph(survey(model, inputs), Granularity.parse(granularity))


def test_the_defaults_are_those_of_45_nm() -> None:
    assert (NM45.multiplication, NM45.addition) == (3.7e-12, 0.9e-12)
    assert (NM45.sram, NM45.dram) == (5e-12, 640e-12)
    assert pytest.approx(MAC) == NM45.mac


def test_two_convolutions_by_hand() -> None:
    layers = (nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 1, bias=False))
    energy = Energy(graph_of("channel", *layers, inputs=images()))
    kept = 2
    first = 36 * 27 * kept * MAC + (28 * kept + 192 + 36 * kept) * WORD
    norm = 4 * kept * WORD  # scale, shift, mean and variance
    last = 36 * 4 * kept * MAC + (4 * kept + 36 * kept + 36 * 4) * WORD
    assert energy.per_layer([kept]) == pytest.approx([first, norm, last])
    assert energy([kept]) == pytest.approx(first + norm + last)


def test_a_transposed_convolution_makes_more_than_it_reads() -> None:
    layers = (nn.Conv2d(3, 2, 1), nn.ConvTranspose2d(2, 3, 2, stride=2, bias=False))
    energy = Energy(graph_of("channel", *layers, inputs=images()))
    last = 64 * 2 * 3 * 4 * MAC + (2 * 3 * 4 + 64 * 2 + 256 * 3) * WORD
    assert energy.per_layer([2])[1] == pytest.approx(last)


def test_of_an_embedding_the_words_that_occur_move() -> None:
    words = torch.zeros(2, 7, dtype=torch.long)
    layers = (nn.Embedding(1000, 8), nn.Linear(8, 3, bias=False))
    energy = Energy(graph_of("channel", *layers, inputs=words))
    assert energy.per_layer([5]) == pytest.approx(
        [2 * 7 * 5 * WORD, 7 * 15 * MAC + (15 + 7 * 5 + 7 * 3) * WORD]
    )


def test_zeros_are_neither_multiplied_nor_moved_but_positions_are() -> None:
    layers = (nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4, bias=False))
    graph = graph_of("element", *layers, inputs=torch.zeros(1, 8))
    energy = Energy(graph)
    bitmap = 128 / 32  # words of a bit for each weight
    first = 32 * MAC + (32 + bitmap + 16 + 8 + 16) * WORD
    assert energy.per_layer([32, 64])[0] == pytest.approx(first)
    assert Macs(graph)([32, 64]) == Macs(graph)(graph.full)


@pytest.mark.parametrize("granularity", ["element", "vector", "kernel", "2:4", "n:4"])
def test_every_kind_of_zeros_saves_energy(granularity: str) -> None:
    layers = (nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    graph = graph_of(granularity, *layers, inputs=torch.zeros(1, 4, 6, 6))
    energy, size = Energy(graph), Size(graph)
    half = [units // 2 for units in graph.full]
    moved = (size(graph.full) - size(half)) / 4
    saved = energy(graph.full) - energy(half)
    assert saved == pytest.approx(Macs(graph)(graph.full) / 2 * MAC + moved * WORD)


def test_another_technology_can_be_given() -> None:
    graph = graph_of("channel", nn.Linear(8, 16), nn.Linear(16, 4), inputs=torch.zeros(1, 8))
    arithmetic = Energy(graph, Technology(multiplication=2, addition=1, sram=0, dram=0))
    assert arithmetic([16]) == 3 * Macs(graph)([16])


@pytest.mark.parametrize("name", TINY)
def test_layers_move_what_is_said(name: str) -> None:
    model, inputs = tiny(name), images()
    graph = trace(model, inputs)
    for seed in range(3):
        units = random_units(graph.full, seed)
        kept = [len(staying) for staying in units]
        words = moved_words(cut(model, graph, units), graph, inputs)
        assert Energy(graph)(kept) == pytest.approx(Macs(graph)(kept) * MAC + words * WORD)


def test_the_zoo_moves_what_is_said(zoo: Any) -> None:
    units = random_units(zoo.graph.full, 0)
    kept = [len(staying) for staying in units]
    words = moved_words(cut(zoo.model, zoo.graph, units), zoo.graph, zoo.inputs)
    assert Energy(zoo.graph)(kept) == pytest.approx(Macs(zoo.graph)(kept) * MAC + words * WORD)
