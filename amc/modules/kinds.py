"""The kinds of modules whose channels are known: where they lie, and which numbers say how many.

Tracing, surgery, costs and the refit all read this one table. A module that is not in it is
followed operation by operation; its own parameters are left alone.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from amc.graph import Side

Roles = tuple[Side | None, ...]
"""What lies along the first axes of a tensor: output channels, input channels, or neither."""


@dataclass(frozen=True)
class Kind:
    """What is known of a type of module.

    Args:
        layer: What a `Layer` calls it.
        weight: What lies along the first axes of its weight. Where there are two and the module
            has groups, the second axis holds the channels of one group.
        outputs: Name of the attribute that says how many output channels it has; empty where only
            the weight says so.
        inputs: The same of its input channels; empty where those are the outputs.
        axes: How many axes of its inputs follow the channels; None where the channels are axis 1.
        mixes: Whether channels are normalised together, so that a channel of zeros matters.
        declared: Of a module that somebody declared (`amc.register`), its parameters and buffers
            with a number, or more, for each channel, and the axis of the channels in each.
    """

    layer: Literal["conv", "linear", "norm", "embedding"]
    weight: Roles
    outputs: str
    inputs: str = ""
    axes: int | None = 0
    mixes: bool = False
    declared: tuple[tuple[str, int], ...] = ()


LINEAR = Kind("linear", ("out", "in"), "out_features", "in_features")
SWAPPED_LINEAR = Kind("linear", ("in", "out"), "nf", "nx")
EMBEDDING = Kind("embedding", ("in", "out"), "embedding_dim", "num_embeddings")
ATTENTION = Kind("linear", ("out", "in"), "embed_dim", "embed_dim")
NORM = Kind("norm", ("out",), "num_features", axes=None)
GROUP_NORM = Kind("norm", ("out",), "num_channels", axes=None, mixes=True)
LAYER_NORM = Kind("norm", ("out",), "normalized_shape", mixes=True)
OWN_NORM = Kind("norm", ("out",), "", mixes=True)
SLOPES = Kind("norm", ("out",), "num_parameters", axes=None)


def _conv(axes: int, *, transposed: bool) -> Kind:
    weight: Roles = ("in", "out") if transposed else ("out", "in")
    return Kind("conv", weight, "out_channels", "in_channels", axes)


TABLE: tuple[tuple[type[nn.Module], Kind], ...] = (
    (nn.ConvTranspose1d, _conv(1, transposed=True)),
    (nn.ConvTranspose2d, _conv(2, transposed=True)),
    (nn.ConvTranspose3d, _conv(3, transposed=True)),
    (nn.Conv1d, _conv(1, transposed=False)),
    (nn.Conv2d, _conv(2, transposed=False)),
    (nn.Conv3d, _conv(3, transposed=False)),
    (nn.Linear, LINEAR),
    (nn.Embedding, EMBEDDING),
    (nn.MultiheadAttention, ATTENTION),
    (nn.modules.batchnorm._NormBase, NORM),  # batch and instance norms
    (nn.GroupNorm, GROUP_NORM),
    (nn.LayerNorm, LAYER_NORM),
    (nn.RMSNorm, LAYER_NORM),
    (nn.PReLU, SLOPES),
)
"""The first type that a module is an instance of decides."""

REGISTERED: dict[type[nn.Module], Kind] = {}
"""What users declared of types of their own; it comes before the table."""


def kind_of(module: nn.Module) -> Kind | None:
    """What is known of `module`; None for everything else."""
    registered = _registered(type(module))
    if registered is not None:
        return registered
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf") and hasattr(module, "nx"):
        return SWAPPED_LINEAR  # the linear layer of GPT-2 in the transformers package
    if _is_own_norm(module):
        return OWN_NORM
    own: Any = type(module)
    found = _entry(own)
    several = len(getattr(module, "normalized_shape", (0,))) > 1
    packed = found is not ATTENTION or module.in_proj_weight is not None
    return found if packed and not several else None


def _registered(kind_type: type[nn.Module]) -> Kind | None:
    """What was declared of a type, or of one that it inherits from."""
    found = (REGISTERED[one] for one in kind_type.__mro__ if one in REGISTERED)
    return next(found, None) if REGISTERED else None


@cache
def _entry(kind_type: type[nn.Module]) -> Kind | None:
    """What the table says of a type."""
    return next((kind for listed, kind in TABLE if issubclass(kind_type, listed)), None)


def _is_own_norm(module: nn.Module) -> bool:
    """Whether this is an RMS norm of a package's own, as most language models have."""
    named = type(module).__name__.endswith(("RMSNorm", "T5LayerNorm"))
    if not named or isinstance(module, nn.RMSNorm):
        return False
    own = dict(module.named_parameters())
    return own.keys() == {"weight"} and own["weight"].dim() == 1


PICTURES = 4
"""Axes of pictures: samples, channels, rows and columns."""

HOOKS = frozenset(key for key in vars(nn.Module()) if key.endswith("_hooks"))
"""Where a module has its hooks."""


def as_it_came(module: nn.Module) -> bool:
    """Whether this is one of PyTorch's own modules, and does nothing but what it says.

    Not one of another class, with hooks, with a forward pass of its own, or with modules inside.
    """
    own = vars(module)
    return (
        type(module).__module__.startswith("torch.nn.modules.")
        and "forward" not in own
        and not module._modules
        and not any(own[key] for key in HOOKS)
    )


def computes(module: nn.Module) -> bool:
    """Whether a convolution's or linear layer's forward pass is not PyTorch's own.

    It may then compute another weight first.
    """
    kind, written = kind_of(module), str(getattr(type(module).forward, "__module__", ""))
    multiplies = kind is not None and kind.layer in ("conv", "linear") and kind is not ATTENTION
    return multiplies and not written.startswith("torch.")


def has_channels(module: nn.Module) -> bool:
    """Whether the module is in the table, and none that treats all channels alike."""
    shared = isinstance(module, nn.PReLU) and module.num_parameters == 1
    return kind_of(module) is not None and not shared


def channels(module: nn.Module, side: Side) -> int:
    """How many channels a module of the table has on one side."""
    kind = known_kind(module)
    if kind.declared and not kind.outputs:
        key, axis = kind.declared[0]
        return int(attrgetter(key)(module).shape[axis])
    if kind in (ATTENTION, OWN_NORM):
        return int(weight_of(module).shape[0 if side == "out" else -1])
    value = getattr(module, kind.inputs if side == "in" and kind.inputs else kind.outputs)
    return int(value[0] if isinstance(value, tuple) else value)


def known_kind(module: nn.Module) -> Kind:
    """What is known of a module that is in the table."""
    kind = kind_of(module)
    if kind is None:
        raise TypeError(f"a {type(module).__name__} is not in the table of kinds; leave it alone")
    return kind


def weight_of(module: nn.Module) -> Any:
    """The weight of a module of the table; None for a norm without one."""
    return getattr(module, "in_proj_weight" if kind_of(module) is ATTENTION else "weight", None)


def groups_of(module: nn.Module) -> int:
    """Groups of a convolution; 1 elsewhere."""
    return int(getattr(module, "groups", 1)) if known_kind(module).layer == "conv" else 1


def channelwise(module: nn.Module) -> bool:
    """Whether each output channel reads the input channel at its own place, and no other."""
    if known_kind(module).layer == "norm":
        return True
    groups = groups_of(module)
    return groups > 1 and groups == channels(module, "out") == channels(module, "in")


def multiplies(module: nn.Module) -> bool:
    """Whether each input channel is read alone, and several output channels are made of it."""
    groups = groups_of(module)
    return groups > 1 and groups == channels(module, "in") < channels(module, "out")


def parts(module: nn.Module) -> int:
    """Equal parts that the channels are divided into and that must stay equal."""
    if isinstance(module, nn.GroupNorm):
        return 1 if module.num_groups == module.num_channels else module.num_groups
    return 1 if channelwise(module) or multiplies(module) else groups_of(module)


def channel_axis(module: nn.Module, shape: tuple[int, ...]) -> int:
    """The axis of inputs or outputs of this shape along which the channels lie."""
    axes = known_kind(module).axes
    first = axes is None or getattr(module, "data_format", "") == "channels_first"
    # Norms of a package's own over the channels of pictures, as timm has them.
    first |= axes == 0 and len(shape) == PICTURES and type(module).__name__.endswith("Norm2d")
    return 1 if first else len(shape) - 1 - (axes or 0)


@dataclass(frozen=True)
class WeightNorm:
    """A weight that is computed from its lengths and its directions.

    Args:
        lengths: Name of the parameter that holds them, 1 along all axes but one.
        directions: The same, in the shape of the weight.
        axis: That the lengths lie along: of the first channels, or of a kernel's places.
    """

    lengths: str
    directions: str
    axis: int


def weight_norm_of(module: nn.Module) -> WeightNorm | None:
    """How PyTorch's weight norm, by parametrization or by the older hook, computes a weight.

    None where nothing or something else does.
    """
    found = None
    if is_parametrized(module, "weight"):
        (first, *others) = getattr(module.parametrizations, "weight")  # noqa: B009
        if type(first).__name__ == "_WeightNorm" and not others:
            where = "parametrizations.weight"
            found = (f"{where}.original0", f"{where}.original1")
    elif {"weight_g", "weight_v"} <= module._parameters.keys():
        found = ("weight_g", "weight_v")
    if found is None:
        return None
    lengths, weight = (attrgetter(name)(module) for name in found)
    if lengths.dim() != weight.dim():
        return None
    # The second axis may hold the channels of one group, whose lengths others share.
    axes = (at for at in range(weight.dim()) if at != 1 and lengths.numel() == lengths.shape[at])
    axis = next((at for at in axes if lengths.shape[at] == weight.shape[at]), None)
    return None if axis is None else WeightNorm(*found, axis)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a module that have a channel axis."""
    own = {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers())}
    if norm := weight_norm_of(module):
        names = (norm.lengths, norm.directions)
        own.update({name: attrgetter(name)(module) for name in names})
    own.update({key: attrgetter(key)(module) for key, _ in known_kind(module).declared})
    return {key: tensor for key, tensor in own.items() if tensor.dim() > 0}


def roles(module: nn.Module, key: str) -> Roles:
    """What lies along the first axes of one tensor of the module."""
    if declared := dict(known_kind(module).declared):
        return (*(None,) * declared[key], "out") if key in declared else ()
    tensor = attrgetter(key)(module)
    if tensor.dim() == 1 or _is_gain(module, key, tensor):
        return ("out",)
    norm = weight_norm_of(module)
    if norm is not None and key == norm.lengths:
        return known_kind(module).weight[:1] if norm.axis == 0 else ()
    alone = channelwise(module) or multiplies(module)
    return ("out", None) if alone else known_kind(module).weight


def _is_gain(module: nn.Module, key: str, tensor: Tensor) -> bool:
    """Whether this parameter of a module's own class has a number for each output channel."""
    known = {"weight", "in_proj_weight", "weight_g", "weight_v"}
    if key in known or key not in module._parameters or not tensor.dim():
        return False
    return tensor.numel() == len(tensor) == channels(module, "out") > 1


def extra(module: nn.Module) -> int:
    """Weights for each output channel alone."""
    if known_kind(module).declared:
        return _declared(module, dict(module.named_parameters()))
    own = dict(module.named_parameters(recurse=False))
    gains = (tensor.dim() == 1 or _is_gain(module, key, tensor) for key, tensor in own.items())
    return _lengths_along(module, "out") + sum(gains)


def extra_inputs(module: nn.Module) -> int:
    """Weights for each input channel alone."""
    return int(_lengths_along(module, "in"))


def _lengths_along(module: nn.Module, side: Side) -> bool:
    norm = weight_norm_of(module)
    return norm is not None and norm.axis == 0 and known_kind(module).weight[0] == side


def statistics(module: nn.Module) -> int:
    """Stored buffers with a number for each output channel."""
    if known_kind(module).declared:
        stored_buffers = module.state_dict().keys() & dict(module.named_buffers()).keys()
        return _declared(module, stored_buffers)
    stored = module.state_dict().keys() & dict(module.named_buffers(recurse=False)).keys()
    return sum(getattr(module, name).dim() == 1 for name in stored)


def _declared(module: nn.Module, names: Container[str]) -> int:
    """Numbers for each channel in those of the declared tensors that are named here."""
    sizes = (
        (attrgetter(key)(module), axis) for key, axis in known_kind(module).declared if key in names
    )
    return sum(tensor.numel() // tensor.shape[axis] for tensor, axis in sizes)


def keep_channels(module: nn.Module, side: Side, kept: Tensor) -> None:
    """Make the module's own numbers say that these channels are left on one side.

    Of a group norm either some groups go whole, or each loses as many.
    """
    if isinstance(module, nn.GroupNorm):
        each = module.num_channels // module.num_groups
        module.num_groups = len(set((kept // each).tolist()))
    _set_channels(module, side, len(kept))


def _set_channels(module: nn.Module, side: Side, count: int) -> None:
    """Make the module's own numbers say that it has `count` channels on one side.

    Attention has more than those: `amc.modules.attention.narrow_attention`.
    """
    kind = known_kind(module)
    if kind.layer == "conv" and channelwise(module):
        _set(module, ("groups", "in_channels", "out_channels"), count)
    elif kind.layer == "conv" and side == "in" and groups_of(module) == channels(module, "in") > 1:
        _set(module, ("groups", "in_channels"), count)
    elif kind.outputs:
        name = kind.inputs if side == "in" else kind.outputs
        several = isinstance(getattr(module, name), tuple)
        setattr(module, name, (count,) if several else count)


def _set(module: nn.Module, names: tuple[str, ...], count: int) -> None:
    for name in names:
        setattr(module, name, count)


def misdeclared(model: nn.Module) -> str:
    """What a declared module lacks of what was said of it; empty where nothing is."""
    for name, module in model.named_modules():
        kind = kind_of(module)
        for key, axis in kind.declared if kind else ():
            own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
            who = f"amc.register: {name}, a {type(module).__name__}, has"
            if key not in own:
                return f"{who} no {key!r}; it has {', '.join(sorted(own)) or 'no tensors'}"
            if axis >= own[key].dim():
                return f"{who} {own[key].dim()} axes in {key!r}, and none called {axis}"
    return ""


def frozen(model: nn.Module) -> dict[str, str]:
    """Modules of the table whose weights are computed: cutting would break what computes them."""
    found: dict[str, str] = {}
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if kind_of(module) is not None and (unusual := _unusual(module, own)):
            found[name] = f"it meets {name}, which {unusual}"
    return found


def shared(model: nn.Module) -> dict[str, str]:
    """Modules of the table that share a parameter with another one, with that as a reason."""
    found: dict[str, str] = {}
    owners: dict[int, str] = {}
    for name, module in model.named_modules():
        for key, parameter in module.named_parameters(recurse=False):
            other = owners.setdefault(id(parameter), name)
            if other != name:
                found[name] = f"it meets {name}, which shares its {key} with {other}"
                found[other] = f"it meets {other}, which shares its {key} with {name}"
    return found


def _unusual(module: nn.Module, own: dict[str, nn.Parameter]) -> str:
    """What keeps the parameters of a module of the table from being cut."""
    if weight_norm_of(module) is not None or known_kind(module).declared:
        return ""
    key = "in_proj_weight" if kind_of(module) is ATTENTION else "weight"
    if weight_of(module) is not None and key not in own:
        return "computes its weight from other parameters"
    known = {key, "bias", "in_proj_bias"}
    others = sorted(own.keys() - known - {key for key in own if _is_gain(module, key, own[key])})
    return f"has a {others[0]} of its own" if others else ""
