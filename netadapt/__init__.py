"""The NetAdapt loop, for comparison."""

from netadapt.loop import Iteration, NetAdapt

__all__ = ["Iteration", "NetAdapt"]
