"""Networks as people write them themselves: small, and of layers that no package is needed for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations


class ConvLSTM(nn.Module):
    """A cell over pictures, and a head."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(3 + hidden, 4 * hidden, 3, padding=1)
        self.head = nn.Conv2d(hidden, 32, 3, padding=1)
        self.last = nn.Conv2d(32, 3, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """(samples, frames, 3, height, width) to the next one."""
        samples, steps, _, height, width = frames.shape
        state = frames.new_zeros(samples, self.hidden, height, width)
        cell = torch.zeros_like(state)
        for step in range(steps):
            gates = self.gates(torch.cat([frames[:, step], state], 1))
            enter, forget, leave, fresh = gates.chunk(4, 1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * fresh.tanh()
            state = leave.sigmoid() * cell.tanh()
        made: Tensor = self.last(F.relu(self.head(state)))
        return made


class Recurrent(nn.Module):
    """Words through a recurrent layer to classes."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 64)
        self.recurrent = kind(64, 256, num_layers=2, batch_first=True)
        self.head = nn.Linear(256, 10)

    def forward(self, words: Tensor) -> Tensor:
        """(samples, words) to (samples, classes)."""
        made: Tensor = self.head(self.recurrent(self.embedding(words))[0][:, -1])
        return made


class Translator(nn.Module):
    """PyTorch's own transformer with positions of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(500, 128)
        self.places = nn.Parameter(torch.randn(1, 64, 128))
        self.body = nn.Transformer(128, 4, 2, 2, 512, batch_first=True)
        self.head = nn.Linear(128, 500)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """(samples, words) twice to (samples, words, vocabulary)."""
        given = self.words(source) + self.places[:, : source.shape[1]]
        wanted = self.words(target) + self.places[:, : target.shape[1]]
        made: Tensor = self.head(self.body(given, wanted))
        return made


class PointNet(nn.Module):
    """Points through a learned rotation and shared layers to classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _point_layers(3, 64, 128)
        self.rotation = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 64 * 64))
        self.enter = _point_layers(3, 64)
        self.second = _point_layers(64, 128, 512)
        self.head = nn.Sequential(
            nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 10)
        )

    def forward(self, points: Tensor) -> Tensor:
        """(samples, 3, points) to (samples, classes)."""
        turn = self.rotation(self.first(points).max(2)[0]).view(-1, 64, 64)
        features = torch.bmm(self.enter(points).transpose(1, 2), turn).transpose(1, 2)
        made: Tensor = self.head(self.second(features).max(2)[0])
        return made


def _point_layers(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for read, made in pairwise(widths):
        layers += [nn.Conv1d(read, made, 1), nn.BatchNorm1d(made), nn.ReLU()]
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """Causal convolutions around which the input goes."""

    def __init__(self, read: int, made: int, dilation: int, normed: Callable[..., Any]) -> None:
        super().__init__()
        self.pad = 2 * dilation
        self.net = nn.Sequential(
            normed(nn.Conv1d(read, made, 3, padding=self.pad, dilation=dilation)),
            nn.ConstantPad1d((0, -self.pad), 0.0),
            nn.ReLU(),
            nn.Dropout(0.1),
            normed(nn.Conv1d(made, made, 3, padding=self.pad, dilation=dilation)),
            nn.ConstantPad1d((0, -self.pad), 0.0),
            nn.ReLU(),
        )
        self.beside = nn.Conv1d(read, made, 1) if read != made else nn.Identity()

    def forward(self, given: Tensor) -> Tensor:
        """(samples, channels, steps)."""
        return F.relu(self.net(given) + self.beside(given))


class TCN(nn.Module):
    """A temporal convolutional network."""

    def __init__(self, normed: Callable[..., Any]) -> None:
        super().__init__()
        widths = (8, 32, 64, 64)
        self.tcn = nn.Sequential(
            *(
                Residual(read, made, 2**at, normed)
                for at, (read, made) in enumerate(pairwise(widths))
            )
        )
        self.head = nn.Linear(64, 10)

    def forward(self, given: Tensor) -> Tensor:
        """(samples, 8, steps) to (samples, classes)."""
        made: Tensor = self.head(self.tcn(given)[:, :, -1])
        return made


class VAE(nn.Module):
    """Pictures through a narrow middle."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU()
        )
        self.mean, self.spread = nn.Linear(64 * 7 * 7, 20), nn.Linear(64 * 7 * 7, 20)
        self.enter = nn.Linear(20, 64 * 7 * 7)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1)
        )

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(samples, 1, 28, 28) to the same, and the middle's mean and spread."""
        seen = self.encoder(pictures).flatten(1)
        mean, spread = self.mean(seen), self.spread(seen)
        middle = mean + torch.randn_like(mean) * (spread / 2).exp()
        return self.decoder(self.enter(middle).view(-1, 64, 7, 7)), mean, spread


class WaveNet(nn.Module):
    """Gated dilated convolutions whose parts are summed."""

    def __init__(self, width: int = 32, beside: int = 64) -> None:
        super().__init__()
        self.enter = nn.Conv1d(1, width, 1)
        self.gated = nn.ModuleList(
            nn.Conv1d(width, 2 * width, 2, dilation=2**at, padding=2**at) for at in range(5)
        )
        self.on = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(5))
        self.skips = nn.ModuleList(nn.Conv1d(width, beside, 1) for _ in range(5))
        self.head = nn.Sequential(
            *(nn.ReLU(), nn.Conv1d(beside, beside, 1), nn.ReLU(), nn.Conv1d(beside, 256, 1))
        )

    def forward(self, sound: Tensor) -> Tensor:
        """(samples, 1, steps) to (samples, 256, steps)."""
        state, total = self.enter(sound), torch.zeros(())
        for gated, on, skip in zip(self.gated, self.on, self.skips, strict=True):
            both = gated(state)[..., : sound.shape[-1]]
            value, gate = both.chunk(2, 1)
            made = value.tanh() * gate.sigmoid()
            total = total + skip(made)
            state = state + on(made)
        found: Tensor = self.head(total)
        return found


class UNet(nn.Module):
    """Down and up again, with the way down beside."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        reads = (3, *widths[:-1])
        self.down = nn.ModuleList(map(_double, reads, widths))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, 2, 2)
            for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.join = nn.ModuleList(_double(2 * narrow, narrow) for narrow in widths[-2::-1])
        self.head = nn.Conv2d(widths[0], 2, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(samples, 3, height, width) to (samples, 2, height, width)."""
        kept, state = [], pictures
        for layer in self.down[:-1]:
            state = layer(state)
            kept.append(state)
            state = F.max_pool2d(state, 2)
        state = self.down[-1](state)
        for up, join, beside in zip(self.up, self.join, reversed(kept), strict=True):
            state = join(torch.cat([beside, up(state)], 1))
        made: Tensor = self.head(state)
        return made


def _double(read: int, made: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(read, made, 3, padding=1), nn.BatchNorm2d(made), nn.ReLU()),
        *(nn.Conv2d(made, made, 3, padding=1), nn.BatchNorm2d(made), nn.ReLU()),
    )


class EDSR(nn.Module):
    """Residual blocks without norms, and pixels from channels."""

    def __init__(self, width: int = 64, blocks: int = 8) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1)
            )
            for _ in range(blocks)
        )
        self.leave = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.Conv2d(width, 3, 3, 1, 1)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """(samples, 3, height, width) to twice that size."""
        first = state = self.enter(pictures)
        for block in self.blocks:
            state = state + 0.1 * block(state)
        made: Tensor = self.leave(state + first)
        return made


def _generator() -> nn.Module:
    layers: list[nn.Module] = []
    for read, made in ((64, 256), (256, 128), (128, 64)):
        stride = 1 if read == 64 else 2
        layers += [nn.ConvTranspose2d(read, made, 4, stride, stride - 1, bias=False)]
        layers += [nn.BatchNorm2d(made), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1), nn.Tanh())


def _espcn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh()),
        *(nn.Conv2d(32, 9, 3, padding=1), nn.PixelShuffle(3)),
    )


def _regression() -> nn.Module:
    from experiments.zoo import build_model

    model: Any = build_model("resnet20", in_channels=3, classes=1)
    return model  # type: ignore[no-any-return]


def _old_weight_norm(layer: nn.Module) -> nn.Module:
    from torch.nn.utils import weight_norm

    return weight_norm(layer)


def _words(samples: int = 1, length: int = 32) -> Tensor:
    return torch.randint(0, 500, (samples, length), generator=torch.Generator().manual_seed(0))


def _noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


MODELS: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    "convlstm": lambda: (ConvLSTM(), _noise(1, 4, 3, 32, 32)),
    "dcgan-generator": lambda: (_generator(), _noise(1, 64, 1, 1)),
    "edsr": lambda: (EDSR(), _noise(1, 3, 32, 32)),
    "espcn": lambda: (_espcn(), _noise(1, 1, 32, 32)),
    "gru": lambda: (Recurrent(nn.GRU), _words()),
    "lstm": lambda: (Recurrent(nn.LSTM), _words()),
    "nn-transformer": lambda: (Translator(), (_words(), _words(1, 16))),
    "pointnet": lambda: (PointNet(), _noise(1, 3, 256)),
    "regression-resnet": lambda: (_regression(), _noise(1, 3, 32, 32)),
    "tcn": lambda: (TCN(lambda layer: layer), _noise(1, 8, 64)),
    "tcn-weightnorm": lambda: (TCN(parametrizations.weight_norm), _noise(1, 8, 64)),
    "tcn-weightnorm-old": lambda: (TCN(_old_weight_norm), _noise(1, 8, 64)),
    "unet": lambda: (UNet(), _noise(1, 3, 64, 64)),
    "vae": lambda: (VAE(), _noise(1, 1, 28, 28)),
    "wavenet": lambda: (WaveNet(), _noise(1, 1, 256)),
}
"""By name."""
