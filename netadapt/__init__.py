"""The NetAdapt loop, for comparison."""

from netadapt.loop import Iteration, NetAdapt
from netadapt.rounds import Proposal

__all__ = ["Iteration", "NetAdapt", "Proposal"]
