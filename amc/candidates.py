"""From kept counts to networks that are measured once and thrown away.

What does not change from one candidate to the next is done once, on a twin of the network: batch
norms are folded into the layers before them, so that a cut slices fewer tensors and needs no
folding; activations overwrite their input; the refit's equations are those of the folded weights,
of which every solve takes a part. A least-squares refit of scaled outputs is the scaled refit, so
that a candidate computes what `Pruner.network` does.

Convolutions compute whole vectors of output channels, and a rest of fewer takes longer than a whole
one. A candidate's convolutions therefore have room for the next multiple of `LANES` channels; what
stands there is zero, and so is what the next layer multiplies it with.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from amc import kinds
from amc.criteria import KeptUnits, best_units
from amc.devices import lay_out
from amc.evaluation import make_ready
from amc.pruning import Pruner
from amc.reconstruction import Reconstruction
from amc.structure import Group, PruningGraph
from amc.surgery import cut

LANES = 8
"""Numbers of a vector register (AVX2, float32); half of one with AVX-512."""


@dataclass(frozen=True)
class Candidates:
    """A network's twin, ready to be cut often.

    Args:
        pruner: Of the network itself.
        model: The twin; at granularities that mask, the network.
        graph: The twin's.
        reconstruction: The twin's; None leaves the refit out.
        roomy: Whether each group's channels may have room beside them.
    """

    pruner: Pruner
    model: nn.Module
    graph: PruningGraph
    reconstruction: Reconstruction | None
    roomy: tuple[bool, ...]

    @classmethod
    def of(cls, pruner: Pruner) -> Candidates:
        """Fold, lay out and multiply once.

        Args:
            pruner: Whose network is left untouched.
        """
        if pruner.orders:
            return cls(pruner, pruner.model, pruner.graph, None, ())
        model = copy.deepcopy(pruner.model).eval().requires_grad_(False)
        graph = make_ready(model, pruner.graph)
        known = None
        if pruner.moments is not None:
            known = Reconstruction.of(model, graph, pruner.moments)
        roomy = tuple(_has_room(model, graph, group) for group in graph.groups)
        return cls(pruner, model, graph, known, roomy)

    def network(self, kept: Sequence[int]) -> nn.Module:
        """A network for evaluation only, folded and laid out, at these kept counts.

        At granularities that mask, of full size with plain zeros.
        """
        if self.pruner.orders:
            network = self.pruner.network(kept)
            make_ready(network, self.graph)
            return network
        units, room = self.pruner.units(kept), self.room(kept)
        with torch.no_grad():
            network = cut(
                self.model, self.graph, units, self.reconstruction, room=room, sharing=True
            )
        lay_out(network, torch.channels_last)
        return network

    def room(self, kept: Sequence[int]) -> KeptUnits:
        """The units that stay, and the next best ones up to whole vectors."""
        rounded = [
            min(group.units, -(-count // LANES) * LANES) if roomy else count
            for count, group, roomy in zip(kept, self.graph.groups, self.roomy, strict=True)
        ]
        return best_units(self.pruner.ranking, rounded)


def _has_room(model: nn.Module, graph: PruningGraph, group: Group) -> bool:
    """Whether a group is made by convolutions, and every module keeps its channels apart."""
    modules = {member.module: model.get_submodule(member.module) for member in group.members}
    apart = not group.attributes and not any(
        kinds.known(module).mixes
        or isinstance(module, nn.MultiheadAttention)
        or (kinds.groups_of(module) > 1 and not kinds.channelwise(module))
        for module in modules.values()
    )
    return apart and any(isinstance(modules[name], nn.Conv2d) for name in group.layers)
