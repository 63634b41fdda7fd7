"""Language models: how well each token is foretold from those before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from amc.tasks.distillation import distillation_loss
from amc.tasks.score import Score
from amc.tasks.task import Labelled, Metric, main_output

IGNORED = -100
"""The label of tokens that do not count, as in transformers."""
MOST = 100.0
"""Nats a token that a perplexity tells at most: e ** 100 is a number still."""


@dataclass(frozen=True)
class Perplexity(Metric):
    """The exponential of the mean negative log-likelihood of a token."""

    score = Score("perplexity", higher_is_better=False)

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(1, 2): nats of all tokens, and how many there are."""
        logits, labels = foretold(outputs, batch)
        nats = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        return torch.stack([nats.double(), (labels != IGNORED).sum().double()])[None]

    def compute(self, told: Tensor) -> float:
        """Of no token at all 1."""
        return math.exp(min(MOST, float(told[0] / told[1].clamp_min(1))))


def foretold(outputs: Any, batch: Any) -> tuple[Tensor, Tensor]:
    """(tokens, vocabulary) logits in float32, and the token that follows each, (tokens,).

    Raises:
        ValueError: if the network does not answer so.
    """
    logits, labels = main_output(outputs), tokens_of(batch)
    if logits.dim() != 3 or logits.shape[:2] != labels.shape:
        raise ValueError(
            f"language model: the network answers {tuple(logits.shape)} for tokens "
            f"{tuple(labels.shape)}; it must give (sequences, tokens, vocabulary) logits"
        )
    following = labels[:, 1:].reshape(-1).to(logits.device)
    return logits[:, :-1].reshape(-1, logits.shape[-1]).float(), following


def tokens_of(batch: Any) -> Tensor:
    """(sequences, tokens) labels: those given, or the inputs themselves without their padding.

    Raises:
        ValueError: if there are none.
    """
    if isinstance(batch, Tensor):
        return batch.long()
    if isinstance(batch, Mapping):
        if isinstance(labels := batch.get("labels"), Tensor):
            return labels
        tokens, mask = batch.get("input_ids"), batch.get("attention_mask")
        if isinstance(tokens, Tensor):
            return tokens if mask is None else tokens.masked_fill(mask == 0, IGNORED)
    if isinstance(batch, tuple | list) and batch:
        given = batch[-1] if batch[-1] is not None else batch[0]
        return tokens_of(given)
    raise ValueError(
        f"language model: a batch is a {type(batch).__name__} without tokens; give (sequences, "
        "tokens) of them, or a mapping with input_ids"
    )


def next_token(outputs: Any, batch: Any) -> Tensor:
    """The mean negative log-likelihood of a token, in nats."""
    logits, labels = foretold(outputs, batch)
    return F.cross_entropy(logits, labels, ignore_index=IGNORED)


def _by_vocabulary(outputs: Any, teacher: Any, temperature: float) -> Tensor:
    made, wanted = (main_output(one).flatten(0, -2) for one in (outputs, teacher))
    return distillation_loss(made, wanted, temperature)


class LanguageModel(Labelled):
    """Each token is foretold from those before it; the score is perplexity, and lower is better.

    The network answers (sequences, tokens, vocabulary) logits, alone or as `logits` of its outputs.

    Args:
        train: Batches of token ids (sequences, tokens), or mappings with "input_ids" and, where
            sequences are padded, "attention_mask"; "labels" of -100 do not count.
        holdout: The same, that candidates are scored on.
        test: The same, that no step of a search sees.
        calibration: As `Classification` takes it.
        **parts: As `Classification` takes them.
    """

    own: ClassVar[Mapping[str, Any]] = {
        "loss_func": next_token,
        "distill_func": _by_vocabulary,
        "metric": Perplexity(),
    }
