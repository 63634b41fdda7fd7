"""Whether a cut network runs, and computes what its graph says."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn

from amc.devices import right_gradients
from amc.graph import Branch, KeptUnits, PruningGraph
from amc.modules import Inputs, call, duplicate, in_double, tensors
from amc.surgery.branches import Depth, without_branches
from amc.surgery.comparing import Difference, Made, Seen, difference
from amc.surgery.cutting import Channels, cut, cut_units, staying_channels
from amc.surgery.masking import enlarge


class SurgeryError(RuntimeError):
    """A network that fails once it is cut, or computes something else than its graph says."""


def check_cut(
    model: nn.Module, graph: PruningGraph, units: KeptUnits, example_inputs: Inputs
) -> None:
    """See that cutting runs, and computes the same as setting the same channels to zero.

    It does not where the network's code joins or reorders channels in a way that the graph does
    not know (its own input among them, slices, a softmax over them).

    Raises:
        SurgeryError: if it does not; names the first group that fails alone.
    """
    model = duplicate(model).eval()
    # Who looks for what is wrong has time for more digits.
    look = partial(fault, model, graph, example_inputs=example_inputs, chooses=True)
    first, where = look(units), "these groups together"
    if first is None:
        return
    full = tuple(tuple(range(group.units)) for group in graph.groups)
    for number, group in enumerate(graph.groups):
        alone = (*full[:number], units[number], *full[number + 1 :])
        own = look(alone)
        if own is not None:
            first, where = own, repr(group.name)
            break
    raise SurgeryError(
        f"the network cannot be cut at {where}: {first.reason}; write its forward pass in "
        "terms of the tensors' own shapes, and keep channels apart and in order"
    )


SPOILED = 0.1
"""Added to a constant, once its sign was changed, to see whether that is seen."""

DOUBTFUL = 0.05
"""Of a difference, relative: smaller ones may be rounding, which more digits tell."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a cut.

    Attributes:
        reason: In words that a reader understands.
        sound: Layers that had run before, and made what they should if all ran; -1 where nothing
            tells.
        near: Names of the last layers before it, and of the one that made something else.
        difference: What was made otherwise; None where a pass failed.
        ahead: Name of the layer that would have run next, where a pass failed: code may read its
            weights without that it runs.
    """

    reason: str
    sound: int = -1
    near: tuple[str, ...] = ()
    difference: Difference | None = None
    ahead: tuple[str, ...] = ()

    @property
    def progress(self) -> tuple[bool, int]:
        """The larger, the less is wrong: a pass that fails hides what was made otherwise before."""
        return self.difference is not None, self.sound

    @property
    def may_be_rounding(self) -> bool:
        """Whether more digits have to tell.

        Where boxes are sorted by their scores, rounding may choose others though all layers agree.
        """
        found = self.difference
        return found is not None and (found.size < DOUBTFUL or not found.where)


Known = dict[Hashable, list[Made]]
"""What a masked network made, by what goes of it: ways to take that out have it in common."""


def fault(
    model: nn.Module,
    graph: PruningGraph,
    units: KeptUnits,
    example_inputs: Inputs,
    known: Known | None = None,
    *,
    chooses: bool = False,
) -> Fault | None:
    """What is wrong with this cut; None if nothing is.

    Args:
        model: In evaluation mode; left as it is.
        graph: Its groups.
        units: That stay of each group.
        example_inputs: Of its forward pass.
        known: Of the same network and inputs; what the last masked network made is kept there.
        chooses: Whether code sorts or selects by what layers made, so that any difference may begin
            with rounding.
    """
    found = _Pair(model, graph, Depth.of(graph, units), known).fault(example_inputs)
    if found is None or found.difference is None:
        return found
    if not (chooses or found.may_be_rounding):
        return found
    wide = _Pair(duplicate(model).double(), graph, Depth.of(graph, units))
    # Most mistakes are seen in the same place, which is often near the beginning.
    places = [float(found.difference.before + 1)] if found.difference.where else []
    for most in (*places, math.inf):
        sure = wide.fault(in_double(example_inputs), most)
        if sure is not None:
            break
    if sure is None or sure.difference is not None:
        return sure
    # Code that makes numbers of one type itself runs in no other; a small difference is rounding.
    assert found.difference is not None
    return None if found.difference.size < DOUBTFUL else found


def seen_constants(
    model: nn.Module,
    graph: PruningGraph,
    units: KeptUnits,
    example_inputs: Inputs,
    branches: Iterable[Branch],
    known: Known | None = None,
) -> list[Branch]:
    """Those of some branches in whose place a wrong constant would be seen.

    Args:
        model: As for `fault`.
        graph: Its groups.
        units: That stay of each group; these branches are gone, others may be as well.
        example_inputs: Of its forward pass.
        branches: Of which none lies in another that is gone.
        known: As for `fault`.
    """
    pair = _Pair(model, graph, Depth.of(graph, units), known)
    wanted = pair.wanted(example_inputs)
    with pair.smaller() as smaller:
        return [branch for branch in branches if pair.sees(smaller, branch, example_inputs, wanted)]


def fault_in_training(
    model: nn.Module,
    graph: PruningGraph,
    units: KeptUnits,
    example_inputs: Inputs,
    *,
    step: bool = False,
) -> str:
    """What keeps this cut from running as in training; empty if nothing does.

    Args:
        model: As for `fault`.
        graph: Its groups.
        units: That stay of each group.
        example_inputs: Of its forward pass.
        step: Take gradients as well.
    """
    fails = training_fault(cut(model, graph, units, sharing=True), example_inputs, step)
    # A norm over one number fails in the whole network as well.
    if fails and not training_fault(model, example_inputs, step):
        return f"its forward pass in training fails then ({fails})"
    return ""


def training_fault(model: nn.Module, example_inputs: Inputs, step: bool) -> str:
    """What keeps a network from running as in training; empty if nothing does.

    Args:
        model: Left as it is.
        example_inputs: Of its forward pass.
        step: Take gradients as well.
    """
    model = duplicate(model)
    with torch.set_grad_enabled(step), torch.random.fork_rng(devices=[]):
        try:
            made = tensors(call(model.train().requires_grad_(step), example_inputs))
            if step:
                sums = [one.float().sum() for one in made if one.requires_grad]
                with right_gradients(model):
                    torch.autograd.backward(sums)
        except Exception as error:
            return _first_line(error) or type(error).__name__
    return ""


@dataclass(frozen=True)
class _Pair:
    """A cut network and the masked one of full size, made as they are asked for.

    Attributes:
        model: The unpruned network.
        graph: Its groups.
        depth: What goes.
        known: What masked networks made; None keeps nothing.
    """

    model: nn.Module
    graph: PruningGraph
    depth: Depth
    known: Known | None = None

    @cached_property
    def names(self) -> frozenset[str]:
        """The layers that both have."""
        gone = {name for branch in self.depth.branches for name in branch.layers}
        return frozenset(layer.name for layer in self.graph.layers) - gone

    @cached_property
    def staying(self) -> Channels:
        """The channels that stay of each side of a module that loses some."""
        return staying_channels(self.graph, self.depth.units)

    @cached_property
    def narrowed(self) -> nn.Module:
        """The cut one with all branches, which shares what does not change."""
        with torch.no_grad():
            return cut_units(self.model, self.graph, self.depth, sharing=True)

    @contextmanager
    def smaller(self) -> Iterator[nn.Module]:
        """The cut one, in which branches are gone for now."""
        gone = self.depth.branches
        names = (one for branch in gone for one in (branch.name, *dict(branch.passing)))
        parts = {name: self.narrowed.get_submodule(name) for name in sorted(names)}
        try:
            with torch.no_grad():
                yield without_branches(self.narrowed, gone)
        finally:
            for name, part in parts.items():
                self.narrowed.set_submodule(name, part)

    def wanted(self, inputs: Inputs, most: float = math.inf) -> list[Made]:
        """What the masked one makes; of that so many layers are enough."""
        goes = (self.depth.units, frozenset(self.depth.readers))
        if self.known is not None and goes in self.known:
            return self.known[goes]
        with torch.no_grad():
            masked = enlarge(self.model, self.graph, self.depth, self.narrowed, sharing=True)
        made = Seen(self.names, most).run(masked, inputs)
        if self.known is not None:
            self.known.clear()
            self.known[goes] = made
        return made

    def fault(self, inputs: Inputs, most: float = math.inf) -> Fault | None:
        """What is wrong with the smaller one; None if nothing is, in so many layers."""
        seen = Seen(self.names, most)
        with torch.no_grad():
            try:
                with self.smaller() as smaller:
                    found = seen.run(smaller, inputs)
            except Exception as error:  # the network's own code may raise anything
                fails = f"its forward pass fails then ({_first_line(error)})"
                near = _near(seen.made, len(seen.made))
                return Fault(fails, len(seen.made), near, ahead=self._ahead(near))
            try:
                other = self.wanted(inputs, most)
            except Exception as error:
                told = _first_line(error)
                return Fault(f"its forward pass fails with the same channels at zero ({told})")
            first = difference(found, other, self.model, self.staying)
        if first is None:
            return None
        return Fault(str(first), first.before, _near(found, first.before), first)

    def _ahead(self, near: tuple[str, ...]) -> tuple[str, ...]:
        """The layer behind the last of these, in the order they first ran."""
        layers, order = self.graph.layers, self.graph.layer_index
        behind = order[near[-1]] + 1 if near and near[-1] in order else 0
        return tuple(layer.name for layer in layers[behind : behind + 1])

    def sees(self, smaller: nn.Module, branch: Branch, inputs: Inputs, wanted: list[Made]) -> bool:
        """Whether another constant in the place of a branch makes any difference."""
        constant: Any = smaller.get_submodule(branch.name).constant
        whole = constant.detach().clone()
        constant.neg_().add_(SPOILED)
        try:
            found = Seen(self.names).run(smaller, inputs)
        except Exception:  # code that asserts something of its numbers may raise anything
            return True
        finally:
            constant.copy_(whole)
        return difference(found, wanted, self.model, self.staying) is not None


NEAR = 2
"""Layers before a fault that are told of."""


def _near(made: list[Made], before: int) -> tuple[str, ...]:
    return tuple(name for name, _ in made[max(0, before - NEAR) : before + 1] if name)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
