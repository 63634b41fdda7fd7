"""From settings to a problem, a strategy, a tuned network."""

from experiments.search.bench import Bench
from experiments.search.calls import write_report, write_result
from experiments.search.choosing import chosen
from experiments.search.one_run import (
    apply_policy,
    chosen_strategy,
    count_of,
    finish,
    scores_of,
    search,
    told_again,
)
from experiments.search.policies import best_of
from experiments.search.problems import first_of, prepare
from experiments.search.searching import run_strategy
from experiments.search.smallest import smallest
from experiments.search.strategies import (
    begins_somewhere,
    expected_evaluations,
    is_agent,
    is_batched,
    make_strategy,
    tunes_weights,
)
from experiments.search.transfer import suggested
from experiments.search.tuning import RATE_KEY, check_tuning, recipe_of, told_rate, training_of

__all__ = [
    "RATE_KEY",
    "Bench",
    "apply_policy",
    "begins_somewhere",
    "best_of",
    "check_tuning",
    "chosen",
    "chosen_strategy",
    "count_of",
    "expected_evaluations",
    "finish",
    "first_of",
    "is_agent",
    "is_batched",
    "make_strategy",
    "prepare",
    "recipe_of",
    "run_strategy",
    "scores_of",
    "search",
    "smallest",
    "suggested",
    "told_again",
    "told_rate",
    "training_of",
    "tunes_weights",
    "write_report",
    "write_result",
]
