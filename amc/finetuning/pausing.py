"""Training that can be cut short between two passes over the samples, and goes on as if never."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from amc.devices import device_of
from amc.finetuning.stopping import BestWeights
from amc.journal import Checkpoint, State
from amc.weights import restore

LOSSES = "losses"
"""What a checkpoint calls the loss of each step so far."""

OPTIMISERS = {
    "momentum": "momentum_buffer",
    "average": "exp_avg",
    "square": "exp_avg_sq",
    "steps": "step",
}
"""What it calls each number that an optimiser keeps of a parameter, and what PyTorch does."""


class Pause:
    """All that one training has come to: weights, optimiser, random state, losses, the best so far.

    After a whole pass the next one begins with an order of its own, so that what is left of the
    last order need not be kept.

    Args:
        checkpoint: Where it is kept; None keeps nothing.
        model: In training.
        optimiser: Of its parameters.
        best: Its best weights, where they are watched.

    Attributes:
        ended: Whether what was resumed had come to its end.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        best: BestWeights | None,
    ) -> None:
        self._checkpoint, self._model, self._best = checkpoint, model, best
        self._optimiser = optimiser
        self._learned = [p for group in optimiser.param_groups for p in group["params"]]
        self.ended = False

    def resume(self) -> list[float]:
        """Go on from what was saved; the loss of each step made before, none where none was."""
        state = self._checkpoint.load() if self._checkpoint is not None else None
        if state is None:
            return []
        self.ended = bool(state["ended"])
        restore(self._model, {n: state[f"model.{n}"] for n in self._model.state_dict()})
        for number, parameter in enumerate(self._learned):
            for ours, theirs in OPTIMISERS.items():
                if (kept := state.get(f"{ours}.{number}")) is not None:
                    own = self._optimiser.state[parameter]
                    # Counts of steps stay on the processor, as PyTorch has them.
                    own[theirs] = kept.to(parameter.device) if kept.dim() else kept
        if self._best is not None:
            self._best.unpack(state)
        self._set_generators(state)
        losses: list[float] = state[LOSSES].tolist()
        return losses

    def save(self, losses: Sequence[float], *, ended: bool = False) -> None:
        """Save it all, after a whole pass or at the end."""
        if self._checkpoint is None:
            return
        optimiser = {
            f"{ours}.{number}": self._optimiser.state[parameter][theirs]
            for number, parameter in enumerate(self._learned)
            for ours, theirs in OPTIMISERS.items()
            if self._optimiser.state[parameter].get(theirs) is not None
        }
        self._checkpoint.save(
            {
                "ended": torch.tensor(ended),
                LOSSES: torch.tensor(losses, dtype=torch.float64),
                **{f"model.{name}": item for name, item in self._model.state_dict().items()},
                **optimiser,
                **(self._best.pack() if self._best is not None else {}),
                **self._generators(),
            }
        )

    def _generators(self) -> dict[str, Tensor]:
        device = device_of(self._model)
        on_gpu = {"random.gpu": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
        return {"random": torch.get_rng_state(), **on_gpu}

    def _set_generators(self, state: State) -> None:
        torch.set_rng_state(state["random"])
        if "random.gpu" in state:
            torch.cuda.set_rng_state(state["random.gpu"], device_of(self._model))
