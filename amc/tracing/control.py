"""Whether a wrong cut would be seen at all: a proof on inputs that hide a layer proves nothing.

Of attention to a single place, say, queries and keys make no difference, whatever they are. So each
layer that makes channels of a group has to make a difference to what is compared. Gradients of the
outputs tell that of most layers in one pass. Where they are zero, the layer gets other weights, and
some other layer or an output has to change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amc.graph import Group, Member
from amc.modules import Inputs, duplicate, kinds
from amc.surgery import Made, Seen
from amc.tracing.dependence import Dependence

Part = tuple[int, ...]
"""Channels of one layer."""


@dataclass(frozen=True)
class Hidden:
    """A group of which nobody would see a wrong cut.

    Args:
        group: It.
        layer: That makes no difference.
    """

    group: Group
    layer: str

    @property
    def reason(self) -> str:
        """In words that a reader understands."""
        return (
            f"on these inputs {self.layer} makes no difference to anything, so that no cut of it "
            "can be proved; give example inputs on which it does"
        )


def hidden(
    model: nn.Module,
    groups: Collection[Group],
    inputs: Inputs,
    seen: Dependence,
    untold: Collection[str] = (),
) -> list[Hidden]:
    """The groups of which a wrong cut would not be seen.

    Args:
        model: As `amc.tracing.revealing` makes it; left as it is.
        groups: That were verified.
        inputs: Of its forward pass.
        seen: A pass of a copy, with gradients.
        untold: Layers that run in training alone.
    """
    slopes = seen.slopes(model)
    unsure = [
        (group, member.module, part)
        for group in groups
        if any(member.side == "in" for member in group.members)  # else there is nothing to see
        for member in group.members
        if member.side == "out" and member.module not in untold
        for part in _without_slope(model, member, slopes)
    ]
    if not unsure:
        return []
    trial = _Trial(model, inputs)
    found: dict[int, Hidden] = {}
    for name in dict.fromkeys(name for _, name, _ in unsure):
        own = [(group, part) for group, other, part in unsure if other == name]
        parts = list(dict.fromkeys(part for _, part in own))
        hides = _hidden_parts(trial, name, parts)
        for group, part in own:
            if part in hides:
                found.setdefault(id(group), Hidden(group, name))
    return list(found.values())


def _hidden_parts(trial: _Trial, name: str, parts: list[Part]) -> set[Part]:
    """Of channels of a layer those that change nothing: often none or all do."""
    if not trial.changes(name, tuple(sorted({at for part in parts for at in part}))):
        return set(parts)
    if len(parts) == 1:
        return set()
    return {part for part in parts if not trial.changes(name, part)}


def _without_slope(
    model: nn.Module, member: Member, slopes: Mapping[str, Tensor] | None
) -> list[Part]:
    """Channels of a layer that no output changes with: those at one place in every unit."""
    module = model.get_submodule(member.module)
    if kinds.known_kind(module).layer not in ("conv", "linear"):
        return []
    if slopes is None:  # Nothing is told of any.
        told = torch.zeros(kinds.channels(module, "out"), dtype=torch.bool)
    else:
        told = _with_slope(module, member.module, slopes)
    places = torch.from_numpy(member.places)
    return [tuple(part.tolist()) for part in places.T if not told[part].any()]


def _with_slope(module: nn.Module, name: str, slopes: Mapping[str, Tensor]) -> Tensor:
    """(channels,) whether an output changes with each."""
    told = torch.zeros(kinds.channels(module, "out"), dtype=torch.bool)
    for key, tensor, axis in _weights(module):
        slope = slopes.get(f"{name}.{key}")
        if slope is None:  # What has no gradient leads nowhere, or to what is chosen or counted.
            told[:] = True
        else:
            rows = (slope.movedim(axis, 0).flatten(1) != 0).any(1).cpu()
            # A transposed convolution of several groups has the channels of one.
            told |= rows.repeat(len(told) // tensor.shape[axis])
    return told


def _weights(module: nn.Module) -> list[tuple[str, Tensor, int]]:
    """Its weights, each with the axis of the channels that it makes.

    Not a bias, which may make no difference before a norm or in a softmax.
    """
    found = []
    for key, tensor in kinds.tensors_of(module).items():
        roles = kinds.roles(module, key)
        if "out" in roles and tensor.dim() > 1 and isinstance(tensor, nn.Parameter):
            found.append((key, tensor.detach(), roles.index("out")))
    return found


@dataclass
class _Trial:
    """A network beside one in which some channels are others.

    Args:
        model: The network.
        inputs: Of its forward pass.
    """

    model: nn.Module
    inputs: Inputs

    def __post_init__(self) -> None:
        self._names = frozenset(
            name for name, module in self.model.named_modules() if kinds.has_channels(module)
        )
        self._plain = self._made(self.model)

    def _made(self, model: nn.Module) -> list[Made]:
        with torch.no_grad():
            return Seen(self._names).run(model, self.inputs)

    def changes(self, name: str, part: Part) -> bool:
        """Whether these channels of a layer change what any other layer makes, or an output."""
        other = duplicate(self.model)
        module = other.get_submodule(name)
        with torch.no_grad():
            for _, tensor, axis in _weights(module):
                rows = torch.tensor(part, device=tensor.device) % tensor.shape[axis]
                tensor.index_copy_(axis, rows, tensor.index_select(axis, rows).neg() * 2)
        try:
            made = self._made(other)
        except Exception:  # code that asserts something of its numbers may raise anything
            return True
        pairs = zip(self._plain, made, strict=False)
        return len(made) != len(self._plain) or any(
            one[0] != name and not _same(one[1], two[1]) for one, two in pairs
        )


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return torch.equal(one.nan_to_num(), other.nan_to_num())
