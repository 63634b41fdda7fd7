"""Small networks of the architectures that people use, one of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from tiny_networks import Wired, averaged, head
from torch import Tensor, nn
from torch.nn import functional as F

from amc.modules.inputs import Inputs


@dataclass(frozen=True)
class Architecture:
    """A network, what it takes, and what of it can be pruned.

    Args:
        build: The network, small.
        inputs: Two samples.
        groups: How many decisions tracing finds.
        shows: What is special about its channels.
    """

    build: Callable[[], nn.Module]
    inputs: Callable[[], Inputs]
    groups: int
    shows: str


ARCHITECTURES: dict[str, Architecture] = {}

Build = Callable[[], nn.Module]


def architecture(
    name: str, groups: int, shows: str, inputs: Callable[[], Inputs] | None = None
) -> Callable[[Build], Build]:
    """Enter the function that builds a network into the table."""

    def enter(build: Build) -> Build:
        ARCHITECTURES[name] = Architecture(build, inputs or images, groups, shows)
        return build

    return enter


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(10_000 + seed))


def images() -> Tensor:
    return noise(2, 3, 16, 16)


def sequences() -> Tensor:
    return noise(2, 5, 6)


def tokens() -> Tensor:
    return torch.randint(30, (2, 7), generator=torch.Generator().manual_seed(3))


def conv(inputs: int, outputs: int, kernel: int = 3, **options: Any) -> nn.Sequential:
    """Convolution of the same size, batch norm, ReLU."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **options)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


@architecture("Plain CNN", 3, "batch norms, strides, dilation")
def plain() -> nn.Module:
    return nn.Sequential(
        *(conv(3, 6), conv(6, 8, stride=2), nn.Conv2d(8, 7, 3, dilation=2), nn.Tanh()), *head(7)
    )


@architecture("VGG", 4, "a unit is all features of a channel behind the flatten")
def vgg() -> nn.Module:
    features = (conv(3, 6), nn.MaxPool2d(2), conv(6, 8), nn.MaxPool2d(4))
    classifier = (nn.Linear(32, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 9), nn.ReLU())
    return nn.Sequential(*features, nn.Flatten(), *classifier, nn.Linear(9, 4))


class Residual(nn.Module):
    """inner(x) + shortcut(x), and an activation."""

    def __init__(self, inner: nn.Module, shortcut: nn.Module | None = None, last: Any = F.relu):
        super().__init__()
        self.inner, self.shortcut, self.last = inner, shortcut or nn.Identity(), last

    def forward(self, features: Tensor) -> Tensor:
        total: Tensor = self.last(self.inner(features) + self.shortcut(features))
        return total


def identity(features: Tensor) -> Tensor:
    return features


def basic(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    inner = nn.Sequential(conv(inputs, outputs, stride=stride), *conv(outputs, outputs)[:2])
    changed = stride > 1 or inputs != outputs
    return Residual(inner, conv(inputs, outputs, 1, stride=stride)[:2] if changed else None)


@architecture("ResNet, basic blocks", 5, "layers that make a sum are one decision")
def resnet() -> nn.Module:
    return nn.Sequential(conv(3, 6), basic(6, 6), basic(6, 8, 2), basic(8, 8), *head(8))


def bottleneck(width: int, inner: int, groups: int = 1) -> nn.Module:
    middle = conv(inner, inner, groups=groups)
    return Residual(nn.Sequential(conv(width, inner, 1), middle, *conv(inner, width, 1)[:2]))


@architecture("ResNet, bottlenecks", 5, "both inner widths are decisions of their own")
def resnet_bottleneck() -> nn.Module:
    return nn.Sequential(conv(3, 8), bottleneck(8, 4), bottleneck(8, 5), *head(8))


@architecture("ResNet, pre-activation", 3, "norms stand before the layers")
def preactivation() -> nn.Module:
    def block(width: int, inner: int) -> nn.Module:
        first = (nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, inner, 3, padding=1))
        second = (nn.BatchNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, width, 3, padding=1))
        return Residual(nn.Sequential(*first, *second), last=identity)

    return nn.Sequential(nn.Conv2d(3, 7, 3), block(7, 5), block(7, 6), nn.BatchNorm2d(7), *head(7))


@architecture("ResNeXt", 5, "a unit of a grouped convolution is one place in every group")
def resnext() -> nn.Module:
    return nn.Sequential(conv(3, 8), bottleneck(8, 12, 4), bottleneck(8, 6, 2), *head(8))


@architecture("ResNet, group norms", 5, "a unit is one place in every group of the norm")
def group_normed() -> nn.Module:
    def block(width: int, inner: int) -> nn.Module:
        layers = (nn.Conv2d(width, inner, 3, padding=1), nn.GroupNorm(2, inner), nn.ReLU())
        return Residual(nn.Sequential(*layers, nn.Conv2d(inner, width, 1), nn.GroupNorm(4, width)))

    stem = (nn.Conv2d(3, 8, 3), nn.GroupNorm(1, 8), nn.Conv2d(8, 12, 1), nn.InstanceNorm2d(12))
    return nn.Sequential(
        *stem, nn.PReLU(12), block(12, 6), block(12, 8), nn.Conv2d(12, 5, 1), *head(5)
    )


@architecture("DenseNet", 5, "concatenated channels know their places")
def densenet() -> nn.Module:
    def forward(net: Any, features: Tensor) -> Tensor:
        features = net.stem(features)
        for layer in (net.one, net.two, net.three):
            features = torch.cat([features, layer(features)], 1)
        return net.head(net.transition(features))

    def layer(inputs: int) -> nn.Module:
        norm = (nn.BatchNorm2d(inputs), nn.ReLU())
        return nn.Sequential(*norm, nn.Conv2d(inputs, 4, 3, padding=1, bias=False))

    transition = nn.Sequential(nn.BatchNorm2d(18), nn.Conv2d(18, 7, 1), nn.AvgPool2d(2))
    layers = {"one": layer(6), "two": layer(10), "three": layer(14), "transition": transition}
    return Wired(forward, stem=nn.Conv2d(3, 6, 3), **layers, head=nn.Sequential(*head(7)))


@architecture("U-Net", 6, "skips over transposed convolutions")
def unet() -> nn.Module:
    def forward(net: Any, features: Tensor) -> Tensor:
        outer = net.outer(features)
        inner = net.inner(F.max_pool2d(outer, 2))
        inner = torch.cat([inner, net.up1(net.middle(F.max_pool2d(inner, 2)))], 1)
        return net.last(torch.cat([net.up2(net.join(inner)), outer], 1))

    return Wired(
        forward,
        outer=conv(3, 6),
        inner=conv(6, 7),
        middle=conv(7, 8),
        up1=nn.ConvTranspose2d(8, 5, 2, stride=2),
        join=conv(12, 9),
        up2=nn.ConvTranspose2d(9, 6, 4, stride=2, padding=1, bias=False),
        last=nn.Conv2d(12, 2, 1),
    )


@architecture("Autoencoder", 3, "grouped transposed convolutions; the image itself stays")
def autoencoder() -> nn.Module:
    down = (nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 4, stride=4))
    up = (nn.ConvTranspose2d(8, 6, 4, stride=4, groups=2), nn.BatchNorm2d(6), nn.ReLU())
    return nn.Sequential(*down, nn.ReLU(), *up, nn.ConvTranspose2d(6, 3, 2, stride=2), nn.Sigmoid())


def inverted(width: int, inner: int, gate: bool = False) -> nn.Module:
    depthwise = conv(inner, inner, groups=inner)
    squeeze = (SqueezeExcite(inner, 3),) if gate else ()
    layers = (conv(width, inner, 1), depthwise, *squeeze, *conv(inner, width, 1)[:2])
    return Residual(nn.Sequential(*layers), last=identity)


class SqueezeExcite(nn.Module):
    """A gate for each channel, from the averages of all channels."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        gate = self.up(F.silu(self.down(F.adaptive_avg_pool2d(features, 1))))
        return features * torch.sigmoid(gate)


@architecture("MobileNetV2", 4, "depthwise layers go with their inputs")
def mobilenet_v2() -> nn.Module:
    return nn.Sequential(conv(3, 6), inverted(6, 12), inverted(6, 10), conv(6, 9, 1), *head(9))


@architecture(
    "EfficientNet", 6, "squeeze-and-excite gates: made from, and put on, the same channels"
)
def efficientnet() -> nn.Module:
    blocks = (inverted(6, 12, gate=True), inverted(6, 10, gate=True))
    return nn.Sequential(conv(3, 6), *blocks, conv(6, 9, 1), *head(9))


@architecture("ShuffleNet", 4, "a channel shuffle: one place in every group")
def shufflenet() -> nn.Module:
    def shuffled(features: Tensor) -> Tensor:
        samples, channels, *size = features.shape
        return (
            features.view(samples, 2, channels // 2, *size).transpose(1, 2).reshape(features.shape)
        )

    def forward(net: Any, features: Tensor) -> Tensor:
        features = shuffled(torch.relu(net.one(net.stem(features))))
        return net.head(net.two(net.depthwise(features)))

    return Wired(
        forward,
        stem=conv(3, 8),
        one=nn.Conv2d(8, 12, 1, groups=2),
        depthwise=nn.Conv2d(12, 12, 3, groups=12),
        two=nn.Conv2d(12, 10, 1, groups=2),
        head=nn.Sequential(nn.Conv2d(10, 6, 1), *head(6)),
    )


@architecture("ShuffleNetV2", 3, "halves of the channels go different ways")
def shufflenet_v2() -> nn.Module:
    def forward(net: Any, features: Tensor) -> Tensor:
        kept, changed = net.stem(features).chunk(2, 1)
        return net.head(F.channel_shuffle(torch.cat([kept, net.branch(changed)], 1), 2))

    branch = nn.Sequential(conv(5, 6, 1), nn.Conv2d(6, 6, 3, padding=1, groups=6), conv(6, 5, 1))
    head_ = nn.Sequential(nn.Conv2d(10, 6, 1), *head(6))
    return Wired(forward, stem=conv(3, 10), branch=branch, head=head_)


@architecture("Inception", 6, "branches of different widths side by side")
def inception() -> nn.Module:
    def forward(net: Any, features: Tensor) -> Tensor:
        features = net.stem(features)
        pooled = net.pool(F.avg_pool2d(features, 3, 1, 1))
        return net.head(torch.cat([net.one(features), net.three(features), pooled], 1))

    return Wired(
        forward,
        stem=conv(3, 6),
        one=conv(6, 4, 1),
        three=nn.Sequential(conv(6, 3, 1), conv(3, 5), conv(5, 5)),
        pool=conv(6, 3, 1),
        head=nn.Sequential(*head(12)),
    )


class ChannelsLast(nn.Module):
    """A layer norm over the channels of images."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> Tensor:
        normed: Tensor = self.norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return normed


@architecture("ConvNeXt", 5, "layer norms and linear layers over the channels of images")
def convnext() -> nn.Module:
    def block(width: int) -> nn.Module:
        def forward(net: Any, features: Tensor) -> Tensor:
            inner = net.norm(net.depthwise(features).permute(0, 2, 3, 1))
            return features + net.down(F.gelu(net.up(inner))).permute(0, 3, 1, 2)

        depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        layers = {"norm": nn.LayerNorm(width), "up": nn.Linear(width, 2 * width + 1)}
        return Wired(forward, depthwise=depthwise, **layers, down=nn.Linear(2 * width + 1, width))

    stem = (nn.Conv2d(3, 6, 2, stride=2), ChannelsLast(6), block(6))
    down = (ChannelsLast(6), nn.Conv2d(6, 8, 2, stride=2), block(8), nn.Conv2d(8, 5, 1))
    return nn.Sequential(*stem, *down, *head(5))


@architecture("Audio, Conv1d", 4, "one axis of places", lambda: noise(2, 2, 40))
def audio() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv1d(2, 6, 5, stride=2, bias=False), nn.BatchNorm1d(6), nn.ReLU()),
        *(nn.Conv1d(6, 8, 3, padding=2, dilation=2), nn.PReLU(8), nn.MaxPool1d(2)),
        *(nn.ConvTranspose1d(8, 6, 2, stride=2), nn.AdaptiveAvgPool1d(2), nn.Flatten()),
        *(nn.Linear(12, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3)),
    )


@architecture("Video, Conv3d", 3, "three axes of places", lambda: noise(2, 2, 4, 8, 8))
def video() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv3d(2, 6, 3, padding=1, bias=False), nn.BatchNorm3d(6), nn.ReLU()),
        *(nn.Conv3d(6, 8, (1, 3, 3), groups=2), nn.ReLU(), nn.MaxPool3d(2)),
        *(nn.ConvTranspose3d(8, 5, 2, stride=2), nn.AdaptiveAvgPool3d(1), nn.Flatten()),
        nn.Linear(5, 3),
    )


@architecture("MLP", 2, "hidden widths", lambda: noise(2, 10))
def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 9), nn.ReLU(), nn.Linear(9, 7), nn.GELU(), nn.Linear(7, 4))


@architecture("MLP-Mixer", 5, "layers over places, then over channels; the number of places stays")
def mixer() -> nn.Module:
    def hidden(width: int, inner: int) -> nn.Module:
        return nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    def block() -> nn.Module:
        def forward(net: Any, features: Tensor) -> Tensor:
            features = features + net.places(net.norm1(features).transpose(1, 2)).transpose(1, 2)
            return features + net.channels(net.norm2(features))

        layers = {"places": hidden(16, 7), "channels": hidden(8, 10)}
        return Wired(forward, norm1=nn.LayerNorm(8), norm2=nn.LayerNorm(8), **layers)

    def forward(net: Any, features: Tensor) -> Tensor:
        features = net.patches(features).flatten(2).transpose(1, 2)  # (samples, 16 places, 8)
        return net.last(net.two(net.one(features)).mean(1))

    patches = nn.Conv2d(3, 8, 4, stride=4)
    return Wired(forward, patches=patches, one=block(), two=block(), last=nn.Linear(8, 4))


class Attention(nn.Module):
    """Self-attention with one projection for queries, keys and values."""

    def __init__(self, width: int, heads: int, split: str) -> None:
        super().__init__()
        self.num_heads, self.head_dim, self.split = heads, width // heads, split
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        samples, places, width = features.shape
        if self.split == "reshape":
            shape = (samples, places, 3, self.num_heads, self.head_dim)
            query, key, value = self.qkv(features).reshape(shape).permute(2, 0, 3, 1, 4)
        elif self.split == "width":  # each head is as wide as it was: the width must stay
            shape = (samples, places, 3, self.num_heads, width // self.num_heads)
            query, key, value = self.qkv(features).reshape(shape).permute(2, 0, 3, 1, 4)
        else:
            parts = self.qkv(features).chunk(3, -1)
            query, key, value = (
                part.view(samples, places, -1, self.head_dim).transpose(1, 2) for part in parts
            )
        scores = query @ key.transpose(-2, -1) * self.head_dim**-0.5
        if self.split == "chunk":
            found = F.scaled_dot_product_attention(query, key, value)
        else:
            found = scores.softmax(-1) @ value
        return self.out(found.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def vision_transformer(split: str) -> nn.Module:
    def block() -> nn.Module:
        mlp_ = nn.Sequential(nn.Linear(12, 17), nn.GELU(), nn.Linear(17, 12))
        return nn.Sequential(
            Residual(nn.Sequential(nn.LayerNorm(12), Attention(12, 3, split)), last=identity),
            Residual(nn.Sequential(nn.LayerNorm(12), mlp_), last=identity),
        )

    def forward(net: Any, features: Tensor) -> Tensor:
        features = net.patches(features).flatten(2).transpose(1, 2)
        return net.last(net.norm(net.blocks(features)).mean(1))

    layers = {"blocks": nn.Sequential(block(), block()), "norm": nn.LayerNorm(12)}
    return Wired(forward, patches=nn.Conv2d(3, 12, 8, 8), **layers, last=nn.Linear(12, 4))


@architecture("ViT, qkv by reshape", 5, "heads; `num_heads` changes with them")
def vit_reshape() -> nn.Module:
    return vision_transformer("reshape")


@architecture("ViT, qkv by chunk", 5, "heads, in all three parts of the projection")
def vit_chunk() -> nn.Module:
    return vision_transformer("chunk")


@architecture("ViT, head width from the input", 3, "code that ties heads to the network's width")
def vit_width() -> nn.Module:
    return vision_transformer("width")


@architecture("nn.TransformerEncoder", 5, "heads of PyTorch's own attention", sequences)
def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(12, 3, 17, batch_first=True)
    stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    last = nn.Sequential(nn.Flatten(), nn.Linear(60, 4))
    return nn.Sequential(nn.Linear(6, 12), stack, last)


@architecture(
    "nn.MultiheadAttention",
    2,
    "cross-attention: all that is read goes together",
    lambda: (noise(2, 4, 6), noise(2, 4, 5)),
)
def cross_attention() -> nn.Module:
    def forward(net: Any, asking: Tensor, asked: Tensor) -> Tensor:
        query, key = net.one(asking), net.two(asked)
        found, _ = net.attention(query, key, net.three(key))
        return net.last(net.norm(found + query)).mean(1)

    layers = {"one": nn.Linear(6, 8), "two": nn.Linear(5, 8), "three": nn.Linear(8, 8)}
    attention = nn.MultiheadAttention(8, 4, batch_first=True)
    return Wired(forward, attention=attention, **layers, norm=nn.RMSNorm(8), last=nn.Linear(8, 3))


@architecture("Gated MLP", 2, "one half of the hidden width scales the other", sequences)
def gated() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.GLU(), nn.Linear(8, 10), nn.SiLU(), nn.Linear(10, 3))


@architecture("Module used twice", 1, "coupled with itself")
def recurrent() -> nn.Module:
    def forward(net: Any, features: Tensor) -> Tensor:
        features = net.stem(features)
        for _ in range(2):
            features = torch.relu(net.norm(net.inner(features)))
        return net.last(averaged(features))

    inner, norm = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
    return Wired(forward, stem=nn.Conv2d(3, 6, 3), inner=inner, norm=norm, last=nn.Linear(6, 4))


@architecture("Several inputs", 3, "two branches meet", lambda: (images(), noise(2, 6)))
def several_inputs() -> nn.Module:
    def forward(net: Any, pictures: Tensor, numbers: Tensor) -> Tensor:
        seen = averaged(net.conv(pictures))
        return net.last(torch.relu(net.both(torch.cat([seen, net.linear(numbers)], 1))))

    layers = {"linear": nn.Linear(6, 7), "both": nn.Linear(12, 8), "last": nn.Linear(8, 4)}
    return Wired(forward, conv=conv(3, 5), **layers)


@architecture("Several outputs", 3, "outputs by name; features that are outputs stay")
def several_outputs() -> nn.Module:
    def forward(net: Any, pictures: Tensor) -> dict[str, Any]:
        shared = net.body(pictures)
        features = net.neck(shared)
        boxes = net.boxes(torch.relu(net.tower(shared)))
        return {"features": features, "heads": (net.classes(averaged(features)), boxes)}

    layers = {"neck": nn.Conv2d(7, 6, 1), "tower": nn.Conv2d(7, 5, 3), "boxes": nn.Conv2d(5, 4, 1)}
    return Wired(
        forward, body=nn.Sequential(conv(3, 6), conv(6, 7)), **layers, classes=nn.Linear(6, 3)
    )


@architecture("Weights computed or shared", 4, "weight norm; two layers of one weight")
def special_weights() -> nn.Module:
    net = nn.Sequential(
        *(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Conv2d(5, 6, 3), nn.Conv2d(6, 6, 1), nn.ReLU()),
        *(nn.Conv2d(6, 6, 1), nn.ReLU(), nn.Conv2d(6, 7, 1), nn.ReLU(), nn.Conv2d(7, 5, 1)),
        *head(5),
    )
    nn.utils.parametrizations.weight_norm(net[0])
    net[5].weight = net[3].weight
    return net


@architecture("LSTM", 4, "hidden units, in all four gates", sequences)
def lstm() -> nn.Module:
    def forward(net: Any, series: Tensor) -> Tensor:
        found, _ = net.lstm(net.first(series))
        return net.last(torch.relu(net.three(torch.relu(net.two(found)))).mean(1))

    layers = {"two": nn.Linear(7, 9), "three": nn.Linear(9, 5), "last": nn.Linear(5, 3)}
    lstm_ = nn.LSTM(8, 7, batch_first=True)
    return Wired(forward, first=nn.Linear(6, 8), lstm=lstm_, **layers)


@architecture("Embeddings", 2, "the width of words", tokens)
def embeddings() -> nn.Module:
    def forward(net: Any, words: Tensor) -> Tensor:
        return net.last(torch.relu(net.hidden(net.words(words).mean(1))))

    hidden, last = nn.Linear(8, 9), nn.Linear(9, 4)
    return Wired(forward, words=nn.Embedding(30, 8), hidden=hidden, last=last)


# Each of these loads the transformers package, which is slow, when it is first built.


@architecture(
    "BERT (transformers)",
    6,
    "heads of three projections; token ids by keyword",
    lambda: {"input_ids": tokens(), "attention_mask": torch.ones(2, 7, dtype=torch.long)},
)
def bert() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=30,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=17,
        max_position_embeddings=16,
    )
    return BertForSequenceClassification(config)


@architecture(
    "GPT-2 (transformers)",
    5,
    "weights as (in, out); the embedding is the output layer too",
    lambda: {"input_ids": tokens(), "use_cache": False},
)
def gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    size = {"n_positions": 16, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_inner": 17}
    return GPT2LMHeadModel(GPT2Config(vocab_size=30, bos_token_id=0, eos_token_id=0, **size))


@architecture(
    "ViT (transformers)", 5, "position embeddings", lambda: {"pixel_values": noise(2, 3, 16, 16)}
)
def hf_vit() -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification

    size = {"num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 17}
    config = ViTConfig(hidden_size=12, image_size=16, patch_size=8, **size)
    return ViTForImageClassification(config)


@architecture(
    "ResNet (transformers)", 7, "a model output", lambda: {"pixel_values": noise(2, 3, 32, 32)}
)
def hf_resnet() -> nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=6, hidden_sizes=[8, 12], depths=[1, 1], layer_type="bottleneck"
    )
    return ResNetForImageClassification(config)


@architecture(
    "ConvNeXt (transformers)",
    4,
    "a scale for each channel as a plain parameter",
    lambda: {"pixel_values": noise(2, 3, 32, 32)},
)
def hf_convnext() -> nn.Module:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    size = {"hidden_sizes": [6, 8], "depths": [1, 1], "num_stages": 2}
    return ConvNextForImageClassification(ConvNextConfig(**size))


@architecture(
    "Llama (transformers)",
    5,
    "keys and values shared by two heads; gated MLPs; RMS norms of its own",
    lambda: {"input_ids": tokens(), "use_cache": False},
)
def llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    size = {"hidden_size": 16, "intermediate_size": 17, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=30, **size, **heads))


@architecture(
    "Swin (transformers)",
    5,
    "windows; a bias for each head, so that positions in every head go; `head_dim` changes",
    lambda: {"pixel_values": noise(2, 3, 16, 16)},
)
def swin() -> nn.Module:
    from transformers import SwinConfig, SwinForImageClassification

    size = {"image_size": 16, "patch_size": 4, "window_size": 2, "embed_dim": 12}
    return SwinForImageClassification(SwinConfig(**size, depths=[2], num_heads=[3]))


def noisy(model: nn.Module, seed: int = 0) -> nn.Module:
    """In place: weights and statistics that hide no mistake; in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            draw = torch.randn(tensor.shape, generator=generator)
            if tensor.dim() > 1:
                tensor.copy_(draw * (2 / tensor[0].numel()) ** 0.5)
            else:
                tensor.copy_(draw * 0.3 + float("weight" in name))
        for name, tensor in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                draw = torch.rand(tensor.shape, generator=generator)
                tensor.copy_(draw + 0.5 if name.endswith("var") else draw - 0.5)
    return model.eval()


def built(name: str, seed: int = 0) -> nn.Module:
    """A network of the table with random weights."""
    torch.manual_seed(0)
    return noisy(ARCHITECTURES[name].build(), seed)
