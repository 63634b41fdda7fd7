"""Pruned networks in formats that others read."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amc.graph import Group, PruningGraph
from amc.modules import Inputs, duplicate
from amc.policy import Policy
from amc.pruning import decisions, kept_counts, plain_copy
from amc.surgery import cut
from amc.weights import read_weights, save_weights, set_weights

BATCH_NAME = "batch"
POLICY_KEY = "policy"
"""What the metadata of a file call the policy that its network was pruned by."""

MARGIN = 0.01
"""Units by which a ratio for others is short, so that rounding down finds the kept count."""


def save_pruned(model: nn.Module, policy: Policy, path: str | os.PathLike[str]) -> None:
    """Weights as safetensors, with the policy as JSON in the file's metadata.

    Masks are written as plain zeros, so that such a file is a state dict of the unpruned network
    itself. `load_pruned` reads it.

    Args:
        model: The pruned network.
        policy: What it was pruned by.
        path: File to write.
    """
    save_weights(plain_copy(model), Path(path), {POLICY_KEY: policy.to_json()})


def load_pruned(
    model: nn.Module,
    example_inputs: Inputs,
    path: str | os.PathLike[str],
    policy: Policy | None = None,
) -> nn.Module:
    """A pruned network from its file; it needs no criterion, no data and no trained weights.

    Args:
        model: The unpruned network, with any weights; it is left untouched.
        example_inputs: As `amc.trace` takes them.
        path: What `save_pruned` wrote, such as the `model.safetensors` of a run.
        policy: How many units of each group the file has; None takes the policy inside the file.

    Returns:
        In evaluation mode. Masks are plain zeros; where no channels were cut it is of full size.

    Raises:
        FileNotFoundError: if there is no such file.
        PolicyError: if the policy is for another network; names the first difference.
        ValueError: if it is not such a file, or its tensors do not fit; names the first difference.
    """
    source = Path(path)
    state, metadata = read_weights(source)
    if policy is None and POLICY_KEY not in metadata:
        raise ValueError(
            f"{source}: has no policy inside; `amc export RUN --format torch` writes one that has"
        )
    policy = policy or Policy.from_json(metadata[POLICY_KEY], str(source))
    network = _shape_like(model, policy, example_inputs)
    set_weights(network, state, source, "the network cut by its policy")
    return network.eval()


def _shape_like(model: nn.Module, policy: Policy, example_inputs: Inputs) -> nn.Module:
    """A copy of the shapes that the policy gives; which units stay does not change them."""
    graph = decisions(model, example_inputs, policy.granularity, policy.exclude)
    kept = kept_counts(policy, graph)
    if not policy.granularity.cuts:
        return duplicate(model)
    channels = kept[: len(graph.channels.groups)]
    return cut(model, graph.channels, tuple(tuple(range(count)) for count in channels))


def channel_ratios(graph: PruningGraph, kept: tuple[int, ...]) -> dict[str, float]:
    """Pruning ratios of single layers, as torch-pruning's `pruning_ratio_dict` takes them.

    Every layer that makes the channels of a group is named, because any of them may be the one
    that its pruner looks up. Ratios are short by `MARGIN` of a channel: its pruner keeps
    int(channels * (1 - ratio)), which a float just below a whole number would make one too few.

    Args:
        graph: At granularity "channel".
        kept: Units that stay, per group.

    Returns:
        The ratio of output channels removed, in [0, 1), by the layer's name, in forward order.
        Groups of attention heads are left out: its pruner has settings of its own for them.

    Raises:
        ValueError: at other granularities, or where whole branches go.
    """
    if graph.granularity.masks:
        raise ValueError(
            f"torch-pruning removes whole channels, and this policy sets weights to zero "
            f"(granularity {graph.granularity}); export it as json"
        )
    ended = zip(graph.branches, graph.ended(kept), strict=True)
    if gone := [branch.name for branch, out in ended if out]:
        raise ValueError(
            f"torch-pruning takes no whole branches out, and this policy does ({gone[0]}); export "
            "it as json"
        )
    outputs, _ = graph.widths(kept)
    names = {name for group in graph.groups if not _heads(graph, group) for name in group.layers}
    return {
        layer.name: max(0.0, round(1 - (count + MARGIN) / layer.outputs, 9))
        for layer, count in zip(graph.layers, outputs.tolist(), strict=True)
        if layer.name in names and layer.kind != "own"
    }


def _heads(graph: PruningGraph, group: Group) -> bool:
    """Whether units are no single channels, nor one place in each of equal parts of them."""
    for member in group.members:
        if member.side == "out" and member.module in group.layers:
            part = graph.layers[graph.layer_index[member.module]].outputs // len(member.indices[0])
            if any(len({index % part for index in unit}) > 1 for unit in member.indices):
                return True
    return bool(group.attributes)


def save_onnx(model: nn.Module, example: Tensor, path: Path) -> None:
    """An ONNX file with a dynamic batch, weights inside.

    Args:
        model: In any mode; exported in evaluation mode and left as it is.
        example: (batch, ...) input.
        path: File to write.

    Raises:
        ImportError: if the extra `onnx` is not installed.
    """
    # A batch of one would be taken for a constant.
    inputs = torch.cat([example, example])
    batch = ({0: torch.export.Dim(BATCH_NAME)},)
    _export(model, (inputs,), path, input_names=["input"], dynamic_shapes=batch)


def onnx_model(model: nn.Module, inputs: Inputs) -> Any:
    """The network as an `onnx.ModelProto` in which every shape is a number.

    Args:
        model: In any mode; exported in evaluation mode and left as it is.
        inputs: Of its forward pass; their shapes are those of the model.

    Raises:
        ImportError: if the extra `onnx` is not installed.
    """
    named = inputs if isinstance(inputs, Mapping) else {}
    plain = () if named else inputs if isinstance(inputs, tuple) else (inputs,)
    return _export(model, plain, None, kwargs=dict(named)).model_proto


def _export(model: nn.Module, args: tuple[Any, ...], path: Path | None, **options: Any) -> Any:
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise ImportError(
            "ONNX export needs packages that are not here; pip install onnx onnxscript onnxruntime"
        ) from None
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.onnx.export(
                plain_copy(model).eval(),
                args,
                path,
                output_names=["logits"],
                dynamo=True,
                external_data=False,
                verbose=False,
                **options,
            )
    finally:
        quiet.setLevel(level)
