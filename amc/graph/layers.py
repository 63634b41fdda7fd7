"""Layers, and the words for what stays of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kept = tuple[int, ...]
"""Units that stay, per group."""

KeptUnits = tuple[tuple[int, ...], ...]
"""For each group, which units stay, ascending."""

Indices = tuple[tuple[int, ...], ...]
"""For each unit of a group, the places that it takes along one axis."""

NUMBER_BYTES = 4
"""Of a floating-point number, wherever bytes are counted."""

Side = Literal["out", "in"]
SIDES: tuple[Side, Side] = ("out", "in")


@dataclass(frozen=True)
class Layer:
    """A convolution, linear layer, norm or embedding, with what its costs need.

    Args:
        name: Dotted name of the module.
        kind: "conv", "linear", "norm" (which has weights for each channel alone, slopes of a PReLU
            among them), "embedding" (whose inputs are the words that it knows), or "own" (a weight
            that a module's own code multiplies with, or a recurrent layer; its numbers and work
            stand in the graph's loose tensors and products).
        outputs: n, output channels.
        inputs: c, input channels.
        groups: Of a grouped convolution; 1 elsewhere.
        kernel: Size along each axis; empty for linear layers and norms.
        stride: Along each axis; empty for linear layers and norms.
        in_size: Spatial size of the input, without batch and channels.
        positions: Positions per sample that every weight is multiplied at, summed over the calls of
            a shared module: of the output, of a transposed convolution's input; 0 for an embedding.
            Where `over` is set, for each output channel of that layer.
        over: Name of the layer whose channels are places of this one (a mixer's layers over places
            run once for each channel); empty for none.
        area: Weights for each pair of an output and an input that it reads: k x k, or 1 for a
            linear layer, or 0 for a norm.
        extra: Weights for each output alone: a bias, or a norm's scale and shift.
        statistics: Numbers for each output alone that are stored and no weights: running means and
            variances.
        read: Places per sample of what it reads, of each input channel; counted as `positions` are.
        written: The same of what it makes, of each output channel.
        norm: Name of the batch norm that alone reads this layer's output, if there is one.
        activation: The same of an activation that PyTorch can let overwrite its input.
        extra_inputs: Weights for each input alone: lengths, of a transposed convolution's norm.
        shared: Its weights are stored once with those of a layer before it.
        computed: It multiplies with a weight that it computes from the stored one.
    """

    name: str
    kind: Literal["conv", "linear", "norm", "embedding", "own"]
    outputs: int
    inputs: int
    groups: int = 1
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    in_size: tuple[int, ...] = ()
    positions: float = 0
    area: int = 0
    extra: int = 0
    norm: str | None = None
    over: str = ""
    statistics: int = 0
    read: float = 0
    written: float = 0
    activation: str | None = None
    extra_inputs: int = 0
    shared: bool = False
    computed: bool = False

    @property
    def depthwise(self) -> bool:
        """One filter per channel, so that outputs and inputs go together."""
        return self.one_by_one and self.inputs == self.outputs

    @property
    def one_by_one(self) -> bool:
        """A grouped convolution in which a filter reads one channel; it may make several of it."""
        return self.groups > 1 and self.groups == self.inputs

    @property
    def weights(self) -> int:
        """Weights that connect inputs to outputs, without biases; 0 for a norm."""
        return self.area * self.outputs * (self.inputs // self.groups)
