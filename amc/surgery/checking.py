"""Whether a cut network runs, and computes what its graph says."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from amc.graph import Branch, KeptUnits, PruningGraph
from amc.modules import Inputs, alias, call, duplicate, in_double, tensors
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
    first, where = fault(model, graph, units, example_inputs), "these groups together"
    if first is None:
        return
    full = tuple(tuple(range(group.units)) for group in graph.groups)
    for number, group in enumerate(graph.groups):
        alone = (*full[:number], units[number], *full[number + 1 :])
        own = fault(model, graph, alone, example_inputs)
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
        sound: Layers that had run before and made what they should; -1 where nothing tells.
        near: Names of the last layers before it, and of the one that made something else.
        difference: What was made otherwise; None where a pass failed.
    """

    reason: str
    sound: int = -1
    near: tuple[str, ...] = ()
    difference: Difference | None = None

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
) -> Fault | None:
    """What is wrong with this cut; None if nothing is.

    Args:
        model: In evaluation mode; left as it is.
        graph: Its groups.
        units: That stay of each group.
        example_inputs: Of its forward pass.
        known: Of the same network and inputs; what the last masked network made is kept there.
    """
    found = _Pair.of(model, graph, units, known).fault(example_inputs)
    if found is None or not found.may_be_rounding:
        return found
    wide = _Pair.of(duplicate(model).double(), graph, units)
    sure = wide.fault(in_double(example_inputs))
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
) -> list[Branch]:
    """Those of some branches in whose place a wrong constant would be seen.

    Args:
        model: As for `fault`.
        graph: Its groups.
        units: That stay of each group; these branches are gone, others may be as well.
        example_inputs: Of its forward pass.
        branches: Of which none lies in another that is gone.
    """
    pair = _Pair.of(model, graph, units)
    with torch.no_grad():
        smaller, wanted = pair.smaller(), pair.wanted(example_inputs)
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
    fails = _training_fault(cut(model, graph, units, sharing=True), example_inputs, step)
    # A norm over one number fails in the whole network as well.
    if fails and not _training_fault(model, example_inputs, step):
        return f"its forward pass in training fails then ({fails})"
    return ""


def _training_fault(model: nn.Module, example_inputs: Inputs, step: bool) -> str:
    model = alias(model)
    with torch.set_grad_enabled(step), torch.random.fork_rng(devices=[]):
        try:
            made = tensors(call(model.train().requires_grad_(step), example_inputs))
            if step:
                sums = [one.float().sum() for one in made if one.requires_grad]
                torch.autograd.backward(sums)
        except Exception as error:
            return _first_line(error) or type(error).__name__
    return ""


@dataclass(frozen=True)
class _Pair:
    """A cut network and the masked one of full size.

    Attributes:
        cut: The cut one, in which branches that go are still there.
        masked: With the same channels at zero; None where it is known what that makes.
        branches: That go.
        names: Of the layers that both have.
        model: The unpruned network.
        staying: The channels that stay of each side of a module that loses some.
        goes: What the masked network is known by.
        known: What masked networks made; None keeps nothing.
    """

    cut: nn.Module
    masked: nn.Module | None
    branches: tuple[Branch, ...]
    names: frozenset[str]
    model: nn.Module
    staying: Channels
    goes: Hashable
    known: Known | None

    @classmethod
    def of(
        cls,
        model: nn.Module,
        graph: PruningGraph,
        units: KeptUnits,
        known: Known | None = None,
    ) -> _Pair:
        """Cut and mask a network, sharing what does not change."""
        depth = Depth.of(graph, units)
        gone = {name for branch in depth.branches for name in branch.layers}
        names = frozenset(layer.name for layer in graph.layers) - gone
        with torch.no_grad():
            smaller = cut_units(model, graph, depth, sharing=True)
            goes = (depth.units, depth.readers)
            told = known is not None and goes in known
            masked = None if told else enlarge(model, graph, depth, smaller, sharing=True)
        staying = staying_channels(graph, depth.units)
        return cls(smaller, masked, depth.branches, names, model, staying, goes, known)

    def smaller(self) -> nn.Module:
        """The cut network without its branches; to be taken once."""
        with torch.no_grad():
            return without_branches(self.cut, self.branches)

    def wanted(self, inputs: Inputs, most: float = math.inf) -> list[Made]:
        """What the masked network makes; of that so many layers are enough."""
        if self.masked is None:
            assert self.known is not None
            return self.known[self.goes]
        if self.known is None:
            return Seen(self.names, most).run(self.masked, inputs)
        made = Seen(self.names).run(self.masked, inputs)
        self.known.clear()
        self.known[self.goes] = made
        return made

    def fault(self, inputs: Inputs) -> Fault | None:
        """What is wrong with the smaller one; None if nothing is."""
        seen, failed = Seen(self.names), ""
        with torch.no_grad():
            try:
                found = seen.run(self.smaller(), inputs)
            except Exception as error:
                failed, found = _first_line(error), seen.made
            try:
                other = self.wanted(inputs, len(found) if failed else math.inf)
            except Exception as error:
                told = _first_line(error)
                return Fault(f"its forward pass fails with the same channels at zero ({told})")
            first = difference(found, other, self.model, self.staying)
        before = len(found) if first is None else first.before
        near = tuple(name for name, _ in found[max(0, before - NEAR) : before + 1] if name)
        if first is not None:
            return Fault(str(first), before, near, first)
        if failed:
            return Fault(f"its forward pass fails then ({failed})", before, near)
        return None

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


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
