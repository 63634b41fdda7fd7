"""Attention of fewer heads computes what PyTorch's own does with the others at zero."""

import copy
import pickle
from typing import Any

import pytest
import torch
from tiny_networks import Wired
from torch import Tensor, nn

from amc.modules.attention import NarrowAttention, narrow_attention
from amc.surgery import cut, mask
from amc.tracing.build import trace


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def attention(**options: Any) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(12, 3, **options)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.4)
    return module.eval()


CAUSAL = torch.ones(5, 5, dtype=torch.bool).triu(1)
PADDED = torch.tensor([[False] * 5, [False, False, True, True, True]])
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({"batch_first": True}, {}),
    "no_bias": ({"batch_first": True, "bias": False}, {}),
    "places_first": ({}, {}),
    "causal": ({"batch_first": True}, {"attn_mask": CAUSAL}),
    "added": ({"batch_first": True}, {"attn_mask": noise(5, 5)}),
    "padded": ({"batch_first": True}, {"key_padding_mask": PADDED}),
    "each_head": ({"batch_first": True}, {"average_attn_weights": False}),
    "no_weights": ({"batch_first": True}, {"need_weights": False}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_with_all_heads_it_is_pytorchs_own(name: str) -> None:
    options, arguments = SETTINGS[name]
    own = attention(**options)
    ours = copy.deepcopy(own)
    narrow_attention(ours)
    assert isinstance(ours, NarrowAttention)
    inputs = noise(2, 5, 12) if own.batch_first else noise(5, 2, 12)
    for one, other in zip(
        ours(inputs, inputs, inputs, **arguments),
        own(inputs, inputs, inputs, **arguments),
        strict=True,
    ):
        if other is None:
            assert one is None
        else:
            torch.testing.assert_close(one, other)


def test_without_a_batch_it_is_pytorchs_own() -> None:
    own, inputs = attention(), noise(5, 12)
    ours = copy.deepcopy(own)
    narrow_attention(ours)
    for one, other in zip(ours(inputs, inputs, inputs), own(inputs, inputs, inputs), strict=True):
        torch.testing.assert_close(one, other)


def wired() -> nn.Module:
    def forward(net: Any, inputs: Tensor) -> Tensor:
        hidden = net.first(inputs)
        return net.last(net.attention(hidden, hidden, hidden, need_weights=False)[0])

    layers = {"first": nn.Linear(4, 12), "attention": attention(batch_first=True)}
    return Wired(forward, **layers, last=nn.Linear(12, 3)).eval()


def test_a_cut_takes_heads_and_width_apart() -> None:
    net, inputs = wired(), noise(2, 5, 4)
    graph = trace(net, inputs)
    units = {"first": (0, 3, 4, 7, 9), "attention": (1,), "attention.out_proj": (0, 2, 11)}
    chosen = tuple(units[group.name] for group in graph.groups)
    smaller: Any = cut(net, graph, chosen)
    found = smaller.attention
    assert (found.embed_dim, found.num_heads, found.head_dim) == (5, 1, 4)
    assert found.in_proj_weight.shape == (12, 5)
    assert found.out_proj.weight.shape == (3, 4)
    wanted = mask(net, graph, chosen)(inputs)
    torch.testing.assert_close(smaller(inputs), wanted)
    again = pickle.loads(pickle.dumps(found))
    hidden = noise(2, 5, 5)
    assert torch.equal(again(hidden, hidden, hidden)[0], found(hidden, hidden, hidden)[0])


def test_a_mask_for_each_head_is_refused() -> None:
    ours = attention(batch_first=True)
    narrow_attention(ours)
    inputs = noise(2, 5, 12)
    with pytest.raises(ValueError, match=r"mask for each head .* give one of shape"):
        ours(inputs, inputs, inputs, attn_mask=torch.zeros(6, 5, 5))
