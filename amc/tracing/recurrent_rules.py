"""How channels pass through a recurrent layer: its hidden units go together in all of its weights.

One number says how many units every layer and direction of such a module has, so that they lose
the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from amc.modules import recurrent
from amc.tracing.flow import Flow
from amc.tracing.labels import along

PROJECTED = "it meets {}, an LSTM with projections, which PyTorch tells by unequal sizes"


def follow_recurrent(
    flow: Flow,
    name: str,
    module: recurrent.Recurrent,
    given: Sequence[Tensor],
    out: Sequence[Tensor],
) -> None:
    """Tie what the module reads to its weights, and label what it makes.

    Args:
        flow: Of the forward pass.
        name: Of the module.
        module: It.
        given: All tensors that it was called with: sequences, and perhaps first states.
        out: All that it returned: sequences and last states, or a cell's states alone.
    """
    labels = _labels(flow, name, module)
    if getattr(module, "proj_size", 0):
        flow.refuse((labels["hidden"], labels["made"]), PROJECTED.format(name))
    numbers = [tensor for tensor in given if tensor.is_floating_point()]
    sides = [labels["read"], labels["made"], labels["hidden"]]
    for tensor, own in zip(numbers, sides, strict=False):
        flow.merge((along(own, tensor.dim() - 1, tensor.dim()), *flow.planes(tensor)))
    made = [tensor for tensor in out if tensor.is_floating_point()]
    first = (
        labels["made"].repeat(recurrent.directions(module)) if _makes_sequences(module) else None
    )
    states = [labels["made"], labels["hidden"]]
    for tensor, own in zip(made, states if first is None else [first, *states], strict=False):
        flow.label(tensor, [along(own, tensor.dim() - 1, tensor.dim())])


def _makes_sequences(module: recurrent.Recurrent) -> bool:
    """Whether it makes a sequence, and then its last states."""
    return hasattr(module, "num_layers")


def _labels(flow: Flow, name: str, module: recurrent.Recurrent) -> dict[str, Tensor]:
    """What it reads, its hidden units and what it makes of these; the same at every call."""
    projected = int(getattr(module, "proj_size", 0) or 0)
    sizes = {"read": module.input_size, "hidden": module.hidden_size}
    if projected:
        sizes["made"] = projected
    roles, known = recurrent.axes_of(module), dict[str, Tensor]()
    for key, axes in roles.items():
        for axis, (role, _) in enumerate(axes):
            where = (f"{name}.{key}", axis)
            what = str(role) if role in sizes else "hidden"
            if where in flow.elements:
                known.setdefault(what, flow.elements[where][: sizes[what]])
    for what, size in sizes.items():
        if what not in known:
            known[what] = flow.atoms.fresh(size)
    known.setdefault("made", known["hidden"])
    for key, axes in roles.items():
        for axis, (role, times) in enumerate(axes):
            flow.elements[f"{name}.{key}", axis] = known[role].repeat(times)
            if (role, axis) == ("hidden", 0) and len(axes) > 1:
                flow.makers[f"{name}.{key}", axis] = name
    return known
