"""Pruned networks in formats that others read."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from amc.masks import plain_copy
from amc.policy import Policy

BATCH_NAME = "batch"


def save_torch(model: nn.Module, policy: Policy, path: Path) -> None:
    """Weights as safetensors, with the policy as JSON in the file's metadata.

    To load: build the unpruned network, `prune` it by the policy, load the state dict. Masks are
    written as plain zeros: such a file is a state dict of the unpruned network itself.
    """
    plain = plain_copy(model).state_dict()
    state = {name: tensor.contiguous() for name, tensor in plain.items()}
    save_file(state, path, metadata={"policy": policy.to_json()})


def save_onnx(model: nn.Module, example: Tensor, path: Path) -> None:
    """An ONNX file with a dynamic batch, weights inside.

    Args:
        model: In any mode; exported in evaluation mode and left as it is.
        example: (batch, ...) input.
        path: File to write.

    Raises:
        ImportError: if the extra `onnx` is not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise ImportError(
            "ONNX export needs packages that are not here; pip install onnx onnxscript onnxruntime"
        ) from None
    # A batch of one would be taken for a constant.
    inputs = torch.cat([example, example])
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                plain_copy(model).eval(),
                (inputs,),
                path,
                input_names=["input"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim(BATCH_NAME)},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        quiet.setLevel(level)
