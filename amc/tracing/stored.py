"""Parameters and buffers that a network's own code reads, outside of the modules of known kinds.

Each of their axes has labels of its own, or those of the known module that the tensor belongs to.
What is computed from stored tensors alone keeps them. Where such a tensor meets one that depends on
the network's inputs, only the axes count along which that one has labels: positions are added to
channels, and nothing is known of places.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from torch import Tensor, nn

from amc.graph import Side
from amc.modules import kinds, operations
from amc.tracing.labels import align, along, varying
from amc.tracing.module_rules import ModuleRules
from amc.tracing.work import MATRICES

PRODUCTS = {*MATRICES, *operations.CONVOLUTIONS, "matmul", "embedding"}
"""Operations in which an axis of a stored tensor becomes one of the result."""


class Stored:
    """Which tensors are stored or computed from stored ones, during one forward pass.

    Args:
        model: The network.
        rules: That know the labels of its modules.
    """

    def __init__(self, model: nn.Module, rules: ModuleRules) -> None:
        self._model, self._rules, self._flow = model, rules, rules.flow
        self._owners: dict[int, list[str]] = defaultdict(list)
        parameters = model.named_parameters(remove_duplicate=False)
        for name, tensor in (*parameters, *model.named_buffers(remove_duplicate=False)):
            if tensor.is_floating_point():
                self._owners[id(tensor)].append(name)
        self._dynamic: dict[int, Tensor] = {}
        self._layers: dict[int, str] = {}
        self._sources: dict[int, tuple[int, str]] = {}

    def note_dynamic(self, tensor: Tensor) -> None:
        """The tensor depends on the network's inputs."""
        self._dynamic[id(tensor)] = tensor

    def is_dynamic(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the network's inputs."""
        return id(tensor) in self._dynamic

    def label(self, tensor: Tensor) -> None:
        """Give a stored tensor its labels, when it is first met."""
        names = self._owners.get(id(tensor))
        if names is None or self._flow.knows(tensor) or not tensor.dim():
            return
        for name in names:
            owner, _, key = name.rpartition(".")
            if kinds.has_channels(module := self._model.get_submodule(owner)) and (
                key in kinds.tensors_of(module)
            ):
                self._label_of_module(owner, module, key, tensor)
                return
        self._flow.label(tensor, self._of_axes(names[0], tensor))
        if tensor.dim() > 1:
            self._sources[id(tensor)] = (tensor.numel(), names[0])

    def unread(self) -> list[str]:
        """Names of parameters of several numbers that nothing has read, of no known module."""
        return [
            name
            for name, tensor in self._model.named_parameters()
            if tensor.is_floating_point() and tensor.numel() > 1 and not self._flow.knows(tensor)
            if not kinds.has_channels(self._model.get_submodule(name.rpartition(".")[0]))
        ]

    def _label_of_module(self, name: str, module: nn.Module, key: str, tensor: Tensor) -> None:
        planes = []
        for axis, side in enumerate(kinds.roles(module, key)):
            if side is not None:
                # A grouped convolution's weight has the inputs of one group; all lose the same.
                labels = self._rules.labels(name, module, side)[: tensor.shape[axis]]
                if len(labels) > 1:
                    planes.append(along(labels, axis, tensor.dim()))
        self._flow.label(tensor, planes)
        if tensor is kinds.weight_of(module):
            self._layers[id(tensor)] = name

    def _of_axes(self, name: str, tensor: Tensor) -> Iterator[Tensor]:
        for axis, size in enumerate(tensor.shape):
            if size > 1:
                labels = self._flow.atoms.fresh(size)
                self._flow.elements[name, axis] = labels
                yield along(labels, axis, tensor.dim())

    @contextmanager
    def weakened(self, operation: str, operands: list[Tensor]) -> Iterator[None]:
        """Within, stored operands have labels only along axes where the others have some."""
        moving = [tensor for tensor in operands if id(tensor) in self._dynamic]
        still = [tensor for tensor in operands if id(tensor) not in self._dynamic]
        if not moving or operation in PRODUCTS or "scaled_dot_product" in operation:
            yield
            return
        axes = max(tensor.dim() for tensor in operands)
        taken = {
            axis
            for tensor in moving
            for plane in self._flow.planes(tensor)
            for axis in varying(align(plane, axes))
        }
        before = [(tensor, self._flow.planes(tensor)) for tensor in still]
        for tensor, planes in before:
            if planes:
                left = [plane for plane in planes if varying(align(plane, axes)) & taken]
                self._flow.label(tensor, left)
        try:
            yield
        finally:
            for tensor, planes in before:
                if planes:
                    self._flow.label(tensor, planes)

    def note_result(self, operands: Iterable[Tensor], out: Iterable[Tensor]) -> None:
        """Whether an operation's results depend on the network's inputs, and whose weight it is."""
        given = list(operands)
        if any(id(tensor) in self._dynamic for tensor in given):
            for tensor in out:
                self.note_dynamic(tensor)
            return
        sources = [self._sources[id(one)] for one in given if id(one) in self._sources]
        for tensor in out if sources else ():
            self._sources[id(tensor)] = max(sources)
            self._keep(tensor)
        layers = {self._layers[id(one)] for one in given if id(one) in self._layers}
        if len(layers) == 1 and len(given) == 1:
            for tensor in out:
                self._layers[id(tensor)] = next(iter(layers))
                self._keep(tensor)

    def layer_of(self, operands: Iterable[Tensor]) -> str:
        """The known module whose weight, or a view or part of it, is among these; or empty."""
        return next((self._layers[id(one)] for one in operands if id(one) in self._layers), "")

    def source_of(self, operands: Iterable[Tensor]) -> str:
        """The tensor of no known module that one of these is computed from; or empty."""
        found = (self._sources[id(one)] for one in operands if id(one) in self._sources)
        return max(found, default=(0, ""))[1]

    def reads(self, module: nn.Module, operands: Iterable[Tensor]) -> bool:
        """Whether the module's weight itself, or a view of it, is among these."""
        place = kinds.weight_of(module).untyped_storage()._cdata
        return any(one.untyped_storage()._cdata == place for one in operands)

    def tie_shared(self) -> None:
        """Modules that share a tensor lose the same of it."""
        for names in self._owners.values():
            sides: list[list[tuple[str, Side]]] = []
            for name in names:
                owner, _, key = name.rpartition(".")
                module = self._model.get_submodule(owner)
                if kinds.has_channels(module) and key in kinds.tensors_of(module):
                    roles = kinds.roles(module, key)
                    sides.append([(owner, side) for side in roles if side is not None])
            for first, other in pairwise(sides):
                for one, two in zip(first, other, strict=True):
                    self._tie(one, two)

    def _tie(self, one: tuple[str, Side], other: tuple[str, Side]) -> None:
        elements = self._flow.elements
        if one in elements and other in elements:
            self._flow.atoms.tie(elements[one], elements[other])

    def _keep(self, tensor: Tensor) -> None:
        """So that its id stays its own."""
        if not self._flow.knows(tensor):
            self._flow.label(tensor, ())
