"""How far the search's score may be trusted: `amc trust`."""

from experiments.commands.trust.trusting import run, trust

__all__ = ["run", "trust"]
