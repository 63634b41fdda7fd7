"""Whether a cut network runs, and computes what its graph says."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from amc.graph import KeptUnits, PruningGraph
from amc.modules import Inputs, absent, call, duplicate, in_double, tensors
from amc.surgery.branches import Depth, without_branches
from amc.surgery.comparing import Difference, Seen, difference
from amc.surgery.cutting import cut, cut_units, staying_channels
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
    reason, where = fault(model, graph, units, example_inputs), "these groups together"
    if not reason:
        return
    full = tuple(tuple(range(group.units)) for group in graph.groups)
    for number, group in enumerate(graph.groups):
        alone = (*full[:number], units[number], *full[number + 1 :])
        own = fault(model, graph, alone, example_inputs)
        if own:
            reason, where = own, repr(group.name)
            break
    raise SurgeryError(
        f"the network cannot be cut at {where}: {reason}; write its forward pass in terms of the "
        "tensors' own shapes, and keep channels apart and in order"
    )


SPOILED = 0.1
"""Added to a constant, once its sign was changed, to see whether that is seen."""

DOUBTFUL = 0.05
"""Of a difference, relative: smaller ones may be rounding, which more digits tell."""


def fault(model: nn.Module, graph: PruningGraph, units: KeptUnits, example_inputs: Inputs) -> str:
    """What is wrong with this cut; empty if nothing is.

    Args:
        model: In evaluation mode; left as it is.
        graph: Its groups.
        units: That stay of each group.
        example_inputs: Of its forward pass.
    """
    found = _fault(model, graph, units, example_inputs)
    if isinstance(found, Difference) and found.size < DOUBTFUL:
        sure = _fault(duplicate(model).double(), graph, units, in_double(example_inputs))
        # Code that makes numbers of one type itself runs in no other.
        found = sure if sure is None or isinstance(sure, Difference) else None
    return "" if found is None else str(found)


def sees_constants(
    model: nn.Module, graph: PruningGraph, units: KeptUnits, example_inputs: Inputs
) -> bool:
    """Whether wrong constants in the place of branches that are gone would be seen.

    Args:
        model: As for `fault`.
        graph: Its groups.
        units: That stay of each group; some branches are gone.
        example_inputs: Of its forward pass.
    """

    def spoil(smaller: nn.Module) -> None:
        for module in smaller.modules():
            if isinstance(module, absent.Constant | absent.Bypass):
                module.constant.neg_().add_(SPOILED)

    return _fault(model, graph, units, example_inputs, spoil) is not None


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
    fails = _training_fault(cut(model, graph, units), example_inputs, step)
    # A norm over one number fails in the whole network as well.
    if fails and not _training_fault(duplicate(model), example_inputs, step):
        return f"its forward pass in training fails then ({fails})"
    return ""


def _training_fault(model: nn.Module, example_inputs: Inputs, step: bool) -> str:
    with torch.set_grad_enabled(step), torch.random.fork_rng(devices=[]):
        try:
            made = tensors(call(model.train().requires_grad_(step), example_inputs))
            if step:
                sums = [one.float().sum() for one in made if one.requires_grad]
                torch.autograd.backward(sums)
        except Exception as error:
            return _first_line(error) or type(error).__name__
    return ""


def _fault(
    model: nn.Module,
    graph: PruningGraph,
    units: KeptUnits,
    example_inputs: Inputs,
    spoil: Callable[[nn.Module], None] | None = None,
) -> Difference | str | None:
    depth = Depth.of(graph, units)
    gone = {name for branch in depth.branches for name in branch.layers}
    names = frozenset(layer.name for layer in graph.layers) - gone
    with torch.no_grad():
        smaller = cut_units(model, graph, depth, sharing=True)
        masked = enlarge(model, graph, depth, smaller, sharing=True)
        try:
            smaller = without_branches(smaller, depth.branches)
            if spoil is not None:
                spoil(smaller)
            found = Seen(names).run(smaller, example_inputs)
        except Exception as error:
            return f"its forward pass fails then ({_first_line(error)})"
        try:
            wanted = Seen(names).run(masked, example_inputs)
        except Exception as error:
            told = _first_line(error)
            return f"its forward pass fails with the same channels at zero ({told})"
        return difference(found, wanted, model, staying_channels(graph, depth.units))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
