"""PyTorch modules as the rest sees them: where channels lie, nested inputs, fused operations."""

from amc.modules import absent, kinds, operations, recurrent
from amc.modules.attention import narrow_attention, plain_attention, without_nested_tensors
from amc.modules.copying import (
    alias,
    copied,
    duplicate,
    forget_cached,
    unwrapped,
    without_weight_norms,
)
from amc.modules.fusing import ClampedConv2d, fold_norms, fuse_activations
from amc.modules.inputs import (
    Calls,
    Inputs,
    call,
    changed,
    first_call,
    in_double,
    other_calls,
    samples_of,
    shapes,
    tensors,
    with_samples,
)
from amc.modules.kinds import groups_of, known_kind, weight_of
from amc.modules.numbers import numbers_of, set_number
from amc.modules.operations import arguments, call_with, operation_name
from amc.modules.outputs import returning
from amc.modules.registering import register

__all__ = [
    "Calls",
    "ClampedConv2d",
    "Inputs",
    "absent",
    "alias",
    "arguments",
    "call",
    "call_with",
    "changed",
    "copied",
    "duplicate",
    "first_call",
    "fold_norms",
    "forget_cached",
    "fuse_activations",
    "groups_of",
    "in_double",
    "kinds",
    "known_kind",
    "narrow_attention",
    "numbers_of",
    "operation_name",
    "operations",
    "other_calls",
    "plain_attention",
    "recurrent",
    "register",
    "returning",
    "samples_of",
    "set_number",
    "shapes",
    "tensors",
    "unwrapped",
    "weight_of",
    "with_samples",
    "without_nested_tensors",
    "without_weight_norms",
]
