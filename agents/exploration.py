"""How far the agent strays from what it would do: a truncated normal whose width decays."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Exploration:
    """Width of the truncated normal in each episode.

    It stays at `sigma` for the warm-up and then decays geometrically to `final_sigma` in the last
    episode. AMC's code decays by a fixed factor, which leaves most of a long search without any
    exploration; here the decay is scaled to the number of episodes.

    Args:
        episodes: Of the whole search.
        warmup: Episodes before the agent learns.
        sigma: Width at the start, in units of the pruning ratio.
        final_sigma: Width in the last episode.

    Raises:
        ValueError: if a number is out of range.
    """

    episodes: int
    warmup: int
    sigma: float
    final_sigma: float

    def __post_init__(self) -> None:
        if not 0 <= self.warmup <= self.episodes:
            raise ValueError(
                f"exploration: {self.warmup} warm-up episodes do not fit into {self.episodes}; "
                "give fewer"
            )
        if not 0 < self.final_sigma <= self.sigma:
            raise ValueError(
                f"exploration: sigma must fall from above 0, not from {self.sigma} "
                f"to {self.final_sigma}"
            )

    def width(self, episode: int) -> float:
        """Sigma of episode `episode`, counted from 0."""
        learning = self.episodes - self.warmup
        done = max(0, episode - self.warmup) / max(1, learning - 1)
        return float(self.sigma * (self.final_sigma / self.sigma) ** min(1.0, done))


def truncated_normal(mean: torch.Tensor, sigma: float) -> torch.Tensor:
    """Samples of a normal around `mean` cut off at 0 and 1: what falls outside is drawn again.

    Unlike noise that is clipped, it puts no mass on the bounds.

    Args:
        mean: Any shape, in [0, 1].
        sigma: Above 0.
    """
    sample = torch.empty_like(mean)
    for index in range(mean.numel()):
        centre = float(mean.flatten()[index])
        torch.nn.init.trunc_normal_(sample.view(-1)[index : index + 1], centre, sigma, 0.0, 1.0)
    return sample
