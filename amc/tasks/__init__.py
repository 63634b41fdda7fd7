"""What is scored, on which data."""

from amc.tasks.classification import Classification
from amc.tasks.samples import Samples

__all__ = ["Classification", "Samples"]
