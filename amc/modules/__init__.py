"""PyTorch modules as the rest sees them: where channels lie, nested inputs, fused operations."""

from amc.modules import kinds
from amc.modules.attention import narrow_attention, plain_attention
from amc.modules.copying import duplicate, unwrapped, without_weight_norms
from amc.modules.fusing import ClampedConv2d, fold_norms, fuse_activations
from amc.modules.inputs import Inputs, call, changed, in_double, samples_of, shapes, tensors
from amc.modules.kinds import groups_of, known_kind, weight_of

__all__ = [
    "ClampedConv2d",
    "Inputs",
    "call",
    "changed",
    "duplicate",
    "fold_norms",
    "fuse_activations",
    "groups_of",
    "in_double",
    "kinds",
    "known_kind",
    "narrow_attention",
    "plain_attention",
    "samples_of",
    "shapes",
    "tensors",
    "unwrapped",
    "weight_of",
    "without_weight_norms",
]
