"""What is scored, on which data."""

from amc.tasks.samples import Samples

__all__ = ["Samples"]
