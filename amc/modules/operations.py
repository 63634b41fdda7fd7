"""PyTorch's operations as a dispatch mode sees them: their names, and their arguments by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

REDUCTIONS = {
    *("mean", "sum", "amax", "amin", "var", "std", "prod", "linalg_vector_norm", "norm"),
    *("logsumexp", "nansum", "any", "all", "max", "min", "median", "var_mean", "std_mean"),
}
"""Those that leave one number for all places along an axis."""

LAYER_NORMS = {"native_layer_norm", "layer_norm"}
BATCH_NORMS = {
    *("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"),
    *("_batch_norm_impl_index", "batch_norm", "cudnn_batch_norm"),
}
SOFTMAXES = {"_softmax", "_log_softmax", "softmax", "log_softmax"}
CONVOLUTIONS = {"convolution", "_convolution"}


UNCOUNTED = {
    *("_grouped_mm", "_scaled_grouped_mm", "addbmm", "mv", "addmv", "dot", "vdot", "addr"),
    *("_cdist_forward", "_trilinear", "_sparse_mm", "_fft_r2c", "_fft_c2r", "_fft_c2c"),
}
"""Those that multiply and that PyTorch's counter does not know."""

KNOWN = {"aten", "prim", "prims", "torchvision"}
"""Libraries of operations that are no kernels of somebody's own."""


def uncounted(function: Any) -> str:
    """The name of an operation that may multiply without being counted; empty for all others."""
    library, name = function._schema.name.split("::")
    if library not in KNOWN:
        return str(function._schema.name)
    linear = name.startswith("linalg_") and name.removesuffix("_") not in REDUCTIONS
    return operation_name(function) if linear or name in UNCOUNTED else ""


class Dispatching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode for networks that are not compiled."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else PyTorch loads its compiler, which takes seconds


def operation_name(function: Any) -> str:
    """Without the underscore of those that overwrite."""
    name: str = function._schema.name.split("::")[1]
    return name.removesuffix("_") if function._schema.is_mutable else name


def arguments(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What an operation was called with, by name; what was left out is at its default, if any."""
    known = function._schema.arguments
    given = {**dict(zip((one.name for one in known), args, strict=False)), **kwargs}
    for one in known:
        if one.has_default_value():
            given.setdefault(one.name, one.default_value)
    return given


def call_with(function: Any, given: Mapping[str, Any]) -> Any:
    """Call an operation with arguments by name, some of which have places in order only."""
    alone = {one.name for one in function._schema.arguments if one.kwarg_only}
    ordered = (value for key, value in given.items() if key not in alone)
    return function(*ordered, **{key: value for key, value in given.items() if key in alone})
