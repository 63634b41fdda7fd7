"""What of a network depends on what, as autograd's graph of one forward pass tells."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import Any

import torch
from torch import Tensor, nn

from amc.devices import right_gradients
from amc.modules import Inputs, alias, call, changed, plain_attention, tensors

Node = Any
"""Of autograd's graph: an operation, or a leaf."""

VARYING, CONSTANT, STORED = "varying", "constant", "stored"
"""Of a node: it depends on the inputs; on something that was made constant; on weights alone."""


@dataclass
class Ran:
    """What one module made in one forward pass.

    Attributes:
        nodes: That made its first output, one a call.
        shapes: Of its first output, one a call.
        read: Shape of the first tensor that it read, in the last call.
        sources: Nodes that made the tensors which it read, over all calls.
        returns: Length of the tuple that it returned; 0 for a tensor, -1 for anything else.
    """

    nodes: list[Node] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    read: tuple[int, ...] = ()
    sources: list[Node] = field(default_factory=list)
    returns: int = 0


@dataclass
class Dependence:
    """One forward pass.

    Attributes:
        ran: The modules in the order in which they ended, by name.
        outputs: Nodes that made what the network returned.
        returned: That, and what has no gradients.
        parameters: Of the network that ran.
        given: For every input that the outputs depend on, the nodes by which they do.
    """

    ran: dict[str, Ran]
    outputs: tuple[Node, ...]
    returned: tuple[Tensor, ...] = ()
    parameters: dict[str, nn.Parameter] = field(default_factory=dict)
    given: tuple[frozenset[Node], ...] = ()
    _sources: dict[Node, tuple[Node, ...]] = field(default_factory=dict, repr=False)

    def sources(self, node: Node) -> tuple[Node, ...]:
        """The nodes whose results this one reads."""
        found = self._sources.get(node)
        if found is None:
            found = tuple(one for one, _ in node.next_functions if one is not None)
            # Autograd makes another object of a node that nobody holds.
            self._sources[node] = found
        return found

    @cached_property
    def whole(self) -> set[Node]:
        """Nodes that the outputs depend on."""
        return self.reached()

    @cached_property
    def plain(self) -> dict[Node, str]:
        """What every node is where none is made constant; sources come before what reads them."""
        told: dict[Node, str] = {}
        waiting = list(self.outputs)
        while waiting:
            node = waiting[-1]
            if node in told:
                waiting.pop()
                continue
            before = self.sources(node)
            unknown = [one for one in before if one not in told]
            waiting += unknown
            if not unknown:
                told[node] = _told(node, {told[one] for one in before})
        return told

    @cached_property
    def readers(self) -> dict[Node, list[Node]]:
        """The nodes that read the result of each, of those that the outputs depend on."""
        found: dict[Node, list[Node]] = {node: [] for node in self.plain}
        for node in self.plain:
            for source in self.sources(node):
                found[source].append(node)
        return found

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        return tuple(self.plain)

    @cached_property
    def _order(self) -> dict[Node, int]:
        return {node: at for at, node in enumerate(self._nodes)}

    def slopes(self, model: nn.Module) -> dict[str, Tensor] | None:
        """Of each parameter that the outputs change with, how one random sum of them all does.

        None where there are no gradients. To be asked once, as what was kept for it is let go.

        Args:
            model: That ran.
        """
        each = {id(one): one for one in self.parameters.values()}
        chance = torch.Generator().manual_seed(0)
        try:
            with torch.enable_grad(), right_gradients(model):
                sums = [
                    (one.float() * torch.randn(one.shape, generator=chance).to(one.device)).sum()
                    for one in self.returned
                    if one.grad_fn is not None
                ]
                total = torch.stack(sums).sum()
                slopes = torch.autograd.grad(total, list(each.values()), allow_unused=True)
        except Exception:  # an operation of one's own may have no gradient
            return None
        known = dict(zip(each, slopes, strict=True))
        found = {name: known[id(one)] for name, one in self.parameters.items()}
        return {name: slope for name, slope in found.items() if slope is not None}

    @classmethod
    def of(cls, model: nn.Module, inputs: Inputs) -> Dependence:
        """Run a network with gradients, of which no parameter has any then."""
        model = alias(model, trained=True)
        ran: dict[str, Ran] = {}

        def note(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
                made, read = tensors(output), tensors((args, kwargs))
                if not made:
                    return
                own = ran.pop(name, Ran())  # to the end, where it ran last
                own.nodes.append(made[0].grad_fn)
                own.shapes.append(tuple(made[0].shape))
                own.read = tuple(read[0].shape) if read else ()
                own.sources += [one.grad_fn for one in read if one.grad_fn is not None]
                own.returns = _length(output)
                ran[name] = own

            return hook

        with torch.enable_grad(), plain_attention(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            handles = [
                module.register_forward_hook(note(name), with_kwargs=True)
                for name, module in model.named_modules()
                if name
            ]
            try:
                outputs = call(model, changed(inputs, _watched))
            finally:
                for handle in handles:
                    handle.remove()
        returned = tuple(tensors(outputs))
        every = model.named_parameters(remove_duplicate=False)
        parameters = {name: one for name, one in every if one.requires_grad}
        made = tuple(one.grad_fn for one in returned if one.grad_fn is not None)
        whole = [one for one in tensors(inputs) if not one.is_floating_point()]
        seen = cls(ran, made, returned, parameters)
        # At once, as what was looked up is let go with all else that gradients need.
        seen.given = _by_input(seen.plain, frozenset(map(_place, whole)))
        return seen

    def reached(self, cut: Collection[Node] = ()) -> set[Node]:
        """Nodes that the outputs depend on.

        Args:
            cut: Behind these nobody looks.
        """
        seen: set[Node] = set()
        waiting = list(self.outputs)
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += () if node in cut else self.sources(node)
        return seen

    def told(self, constant: Collection[Node]) -> ChainMap[Node, str]:
        """What every node is where some are made constant: what has changed, before the rest."""
        changed: dict[Node, str] = dict.fromkeys(constant, CONSTANT)
        plain, order = self.plain, self._order
        waiting = [order[reader] for node in changed for reader in self.readers[node]]
        heapify(waiting)
        while waiting:
            node = self._nodes[heappop(waiting)]
            if node in changed:
                continue
            kind = _told(node, {changed.get(one) or plain[one] for one in self.sources(node)})
            if kind != plain[node]:
                changed[node] = kind
                for reader in self.readers[node]:
                    heappush(waiting, order[reader])
        return ChainMap(changed, plain)


def operation(node: Node) -> str:
    """What a node does: "Add", "View"."""
    name: str = node.name()
    return name.partition("Backward")[0]


def _told(node: Node, before: Iterable[str]) -> str:
    variable = getattr(node, "variable", None)
    if variable is not None:
        return STORED if isinstance(variable, nn.Parameter) else VARYING
    if "Embedding" in node.name():
        return VARYING  # by what it looks up
    return next((kind for kind in (VARYING, CONSTANT) if kind in before), STORED)


def _watched(tensor: Tensor) -> Tensor:
    """Code may write into what it is given, which a leaf would refuse."""
    return tensor.detach().requires_grad_().clone() if tensor.is_floating_point() else tensor


def _by_input(nodes: Iterable[Node], looked_up: Collection[int]) -> tuple[frozenset[Node], ...]:
    """For every input the nodes that read it.

    Args:
        nodes: That the outputs depend on.
        looked_up: Where the inputs lie that are whole numbers.
    """
    leaves, tables = list[frozenset[Node]](), dict[int, set[Node]]()
    for node in nodes:
        variable = getattr(node, "variable", None)
        if variable is not None and not isinstance(variable, nn.Parameter):
            leaves.append(frozenset((node,)))
        indices = getattr(node, "_saved_indices", None)
        if isinstance(indices, Tensor) and (place := _place(indices)) in looked_up:
            tables.setdefault(place, set()).add(node)
    return (*leaves, *map(frozenset, tables.values()))


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _length(output: Any) -> int:
    if isinstance(output, Tensor):
        return 0
    return len(output) if type(output) is tuple else -1
