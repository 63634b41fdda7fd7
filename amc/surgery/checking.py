"""Whether a cut network runs, and computes what its graph says."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amc.graph import KeptUnits, PruningGraph
from amc.modules import Inputs, call, tensors
from amc.surgery.cutting import cut
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


def fault(model: nn.Module, graph: PruningGraph, units: KeptUnits, example_inputs: Inputs) -> str:
    """What is wrong with this cut; empty if nothing is."""
    with torch.no_grad():
        smaller = cut(model, graph, units).eval()
        masked = enlarge(model, graph, units, smaller).eval()
        wanted = tensors(call(masked, example_inputs))
        try:
            found = tensors(call(smaller, example_inputs))
        except Exception as error:
            return f"its forward pass fails then ({str(error).partition(chr(10))[0]})"
    if len(found) == len(wanted) and all(map(_close, found, wanted)):
        return ""
    return "its outputs then differ from those with the same channels at zero"


def _close(found: Tensor, wanted: Tensor) -> bool:
    if found.shape != wanted.shape or not wanted.is_floating_point():
        return found.shape == wanted.shape
    # The square root of the type's precision leaves room for another order of summation.
    room = torch.finfo(wanted.dtype).eps ** 0.5 * float(wanted.abs().max())
    return torch.allclose(found, wanted, rtol=0, atol=room, equal_nan=True)
