"""A small vision transformer (Dosovitskiy et al., "An Image Is Worth 16x16 Words", ICLR 2021).

Departures from the paper: patches of 4 x 4, as the pictures are small; the mean of all places is
classified, without a token of its own (Beyer et al., "Better plain ViT baselines for ImageNet-1k",
2022); positions are a grid of 8 x 8, of which smaller pictures use the first rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.zoo.layers import scale

PATCH = 4
GRID = 8
WIDTH, HEADS, BLOCKS = 64, 4, 6
HIDDEN = 4
"""Times the width, in the MLPs."""


class Attention(nn.Module):
    """Self-attention over all places."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, places: Tensor) -> Tensor:
        """(samples, places, width) to the same."""
        samples, count, _ = places.shape
        parts = self.qkv(places).reshape(samples, count, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(samples, count, -1))
        return out


class Encoder(nn.Module):
    """Attention and an MLP, each behind a norm and added to what it reads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, HIDDEN * width), nn.GELU(), nn.Linear(HIDDEN * width, width)
        )

    def forward(self, places: Tensor) -> Tensor:
        """(samples, places, width) to the same."""
        places = places + self.attention(self.norm1(places))
        out: Tensor = places + self.mlp(self.norm2(places))
        return out


class SmallViT(nn.Module):
    """Patches, six encoders, the mean over all places, a linear classifier.

    Args:
        in_channels: Channels of the images, of at most 32 x 32.
        classes: Number of logits.
        width: Factor on the 16 channels of each of four heads.

    Raises:
        ValueError: if `width` is not a positive finite number.
    """

    def __init__(self, in_channels: int, classes: int, width: float = 1.0) -> None:
        super().__init__()
        channels = HEADS * scale(WIDTH // HEADS, width)
        self.patches = nn.Conv2d(in_channels, channels, PATCH, PATCH)
        self.positions = nn.Parameter(torch.zeros(1, channels, GRID, GRID))
        self.blocks = nn.Sequential(*(Encoder(channels, HEADS) for _ in range(BLOCKS)))
        self.norm = nn.LayerNorm(channels)
        self.classifier = nn.Linear(channels, classes)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.positions, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(samples, in_channels, height, width) to logits (samples, classes)."""
        maps = self.patches(images)
        maps = maps + self.positions[:, :, : maps.shape[2], : maps.shape[3]]
        places = self.blocks(maps.flatten(2).transpose(1, 2))
        logits: Tensor = self.classifier(self.norm(places).mean(1))
        return logits


def vit_small(in_channels: int, classes: int, width: float = 1.0) -> nn.Module:
    """A vision transformer of six blocks; 305,866 parameters for grey images in ten classes."""
    return SmallViT(in_channels, classes, width)
