"""Accuracy on samples, as a task of classification tells it: what studies and tests look into."""

from __future__ import annotations

from torch import Tensor, nn

from amc.evaluation import fast_numbers, fast_score, numbers, score
from amc.graph import PruningGraph
from amc.problem import Problem
from amc.tasks import Classification, Samples


def accuracy(
    model: nn.Module, samples: Samples, batch_size: int = 100, *, half: bool = False
) -> float:
    """Of a network as it is, in [0, 1]; as `amc.evaluation.score` takes its arguments."""
    return score(model, Classification(None, samples), batch_size=batch_size, half=half)


def hits(
    model: nn.Module, samples: Samples, batch_size: int = 100, *, half: bool = False
) -> Tensor:
    """(samples,) whether each is classified rightly by a network as it is."""
    task = Classification(None, samples)
    return numbers(model, task, samples, batch_size=batch_size, half=half)


def fast_accuracy(model: nn.Module, graph: PruningGraph, samples: Samples) -> float:
    """Of a network that nobody needs afterwards, in [0, 1]: it is changed for speed."""
    return fast_score(model, graph, Classification(None, samples))


def fast_margins(model: nn.Module, graph: PruningGraph, samples: Samples) -> Tensor:
    """(samples,) how clearly each is classified rightly, by a network that is made ready."""
    return fast_numbers(model, graph, Classification(None, samples), samples)


def held_out(problem: Problem) -> Samples:
    """What a problem's candidates are scored on, of those in memory.

    Raises:
        TypeError: if they are a stream.
    """
    data = problem.task.score_loader
    if not isinstance(data, Samples):
        raise TypeError("this looks into single samples, and a stream has none at hand")
    return data


def fast_hits(model: nn.Module, graph: PruningGraph, samples: Samples) -> Tensor:
    """(samples,) whether each is, the same."""
    return fast_margins(model, graph, samples) > 0
