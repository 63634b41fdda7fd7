"""A small Llama of transformers, trained on the texts of Python's own help, by perplexity."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

import amc
from experiments.studies.tasks.case import Case, Work
from experiments.studies.tasks.training import trained

LENGTH = 96
"""Letters of a sequence."""


@cache
def letters() -> Tensor:
    """The help's texts, as bytes below 128."""
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name] for name in sorted(topics))
    return torch.tensor(list(text.encode("ascii", "ignore")))


def sequences() -> tuple[Tensor, Tensor, Tensor]:
    """(count, `LENGTH`) to train on, to score on and to test on, of parts that do not overlap."""
    whole = letters()
    rows = whole[: len(whole) // LENGTH * LENGTH].reshape(-1, LENGTH)
    ends = (round(0.8 * len(rows)), round(0.9 * len(rows)))
    return rows[: ends[0]], rows[ends[0] : ends[1]], rows[ends[1] :]


def llama(width: int, layers: int) -> nn.Module:
    """With random weights; it answers its logits alone."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=LENGTH,
        use_cache=False,
    )
    return amc.returning(LlamaForCausalLM(config), "logits")


def make(small: bool) -> Work:
    """Trained on four fifths of the texts."""
    train, holdout, test = (amc.Samples(part[:16] if small else part) for part in sequences())
    held = holdout.take(slice(0, 400))
    task = amc.LanguageModel(train, held, test)
    network = llama(16, 1) if small else llama(96, 4)
    recipe = amc.Recipe(lr=2e-3, optimizer="adamw", batch_size=32, warmup=0.05)
    trained("words", network, task, recipe, 4 if small else 2000, keep=not small)
    tuning = amc.Recipe(lr=5e-4, optimizer="adamw", batch_size=32)
    return Work(network, train.array[:1], task, tuning, 4 if small else 150)


CASE = Case(
    "a Llama of four layers on letters, perplexity; heads, hidden and MLP widths",
    make,
    "macs=0.4",
    60,
)
