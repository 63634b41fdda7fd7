"""Verification: a copy cut at random ratios computes the same as the masked one, or stays whole.

Blocks that repeat are tried once, then all blocks together; where that fails, halves are, down to
single blocks. Each block goes through its proposals (ways to cut, and numbers of the code that
change with a cut) until one is sound.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from amc.graph import Attribute, Group, KeptUnits, Layer, PruningGraph
from amc.modules import Inputs, call, changed, duplicate, kinds, numbers_of, plain_attention
from amc.surgery import fault, fault_in_training
from amc.tracing.couplings import Block
from amc.tracing.joining import as_one, fits
from amc.tracing.units import in_order, join

WIDE = 4
"""Bytes of a number that is exact enough to tell a mistake from rounding."""

SMALLEST = 0.1
"""Of a parameter that is positive everywhere: it may stand under a root or in a logarithm."""

TRIALS = 2
"""Random cuts that a graph must pass."""


@dataclass(frozen=True)
class Candidate:
    """A block and the ways to cut it that have not failed yet, best first."""

    block: Block
    ways: tuple[tuple[Group, ...], ...]
    reason: str = ""


@dataclass(frozen=True)
class Verified:
    """What a trial of all blocks gave.

    Attributes:
        groups: Sound, alone and together.
        refused: Blocks that stay whole, with the reason.
    """

    groups: tuple[Group, ...]
    refused: tuple[tuple[Block, str], ...]


def verify(
    model: nn.Module,
    layers: tuple[Layer, ...],
    candidates: Sequence[Candidate],
    inputs: Inputs,
    *,
    trains: bool = False,
) -> Verified:
    """Find for every block the first sound way to cut it.

    All are tried at once. Where that fails each is, blocks that repeat once, and all together in
    the end; where that fails too, each is tried beside the others.

    Args:
        model: The network, left untouched; its weights are of no consequence.
        layers: All of its layers.
        candidates: The blocks.
        inputs: Of its forward pass.
        trains: Whether modules run in training alone, so that a cut network must train as well.
    """
    shown = revealing(inputs)
    trial = Trial(tried_on(model, shown), layers, shown, trains)
    firsts = [group for item in candidates for group in item.ways[0]]
    if candidates and not trial(firsts, TRIALS):
        return Verified(in_order(firsts, layers), ())
    chosen: list[Candidate] = []
    failed: list[Candidate] = []
    for alike in _repeated(candidates):
        settled, reason = _settle(alike, trial)
        chosen += settled
        failed += [replace(item, reason=reason) for item in alike if not settled]
    chosen, failed = _by_width(chosen, failed, trial)
    refused = [(item.block, item.reason) for item in failed]
    groups = [group for item in chosen for group in item.ways[0]]
    if not trial(groups, TRIALS):
        return Verified(in_order(groups, layers), tuple(refused))
    sound, others = _one_beside_the_other(chosen, trial)
    return Verified(in_order(sound, layers), (*refused, *others))


@dataclass(frozen=True)
class Trial:
    """Tells what is wrong when groups are cut at random; empty if nothing is."""

    model: nn.Module
    layers: tuple[Layer, ...]
    inputs: Inputs
    trains: bool = False

    def __call__(self, groups: Sequence[Group], times: int = 1) -> str:
        """Cut these groups, and no others, so many times."""
        numbers = [(item.module, item.name) for group in groups for item in group.attributes]
        if len(numbers) > len(set(numbers)):
            return "one number of its code counts the units of several groups"
        ordered = in_order(groups, self.layers)
        graph = PruningGraph(self.layers, ordered)
        for seed in range(times):
            units = _random_units(ordered, seed)
            reason = fault(self.model, graph, units, self.inputs)
            if not reason and self.trains:
                reason = fault_in_training(self.model, graph, units, self.inputs)
            if reason:
                return reason
        return ""


def _repeated(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Blocks that differ by numbers in names alone, as those of a repeated part do."""
    alike: dict[Hashable, list[Candidate]] = {}
    for item in candidates:
        alike.setdefault(_shape(item), []).append(item)
    return list(alike.values())


def _shape(item: Candidate) -> Hashable:
    return tuple(
        tuple(
            (
                group.units,
                tuple(
                    (without_numbers(m.module), m.side, len(m.indices[0])) for m in group.members
                ),
                tuple((without_numbers(s.tensor), s.axis, len(s.indices[0])) for s in group.slices),
                tuple((s.operation, s.axis, len(s.indices[0])) for s in group.statistics),
                tuple((without_numbers(a.module), a.name, a.per_unit) for a in group.attributes),
            )
            for group in way
        )
        for way in item.ways
    )


def without_numbers(name: str) -> str:
    """A name that is the same for all parts that repeat."""
    return re.sub(r"\d+", "#", name)


def _settle(alike: Sequence[Candidate], trial: Trial) -> tuple[list[Candidate], str]:
    """Repeated blocks with the ways that are left after the first of them was tried; or why not.

    The last one is tried too before all are refused, as the first may read what others do not.
    """
    reason = ""
    for item in dict.fromkeys((alike[0], alike[-1])):
        for number, way in enumerate(item.ways):
            own = trial(way)
            if not own:
                return [replace(one, ways=one.ways[number:]) for one in alike], ""
            reason = reason or own
    return [], alike[0].reason or reason


def _by_width(
    chosen: list[Candidate], failed: list[Candidate], trial: Trial
) -> tuple[list[Candidate], list[Candidate]]:
    """Try blocks that fail alone as one decision with one that is as wide."""
    settled, left = list(chosen), list(failed)
    for item in (*chosen, *failed):
        if (item not in settled and item not in left) or len(item.ways[0]) > 1:
            continue  # It is part of another by now, or no one decision.
        partners, joined = _joined(item, left, trial)
        if joined is not None:
            gone = [item, *partners]
            layers = item.block.layers.union(*(one.block.layers for one in partners))
            settled = [one for one in settled if one not in gone]
            left = [one for one in left if one not in gone]
            settled.append(Candidate(replace(item.block, layers=layers), ((joined,),)))
    return settled, left


def _joined(
    item: Candidate, left: Sequence[Candidate], trial: Trial
) -> tuple[list[Candidate], Group | None]:
    """Blocks that failed and with which a wide one can be cut, and how."""
    wide = item.ways[0][0]
    reads = {member.module for member in wide.members if member.side == "in"}
    near = [one for one in left if one is not item and one.block.layers & reads]
    tried: list[Candidate] = []
    for closely in (True, False):
        partners = [one for one in near if fits(wide, one.ways, closely=closely)]
        if partners and partners != tried:
            ways = [one.ways for one in partners]
            joined = next((one for one in as_one(wide, ways) if not trial((one,))), None)
            if joined is not None:
                return partners, joined
        tried = partners
    return [], None


def _one_beside_the_other(
    candidates: Sequence[Candidate], trial: Trial
) -> tuple[list[Group], list[tuple[Block, str]]]:
    sound: list[Group] = []
    refused: list[tuple[Block, str]] = []
    waiting = list(candidates)
    while waiting:
        failed = _accept(waiting, sound, trial)
        # Those that another block's cut made fail get another chance with their next way only.
        waiting = [replace(item, ways=item.ways[1:], reason=reason) for item, reason in failed]
        refused += [(item.block, item.reason) for item in waiting if not item.ways]
        waiting = [item for item in waiting if item.ways]
    return sound, refused


def _accept(
    items: list[Candidate], sound: list[Group], trial: Trial
) -> list[tuple[Candidate, str]]:
    """Add to `sound` each item whose first way is; the others, with what is wrong."""
    groups = [group for item in items for group in item.ways[0]]
    reason = trial([*sound, *groups], TRIALS)
    if not reason:
        sound += groups
        return []
    if len(items) == 1:
        return [(items[0], items[0].reason or reason)]
    half = len(items) // 2
    return _accept(items[:half], sound, trial) + _accept(items[half:], sound, trial)


def _random_units(groups: Sequence[Group], seed: int) -> KeptUnits:
    """Few and many units of one group after the other, and never all of them.

    So two groups that should be one keep different numbers.
    """
    generator = torch.Generator().manual_seed(seed)
    kept = []
    for number, group in enumerate(groups):
        half = max(1, group.units // 2)
        least, most = (
            (1, half) if (number + seed) % 2 else (min(half + 1, group.units - 1), group.units - 1)
        )
        count = int(torch.randint(least, most + 1, (1,), generator=generator))
        order = torch.randperm(group.units, generator=generator)
        kept.append(tuple(sorted(order[:count].tolist())))
    return tuple(kept)


def revealing(inputs: Inputs) -> Any:
    """Inputs that hide no mistake: wide numbers, and noise where all are alike."""
    return changed(inputs, _reveal)


def _reveal(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or tensor.is_nested:
        return tensor
    wide = tensor.float() if tensor.element_size() < WIDE else tensor
    alike = wide.numel() > 1 and wide.dim() > 1 and bool((wide == wide.flatten()[0]).all())
    return torch.randn(wide.shape, generator=_generator()).to(wide) if alike else wide


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def tried_on(model: nn.Module, inputs: Inputs) -> nn.Module:
    """A copy that hides no mistake, as zeros, tiny scales and streams that swell would.

    In evaluation mode, its weights and statistics drawn at random.

    Args:
        model: Left as it is.
        inputs: Of its forward pass, as `revealing` has them.
    """
    copied = _randomise(duplicate(model))
    _measure_norms(copied, inputs)
    return copied


def _measure_norms(model: nn.Module, inputs: Inputs) -> None:
    """In place: statistics of norms that are near those of what they read.

    Otherwise what residual blocks add grows from block to block, until the last ones hide whatever
    the first ones add.
    """
    generator = _generator()

    def measure(norm: nn.Module, args: tuple[Any, ...]) -> None:
        read = args[0] if args and isinstance(args[0], Tensor) else None
        mean, variance = (getattr(norm, name, None) for name in STATISTICS)
        if read is None or read.dim() < 2 or not isinstance(mean, Tensor) or variance is None:
            return
        if read.shape[1] != len(mean) or read.numel() < 2 * len(mean):
            return
        each = read.detach().transpose(0, 1).flatten(1).float()
        spread = each.var(1, correction=0) + SMALLEST
        noise = torch.randn((2, len(mean)), generator=generator).to(each)
        mean.copy_(each.mean(1) + 0.3 * noise[0] * spread.sqrt())
        variance.copy_(spread * (0.6 + 0.3 * noise[1].abs()))

    norms = [module for module in model.modules() if hasattr(module, "running_var")]
    handles = [norm.register_forward_pre_hook(measure) for norm in norms]
    try:
        with torch.no_grad(), plain_attention():
            call(model, inputs)
    finally:
        for handle in handles:
            handle.remove()


STATISTICS = ("running_mean", "running_var")


def _randomise(model: nn.Module) -> nn.Module:
    """In place: weights and statistics drawn at random, in evaluation mode."""
    generator = _generator()
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point() and tensor.element_size() < WIDE:
            tensor.data = tensor.data.float()
    with torch.no_grad():
        for module in model.modules():
            for name, tensor in _own(module):
                noise = _noise(module, name, tensor.shape, generator)
                positive = tensor.numel() > 1 and bool((tensor > 0).all())
                tensor.copy_(noise.abs() + SMALLEST if positive else noise)
    return model.eval()


def _own(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in module.named_parameters(recurse=False):
        if tensor.is_floating_point():
            yield name, tensor
    for name in STATISTICS:
        statistic = getattr(module, name, None)
        if isinstance(statistic, torch.Tensor):
            yield name, statistic


def _noise(
    module: nn.Module, name: str, shape: torch.Size, generator: torch.Generator
) -> torch.Tensor:
    noise = torch.randn(shape, generator=generator)
    if len(shape) > 1:
        swapped = kinds.kind_of(module) is not None and kinds.known_kind(module).weight[0] == "in"
        read = shape[0] * shape[2:].numel() if swapped else shape[1:].numel()
        return noise.mul((2 / read) ** 0.5)
    positive = name == "running_var" or (name == "weight" and kinds.kind_of(module) is not None)
    return noise.abs() * 0.3 + 0.6 if positive else noise * 0.3


def with_attributes(model: nn.Module, groups: tuple[Group, ...]) -> Iterator[tuple[Group, ...]]:
    """The same groups with the sets of numbers that code around them may have to change.

    Groups that one number counts the units of are one group.
    """
    seen: list[tuple[Group, ...]] = []
    for choice in CHOICES:
        found = [replace(g, attributes=_attributes(model, g, choice)) for g in groups]
        by_numbers: dict[tuple[int, tuple[Attribute, ...]], list[Group]] = {}
        for number, group in enumerate(found):
            key = (group.units if group.attributes else -number, group.attributes)
            by_numbers.setdefault(key, []).append(group)
        together = tuple(join(alike) for alike in by_numbers.values())
        if together not in seen:
            seen.append(together)
            yield together


@dataclass(frozen=True)
class Choice:
    """Which whole numbers are taken for sizes of a group.

    Args:
        heads: Those that count units and are called heads.
        widths: Those that are a width of the group and do not count its units.
        counts: All that count units.
        above: Of the modules further up too, those that count units or are a width.
    """

    heads: bool = False
    widths: bool = False
    counts: bool = False
    above: bool = False


_NEAR = (
    Choice(),
    Choice(heads=True),
    Choice(widths=True),
    Choice(heads=True, widths=True),
    Choice(counts=True),
    Choice(counts=True, widths=True),
)
CHOICES = (*_NEAR, *(replace(choice, above=True) for choice in _NEAR))
"""What is tried, one after the other: none; by name; by size; and the same further up."""


def _attributes(model: nn.Module, group: Group, choice: Choice) -> tuple[Attribute, ...]:
    """Whole numbers of the modules around the group's layers that are one of its sizes."""
    places = [*(m.indices for m in group.members), *(part.indices for part in group.slices)]
    widths = {group.units * len(indices[0]) for indices in places}
    names = [*(m.module for m in group.members), *(part.tensor for part in group.slices)]
    near = {name.rpartition(".")[0] for name in names}
    found = list(_numbers(model, near, group, widths, choice))
    if choice.above:
        above = {up for name in near for up in _above(name)} - near
        found += _numbers(model, above, group, widths, Choice(counts=True, widths=True))
    return tuple(found)


def _above(name: str) -> Iterator[str]:
    """The modules that a module lies in."""
    while name:
        name = name.rpartition(".")[0]
        yield name


def _numbers(
    model: nn.Module, owners: Iterable[str], group: Group, widths: set[int], choice: Choice
) -> Iterator[Attribute]:
    for owner in sorted(owners):
        module = model.get_submodule(owner)
        if kinds.kind_of(module) is not None:
            continue
        for name, value in sorted(numbers_of(module).items()):
            if value > 1 and value % group.units == 0:
                counts = value == group.units
                heads = counts and re.search("head", name) and not re.search("dim|size", name)
                wide = value in widths and (choice.counts or not counts)
                if (
                    (heads and choice.heads)
                    or (wide and choice.widths)
                    or (counts and choice.counts)
                ):
                    yield Attribute(owner, name, value // group.units)


def candidate(model: nn.Module, block: Block, ways: Sequence[tuple[Group, ...]]) -> Candidate:
    """A block with every way to cut it, each with every set of attributes."""
    every = (found for way in ways for found in with_attributes(model, way))
    return Candidate(block, tuple(every), block.reason)
