"""Parts of a network that may go as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amc.graph.amounts import Width


def lies_in(name: str, module: str) -> bool:
    """Whether a module, or a tensor, is a module or lies in it; all by dotted names."""
    return name == module or name.startswith(f"{module}.")


@dataclass(frozen=True)
class Branch:
    """A part of the network that is gone where any of its groups keeps nothing.

    Whoever read what it made then reads a constant: what the biases behind the groups come to.

    Args:
        name: The module in whose place the constant stands.
        groups: By their place in the graph; any of them at 0 ends the branch.
        within: All groups that go with it.
        layers: Layers that are gone then.
        reader: The layer that reads the group before the end: the constant begins with its bias.
        behind: Modules behind it that make the constant of that, in order.
        width: Numbers of the constant: the reader's output channels.
        form: "constant" where a tensor of one place will do, "filled" where it must have all places
            of what the module reads, "bypass" where the module adds the branch to something else
            and does that alone from now on.
        axis: Of the constant's channels, from the last.
        axes: Of the constant.
        returns: Of a module that returns a tuple, its length; 0 elsewhere. The constant comes
            first, nothing behind it.
        passing: Modules that hand on what they read, with the lengths of the tuples they return.
        shortcut: Of a bypass, the module inside of it that the rest goes through; empty for none.
        activation: Of a bypass, the module inside of it that runs last, "relu()" for the function;
            empty for none.
        other_params: Parameters that are gone as well, outside of `layers` and of loose tensors.
        other_bytes: Bytes of all that is, as the graph's `other_bytes` counts them.
    """

    name: str
    groups: tuple[int, ...]
    within: tuple[int, ...]
    layers: tuple[str, ...]
    reader: str
    behind: tuple[str, ...]
    width: Width
    form: Literal["constant", "filled", "bypass"]
    axis: int
    axes: int
    returns: int = 0
    passing: tuple[tuple[str, int], ...] = ()
    shortcut: str = ""
    activation: str = ""
    other_params: int = 0
    other_bytes: int = 0

    def covers(self, name: str) -> bool:
        """Whether a module, or a tensor in one, is gone with the branch.

        Args:
            name: Dotted.
        """
        gone = lies_in(name, self.name) or any(lies_in(name, outer) for outer, _ in self.passing)
        return gone and not (self.shortcut and lies_in(name, f"{self.name}.{self.shortcut}"))
