"""`amc prune`: a policy file on a network."""

from __future__ import annotations

from rich.console import Console

from experiments.commands.conclusion import conclude
from experiments.search import apply_policy
from experiments.settings import PruneSettings


def run(config: PruneSettings, console: Console) -> None:
    """What `amc prune` does."""
    conclude([apply_policy(config, console)], config.output, console)
