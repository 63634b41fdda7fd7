"""Trials: groups of a network cut at random, beside the masked network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from amc.graph import Group, KeptUnits, Layer, PruningGraph
from amc.modules import Inputs
from amc.surgery import Fault, fault, fault_in_training
from amc.tracing.units import in_order


@dataclass(frozen=True)
class Trial:
    """Tells what is wrong when groups are cut at random.

    Args:
        model: As `amc.tracing.revealing` makes it.
        layers: All of its layers.
        inputs: Of its forward pass.
        trains: Whether modules run in training alone, so that a cut network must train as well.
        chooses: Whether code sorts or selects, as for `amc.surgery.fault`.
        seeds: Of the random cuts that what is proved must pass.
    """

    model: nn.Module
    layers: tuple[Layer, ...]
    inputs: Inputs
    trains: bool = False
    chooses: bool = False
    seeds: Sequence[int] = (0,)

    def __call__(self, groups: Sequence[Group], seeds: Sequence[int] = (0,)) -> Fault | None:
        """Cut these groups, and no others, once for each seed; None where nothing is wrong."""
        if several := _of_one_number(groups):
            near = tuple(name for group in several for name in group.layers)
            return Fault("one number of its code counts the units of several groups", near=near)
        ordered = in_order(groups, self.layers)
        graph = PruningGraph(self.layers, ordered)
        for seed in seeds:
            units = random_units(ordered, seed)
            found = fault(self.model, graph, units, self.inputs, chooses=self.chooses)
            if found is not None:
                return found
            if self.trains and (fails := fault_in_training(self.model, graph, units, self.inputs)):
                return Fault(fails)
        return None


def _of_one_number(groups: Sequence[Group]) -> list[Group]:
    """Groups whose units a number of the code counts that counts others' too."""
    counts = Counter((one.module, one.name) for group in groups for one in group.attributes)
    return [
        group
        for group in groups
        if any(counts[one.module, one.name] > 1 for one in group.attributes)
    ]


def random_units(groups: Sequence[Group], seed: int) -> KeptUnits:
    """Few and many units of one group after the other.

    So two groups that should be one keep different numbers: also those of few units, among which
    numbers go round. Of two units both are left every other time, as nothing else tells them apart.
    """
    generator = torch.Generator().manual_seed(seed)
    kept, before = [], Counter[int]()
    for number, group in enumerate(groups):
        half = max(1, group.units // 2)
        few = (number + seed) % 2
        least, most = (1, half) if few else (min(half + 1, group.units - 1), group.units - 1)
        count = int(torch.randint(least, most + 1, (1,), generator=generator))
        if group.units <= SMALL:
            count = _in_turn(group.units, before[group.units], seed)
            before[group.units] += 1
        order = torch.randperm(group.units, generator=generator)
        kept.append(tuple(sorted(order[:count].tolist())))
    return tuple(kept)


SMALL = 16
"""Units up to which several groups would keep as many by chance."""


def _in_turn(units: int, number: int, seed: int) -> int:
    """How many of so many units the group of this number among its like keeps."""
    counts = list(range(1, max(3, units)))
    turned = [counts[at // 2] if at % 2 else counts[-1 - at // 2] for at in range(len(counts))]
    turned = turned[::-1] if units == 2 else turned
    round_ = number // len(turned)
    return turned[(number + seed * (round_ + 1)) % len(turned)]
