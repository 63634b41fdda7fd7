"""PyTorch modules as the rest sees them: where channels lie, nested inputs, fused operations."""

from amc.modules import kinds
from amc.modules.attention import narrow_attention
from amc.modules.fusing import ClampedConv2d, fold_norms, fuse_activations
from amc.modules.inputs import Inputs, call, shapes, tensors
from amc.modules.kinds import groups_of, known_kind, weight_of

__all__ = [
    "ClampedConv2d",
    "Inputs",
    "call",
    "fold_norms",
    "fuse_activations",
    "groups_of",
    "kinds",
    "known_kind",
    "narrow_attention",
    "shapes",
    "tensors",
    "weight_of",
]
