"""Language models: how well each token is foretold from the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import Unpack

from amc.tasks.batches import Data
from amc.tasks.distillation import distillation_loss
from amc.tasks.score import Score
from amc.tasks.task import FromTrain, Metric, Parts, Task, loaders_of, main_output

IGNORED = -100
"""The label of tokens that do not count, as in transformers."""
MOST = 100.0
"""Nats a token that a perplexity tells at most: e ** 100 is a number still."""


@dataclass(frozen=True)
class Perplexity(Metric):
    """The exponential of the mean negative log-likelihood of a token.

    Args:
        shift: As `LanguageModel` takes it.
    """

    shift: bool | None = None
    score = Score("perplexity", higher_is_better=False)

    def tell(self, outputs: Any, batch: Any, unpruned: Any) -> Tensor:
        """(1, 2): nats of all tokens, and how many there are."""
        logits, labels = foretold(outputs, batch, self.shift)
        nats = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        return torch.stack([nats.double(), (labels != IGNORED).sum().double()])[None]

    def compute(self, told: Tensor) -> float:
        """Of all that was told.

        Raises:
            ValueError: if that was not a single token.
        """
        if not told[1]:
            raise ValueError(
                "language model: there is no token to foretell; give sequences of two and more, "
                f"whose labels are not all {IGNORED}"
            )
        return math.exp(min(MOST, float(told[0] / told[1])))


def foretold(outputs: Any, batch: Any, shift: bool | None = None) -> tuple[Tensor, Tensor]:
    """(tokens, vocabulary) logits in float32, and the token that each foretells, (tokens,).

    Args:
        outputs: Of the network.
        batch: What they are for.
        shift: As `LanguageModel` takes it.

    Raises:
        ValueError: if outputs and tokens do not go together.
    """
    logits, (labels, real) = main_output(outputs), tokens_of(batch)
    if logits.dim() != 3 or logits.shape[:2] != labels.shape:
        raise ValueError(
            f"language model: the network answers {tuple(logits.shape)} for tokens "
            f"{tuple(labels.shape)}; it must give (sequences, tokens, vocabulary) logits"
        )
    if shift is None:
        shift = follow_themselves(batch)
    if shift:
        if real is not None:  # The first token behind padding is foretold from nothing.
            labels = labels.masked_fill(~(real & real.roll(1, 1)), IGNORED)
        logits, labels = logits[:, :-1], labels[:, 1:]
    labels, logits = labels.reshape(-1).to(logits.device), logits.reshape(-1, logits.shape[-1])
    counted = labels[labels != IGNORED]
    if len(counted) and not 0 <= int(counted.min()) <= int(counted.max()) < logits.shape[-1]:
        raise ValueError(
            f"language model: labels go from {int(counted.min())} to {int(counted.max())} beside "
            f"the ignored {IGNORED}, and the vocabulary of the network has {logits.shape[-1]}"
        )
    return logits.float(), labels


def follow_themselves(batch: Any) -> bool:
    """Whether labels are the inputs, so that each is what the place before it foretells.

    Not labels that are shifted already, nor those of an encoder and decoder or of masked tokens,
    which stand where they are foretold: they are other numbers than the inputs.
    """
    labels, inputs = _given_labels(batch), _inputs_of(batch)
    if labels is None or inputs is None:
        return True
    return labels.shape == inputs.shape and bool(
        torch.eq(labels, inputs).logical_or(labels == IGNORED).all()
    )


def tokens_of(batch: Any) -> tuple[Tensor, Tensor | None]:
    """(sequences, tokens) labels: those given, or the inputs themselves; and which are no padding.

    Raises:
        ValueError: if there are none.
    """
    inputs, labels, mask = _inputs_of(batch), _given_labels(batch), None
    if isinstance(batch, Mapping):
        mask = batch.get("attention_mask")
    told = inputs if labels is None else labels
    if told is None:
        raise ValueError(
            f"language model: a batch is a {type(batch).__name__} without tokens; give (sequences, "
            "tokens) of them, or a mapping with input_ids"
        )
    _check_tokens(told, inputs)
    real = mask != 0 if isinstance(mask, Tensor) and mask.shape == told.shape else None
    if labels is None and real is not None:
        return told.long().masked_fill(~real, IGNORED), real
    return told.long(), real


def _inputs_of(batch: Any) -> Tensor | None:
    if isinstance(batch, tuple | list) and batch:
        return _inputs_of(batch[0])
    found = batch.get("input_ids") if isinstance(batch, Mapping) else batch
    return found if isinstance(found, Tensor) else None


def _given_labels(batch: Any) -> Tensor | None:
    if isinstance(batch, tuple | list) and len(batch) > 1 and isinstance(batch[-1], Tensor):
        return batch[-1]
    found = batch.get("labels") if isinstance(batch, Mapping) else None
    if isinstance(batch, tuple | list) and batch and isinstance(batch[0], Mapping):
        found = batch[0].get("labels")
    return found if isinstance(found, Tensor) else None


def _check_tokens(labels: Tensor, inputs: Tensor | None) -> None:
    """Refuse what is no tokens: a mask that stands behind them."""
    flags = labels.is_floating_point() or labels.dtype == torch.bool
    if not flags and inputs is not None and inputs.shape == labels.shape:
        flags = bool((labels.min() >= 0) & (labels.max() <= 1) & (inputs.max() > 1))
    if flags:
        raise ValueError(
            "language model: what follows the tokens in a batch is no labels but looks like a "
            "mask; give a mapping with input_ids and attention_mask"
        )


def next_token(outputs: Any, batch: Any, shift: bool | None = None) -> Tensor:
    """The mean negative log-likelihood of a token, in nats."""
    logits, labels = foretold(outputs, batch, shift)
    return F.cross_entropy(logits, labels, ignore_index=IGNORED)


def _by_vocabulary(outputs: Any, teacher: Any, temperature: float) -> Tensor:
    made, wanted = (main_output(one).flatten(0, -2) for one in (outputs, teacher))
    return distillation_loss(made, wanted, temperature)


class LanguageModel(Task):
    """Each token is foretold from others; the score is perplexity, and lower is better.

    The network answers (sequences, tokens, vocabulary) logits, alone or as `logits` of its outputs.

    Args:
        train: Batches of token ids (sequences, tokens), or mappings with "input_ids" and, where
            sequences are padded, "attention_mask"; (ids, labels), or "labels" in a mapping, of
            which those of -100 do not count.
        holdout: The same, that candidates are scored on.
        test: The same, that no step of a search sees.
        calibration: As `Classification` takes it.
        shift: Whether each label is foretold by the logits of the place before it, as labels are
            that repeat the inputs. False of labels that stand where they are foretold: shifted
            already, of an encoder and decoder, of masked tokens. None looks whether they are the
            inputs.
        **parts: As `Classification` takes them.
    """

    def __init__(
        self,
        train: Data | None,
        holdout: Data,
        test: Data | None = None,
        *,
        calibration: Data | FromTrain | None = "train",
        shift: bool | None = None,
        **parts: Unpack[Parts],
    ) -> None:
        own: dict[str, Any] = {
            "loss_func": partial(next_token, shift=shift),
            "distill_func": _by_vocabulary,
        }
        data: dict[str, Any] = loaders_of(train, holdout, test, calibration)
        super().__init__(metric=Perplexity(shift), **data, **{**own, **parts})
