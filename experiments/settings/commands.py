"""What the settings of every command tell of themselves.

The command line and its help are made from the classes of `preparation`, `search` and `use`, so
defaults stand in one place only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from experiments.settings.checked import Checked


@dataclass(frozen=True)
class CommandSettings(Checked):
    """What the settings of every command tell of themselves."""

    command: ClassVar[str]
    """As it is typed, and as journals name it."""
    section: ClassVar[str] = "Of this command"
    """Of help, for settings that are in no part."""
    first: ClassVar[tuple[str, ...]] = ()
    """Those that matter first, in the order of help."""
    reads_file: ClassVar[bool] = True
    """Whether there is --config."""
