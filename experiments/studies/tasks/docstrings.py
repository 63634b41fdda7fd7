"""A BERT of transformers that tells from a docstring's words which package it is of."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import torch
from torch import nn

import amc
from experiments.studies.tasks.case import Case, Work
from experiments.studies.tasks.training import trained

PACKAGES = ("numpy", "scipy", "sklearn", "sympy", "torch")
"""All of them are there where this project and scikit-learn are installed."""
LENGTH = 48
"""Words of a docstring that are read; many are shorter, and padded."""
SHORTEST = 8
WORDS = 4000
"""Of the vocabulary; the first are for padding, the start and words that are not in it."""
PADDING, START, UNKNOWN = 0, 1, 2
MOST = 2400
"""Docstrings of one package."""

Texts = list[tuple[list[str], int]]
"""Words, and the number of their package."""


def _docstrings(package: str) -> Iterator[tuple[int, list[str]]]:
    """Of each docstring the number of its file, and its words without the packages' names."""
    found = find_spec(package)
    assert found is not None
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0])
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Module)
    for number, path in enumerate(sorted(folder.rglob("*.py"))):
        if "tests" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError:  # Of a newer Python than this one.
            continue
        for node in ast.walk(tree):
            text = ast.get_docstring(node) if isinstance(node, kinds) else None
            words = re.findall(r"[a-z]+|[^a-z\s]", (text or "").lower())
            words = [word for word in words if word not in PACKAGES]
            if len(words) >= SHORTEST:
                yield number, words[: LENGTH - 1]


@cache
def _texts(most: int) -> tuple[Texts, Texts, Texts]:
    """To train on, to score on and to test on, of different files; so many of a package."""
    parts: tuple[Texts, Texts, Texts] = ([], [], [])
    for label, package in enumerate(PACKAGES):
        for number, words in islice(_docstrings(package), most):
            parts[{8: 1, 9: 2}.get(number % 10, 0)].append((words, label))
    return parts


def _vocabulary(texts: Texts) -> dict[str, int]:
    counts = Counter(word for words, _ in texts for word in words)
    known = [word for word, _ in counts.most_common(WORDS - UNKNOWN - 1)]
    return {word: number for number, word in enumerate(known, start=UNKNOWN + 1)}


def encoded(texts: Texts, known: Mapping[str, int]) -> amc.Samples:
    """Token ids and their mask, (count, `LENGTH`) each, and the packages."""
    tokens = torch.full((len(texts), LENGTH), PADDING)
    for row, (words, _) in zip(tokens, texts, strict=True):
        numbers = [START, *(known.get(word, UNKNOWN) for word in words)]
        row[: len(numbers)] = torch.tensor(numbers)
    labels = torch.tensor([label for _, label in texts])
    mask = (tokens != PADDING).long()
    return amc.Samples({"input_ids": tokens, "attention_mask": mask}, labels)


def bert(width: int, layers: int) -> nn.Module:
    """With random weights; it answers its logits alone."""
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
    )
    config.num_labels = len(PACKAGES)
    return amc.returning(BertForSequenceClassification(config), "logits")


def make(small: bool) -> Work:
    """Trained on eight tenths of the files."""
    texts = _texts(200 if small else MOST)
    known = _vocabulary(texts[0])
    train, holdout, test = (encoded(part[::20] if small else part, known) for part in texts)
    task = amc.Classification(train, holdout, test)
    network = bert(16, 1) if small else bert(128, 4)
    recipe = amc.Recipe(lr=5e-4, optimizer="adamw", batch_size=32, warmup=0.1)
    trained("docstrings", network, task, recipe, 4 if small else 1200, keep=not small)
    tuning = amc.Recipe(lr=3e-4, optimizer="adamw", batch_size=32)
    example = train.take(slice(0, 1)).inputs
    return Work(network, example, task, tuning, 4 if small else 100)


CASE = Case(
    "a BERT of four layers that tells docstrings of five packages apart, accuracy",
    make,
    "macs=0.3",
    60,
)
