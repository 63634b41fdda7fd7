"""From kept counts to networks that are measured once and thrown away.

What does not change from one candidate to the next is done once, on a twin of the network: batch
norms are folded into the layers before them, so that a cut slices fewer tensors and needs no
folding; activations overwrite their input; the refit's equations are those of the folded weights,
of which every solve takes a part. A least-squares refit of scaled outputs is the scaled refit, so
that a candidate computes what `Pruner.network` does. Where branches are gone, batch norms are
measured again, so that there the network itself is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from amc.devices import lay_out
from amc.evaluation import make_ready
from amc.graph import PruningGraph
from amc.modules import duplicate
from amc.pruning.pruner import Pruner
from amc.refit import Reconstruction
from amc.surgery import cut


@dataclass(frozen=True)
class Candidates:
    """A network's twin, ready to be cut often.

    Args:
        pruner: Of the network itself.
        model: The twin; at granularities with masks, the network.
        graph: The twin's.
        reconstruction: The twin's; None leaves the refit out.
        half: Whether candidates may compute in bfloat16 where that is fast.
    """

    pruner: Pruner
    model: nn.Module
    graph: PruningGraph
    reconstruction: Reconstruction | None
    half: bool = True

    @classmethod
    def of(cls, pruner: Pruner, *, half: bool = True) -> Candidates:
        """Fold, lay out and multiply once.

        Args:
            pruner: Whose network is left untouched.
            half: Whether candidates may compute in bfloat16 where that is fast.
        """
        if pruner.graph.granularity.masks:
            return cls(pruner, pruner.model, pruner.graph, None, half)
        model = duplicate(pruner.model).eval().requires_grad_(False)
        graph = make_ready(model, pruner.graph, half=half)
        known = None
        if pruner.moments is not None:
            known = Reconstruction.of(model, graph, pruner.moments)
        return cls(pruner, model, graph, known, half)

    def network(self, kept: Sequence[int]) -> nn.Module:
        """A network for evaluation only, folded and laid out, at these kept counts.

        Masks are plain zeros.
        """
        if self.graph.granularity.masks:
            network = self.pruner.network(kept)
            make_ready(network, self.graph, half=self.half)
            return network
        if self.pruner.measures_norms(kept):
            with torch.no_grad():
                network = self.pruner.smaller(kept, self.pruner.reconstruction)
            make_ready(network, self.pruner.graph, half=self.half)
            return network
        units = self.pruner.units(kept)
        with torch.no_grad():
            network = cut(self.model, self.graph, units, self.reconstruction, sharing=True)
        lay_out(network, torch.channels_last)
        return network
