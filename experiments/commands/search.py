"""`amc search`: one strategy on one problem."""

from __future__ import annotations

from rich.console import Console

from experiments.commands.conclusion import conclude
from experiments.search import search, smallest
from experiments.settings import SearchSettings


def run(config: SearchSettings, console: Console) -> None:
    """What `amc search` does."""
    find = smallest if config.goal.asked else search
    conclude([find(config, console)], config.output, console)
