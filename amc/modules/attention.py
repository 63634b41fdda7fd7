"""Multi-head attention with fewer heads than its width would have: PyTorch's own cannot do that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@contextmanager
def plain_attention() -> Iterator[None]:
    """Within, PyTorch's own attention takes no kernel that passes the layers inside by.

    Nor does it make nested tensors of what is padded.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class NarrowAttention(nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` after a cut: heads of the old width, but fewer of them.

    Made from PyTorch's own module by `narrowed`; parameters and arguments are the same, but
    `in_proj_weight` is (3 * heads * head_dim, embed_dim) and `out_proj.weight` is
    (embed_dim, heads * head_dim).
    """

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """As `torch.nn.MultiheadAttention`: outputs (as query), and attention weights if asked."""
        batched, swap = query.dim() == 3, query.dim() == 3 and not self.batch_first
        given = [x.transpose(0, 1) if swap else x for x in (query, key, value)]
        given = given if batched else [x[None] for x in given]  # (batch, places, embed_dim)
        queries, keys, values = self._project(given)
        scores = queries @ keys.transpose(-1, -2) * self.head_dim**-0.5
        scores = scores + self._bias(attn_mask, key_padding_mask, scores)
        weights = scores.softmax(-1)  # (batch, heads, places, places)
        dropped = F.dropout(weights, self.dropout, self.training)
        out = self.out_proj((dropped @ values).transpose(1, 2).flatten(2))
        out = out.transpose(0, 1) if swap else out
        if average_attn_weights:
            weights = weights.mean(1)
        parts: tuple[Any, ...] = (out, weights) if batched else (out[0], weights[0])
        return parts[0], parts[1] if need_weights else None

    def _project(self, given: list[Tensor]) -> list[Tensor]:
        """Three times (batch, heads, places, head_dim)."""
        assert self.in_proj_weight is not None
        weights = self.in_proj_weight.chunk(3)
        biases = [None] * 3 if self.in_proj_bias is None else list(self.in_proj_bias.chunk(3))
        projected = map(F.linear, given, weights, biases)
        heads = (self.num_heads, self.head_dim)
        return [x.reshape(*x.shape[:2], *heads).transpose(1, 2) for x in projected]

    def _bias(self, mask: Tensor | None, padding: Tensor | None, scores: Tensor) -> Tensor:
        """What is added to (batch, heads, places, places) scores: -inf where nothing is looked at.

        A mask for each head is refused: it was made for all the heads there were.
        """
        total = scores.new_zeros(())
        if mask is not None:
            if mask.dim() > 2:
                raise ValueError(
                    "an attention mask for each head does not suit an attention with fewer heads; "
                    "give one of shape (places, places)"
                )
            total = total + _add(mask, scores)
        if padding is not None:
            padding = padding if padding.dim() == 2 else padding[None]
            total = total + _add(padding, scores)[:, None, None]
        return total


def _add(mask: Tensor, scores: Tensor) -> Tensor:
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=scores.dtype).masked_fill(mask, -torch.inf)


def narrow_attention(module: nn.MultiheadAttention) -> None:
    """Make a cut module agree with its weights, in place."""
    module.__class__ = NarrowAttention
    assert module.in_proj_weight is not None
    rows, module.embed_dim = module.in_proj_weight.shape
    module.kdim = module.vdim = module.embed_dim
    module.num_heads = rows // 3 // module.head_dim
    module.out_proj.out_features, module.out_proj.in_features = module.out_proj.weight.shape
    # PyTorch's encoder layers then call this module instead of a fused kernel of their own.
    module._qkv_same_embed_dim = False


def without_nested_tensors(model: nn.Module) -> None:
    """In place: nested tensors are for PyTorch's own attention and norms alone."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoder):
            module.enable_nested_tensor = module.use_nested_tensor = False
