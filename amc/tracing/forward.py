"""What is known of a network after its channels were followed through one forward pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from torch import Tensor

from amc.tracing.flow import Flow
from amc.tracing.work import Work

CHOOSING = frozenset(("topk", "sort", "argsort", "nms", "nonzero", "_unique2"))
"""Operations after which a number that is hardly another one may change everything."""


@dataclass
class Call:
    """What was seen of a module during the forward pass.

    Attributes:
        in_size: Size of its first input, without batch and channels.
        positions: Places per sample that every weight is multiplied at, over all of its calls.
        read: Places per sample of what it reads.
        written: Places per sample of what it makes.
        times: How often it ran.
        across: Labels along the one other axis of its input that has some.
        tensor: Name of the weight, where no known module has it.
    """

    in_size: tuple[int, ...]
    positions: float = 0
    read: float = 0
    written: float = 0
    times: int = 0
    across: Tensor | None = None
    tensor: str = ""


@dataclass
class Trace:
    """A forward pass that has been followed.

    Attributes:
        flow: Which channels meet.
        calls: The modules of known kinds, in the order they first ran.
        norms: For each module whose output only a batch norm reads, that norm.
        activations: The same for those that PyTorch can let overwrite their input.
        overwriting: Activations that may overwrite their input, as nothing else reads it.
        outputs: The tensors that the network returned.
        batch: Samples.
        in_training: Modules of known kinds that ran in training alone.
        silent: Those that did not run at all.
        work: Products outside of the modules of known kinds.
        written: Numbers that operations made, by those that multiply without being counted; all
            others by an empty name.
        computed: Modules of known kinds that compute their weight before they multiply with it.
        inside: Multiply-accumulates of all samples inside of each module of a known kind.
    """

    flow: Flow = field(default_factory=Flow)
    calls: dict[str, Call] = field(default_factory=dict)
    norms: dict[str, str] = field(default_factory=dict)
    activations: dict[str, str] = field(default_factory=dict)
    overwriting: tuple[str, ...] = ()
    outputs: list[Tensor] = field(default_factory=list)
    batch: int = 1
    in_training: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    written: Counter[str] = field(default_factory=Counter)
    computed: set[str] = field(default_factory=set)
    inside: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def uncounted(self) -> tuple[tuple[str, float], ...]:
        """Operations that multiply without being counted, with their part of all numbers made."""
        whole = sum(self.written.values())
        found = ((name, count / whole) for name, count in self.written.items() if name)
        return tuple(sorted(found, key=lambda one: -one[1]))

    @property
    def chooses(self) -> bool:
        """Whether code sorts or selects by what it computed."""
        return not CHOOSING.isdisjoint(self.flow.calls)

    def over(self, name: str) -> str:
        """The module whose output channels are places of this one; empty for none."""
        across = self.calls[name].across
        if across is None:
            return ""
        wanted = self._roots(across)
        made = (
            other
            for (other, side), ids in self.flow.elements.items()
            if side == "out" and other in self.calls and len(ids) == len(wanted)
            if self._roots(ids) == wanted
        )
        return next(made, "")

    def _roots(self, labels: Tensor) -> list[int]:
        return [self.flow.atoms.find(label) for label in labels.long().tolist()]
