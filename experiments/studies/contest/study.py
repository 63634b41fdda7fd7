"""What a contest runs: networks, budgets, contenders, seeds, and in which order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from agents import AgentSearch, ImaginedDDPGSearch
from amc.parsing import look_up
from amc.problem import Strategy
from amc.strategies import GP, TPE, CmaEs, Evolution, RandomSearch, ResidualGP
from experiments.search import expected_evaluations, make_strategy

OURS = "residual-gp"
"""The default."""

RIVALS = ("gp-rollout", "evolution", "gp", "knapsack", "cma-es", "tpe")
"""Other searches, whom the default is to beat."""

RULES = ("uniform", "sensitivity", "netadapt")
"""Nothing in them is random, and they evaluate as often as they please."""

GROUPS = 16
"""Of the networks that are compared, about; for estimates of time."""

NAMES = (OURS, "uniform", *RIVALS, "random", "ddpg", "ddpg-paper", "sensitivity", "netadapt")
"""What a verdict needs comes first, what takes longest last."""

PARTS: Mapping[str, Mapping[str, Any]] = {
    "ddpg-imagined": {},
    "critic-alone": {"imitation": 0},
    "no-critic": {"updates": 0},
    "no-prior": {"prior": False},
}
"""The agent that imagines, and it without one of its parts, by their options."""


@dataclass(frozen=True)
class Contender:
    """A strategy as it takes part.

    Args:
        label: What tables call it.
        strategy: Short name.
        options: As on the command line, where they are not the defaults.
    """

    label: str
    strategy: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_name(cls, name: str) -> Contender:
        """A strategy with its defaults."""
        return cls(name, name)

    @classmethod
    def all(cls) -> tuple[Contender, ...]:
        """Who takes part, in their order."""
        parts = (cls(name, "ddpg-imagined", options) for name, options in PARTS.items())
        return (*map(cls.of_name, NAMES[:-2]), *parts, *map(cls.of_name, NAMES[-2:]))

    @property
    def is_rule(self) -> bool:
        """Whether one search, of as many evaluations as it likes, says all."""
        return self.strategy in RULES

    def make(self, episodes: int) -> Strategy:
        """The strategy, ready to search."""
        return make_strategy(self.strategy, episodes, self.options)

    def settings(self) -> dict[str, Any]:
        """All its settings but the number of episodes, as JSON has them."""
        made = asdict(self.make(1))  # type: ignore[call-overload]
        made.pop("episodes", None)
        settings: dict[str, Any] = json.loads(json.dumps(made, default=lambda kind: kind.__name__))
        return settings


@dataclass(frozen=True)
class Task:
    """One search.

    Args:
        network: Short name from the study.
        budget: As on the command line.
        contender: Who searches.
        evaluations: Counts whose results this search gives, ascending; none for a rule.
        seed: Of the search.
    """

    network: str
    budget: str
    contender: Contender
    evaluations: tuple[int, ...]
    seed: int

    @property
    def episodes(self) -> int:
        """Candidates to ask for."""
        return max(self.evaluations, default=1)

    @property
    def expected(self) -> int:
        """About as many evaluations as will be made."""
        return expected_evaluations(self.contender.strategy, self.episodes, GROUPS) or 1

    def words(self) -> set[str]:
        """What `--only` can call it by."""
        return {self.network, self.budget, self.contender.label, f"seed={self.seed}"}


@dataclass(frozen=True)
class Study:
    """Every contender on every network under every budget, from every seed.

    Args:
        contenders: Who takes part.
        networks: Short names.
        budgets: As on the command line.
        evaluations: Numbers of evaluations that searches are compared at.
        seeds: Of the searches; network, images and moments are the same for all.
    """

    contenders: tuple[Contender, ...]
    networks: tuple[str, ...]
    budgets: tuple[str, ...]
    evaluations: tuple[int, ...] = (100, 300)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)

    @property
    def cells(self) -> list[tuple[str, str]]:
        """Every network with every budget."""
        return list(product(self.networks, self.budgets))

    def tasks(self, only: Sequence[str] = ()) -> list[Task]:
        """All searches, one seed after the other, so that what is there is balanced at any time.

        Args:
            only: Networks, budgets, labels and seeds ("seed=0") to keep; of a kind that none is
                named of, all stay.

        Raises:
            LookupError: for a word that names nothing here.
        """
        kinds = (
            {*self.networks},
            {*self.budgets},
            {contender.label for contender in self.contenders},
            {f"seed={seed}" for seed in self.seeds},
        )
        for word in only:
            look_up({known: 0 for kind in kinds for known in sorted(kind)}, word, "--only")
        kept = [kind & {*only} or kind for kind in kinds]
        return [task for task in self._all() if all(task.words() & kind for kind in kept)]

    def _all(self) -> list[Task]:
        return [
            Task(network, budget, contender, counts, seed)
            for seed in self.seeds
            for contender in self.contenders
            for counts in courses(contender, self.evaluations)
            for network, budget in self.cells
            if not contender.is_rule or seed == self.seeds[0]
        ]


def courses(contender: Contender, evaluations: Sequence[int]) -> list[tuple[int, ...]]:
    """Counts of evaluations that one search gives together.

    A search that does not know how long it will last is, after 100 evaluations, where one of 100
    evaluations ends; any other has to be run for each count.
    """
    if contender.is_rule:
        return [()]
    longest = max(evaluations)
    whole = contender.make(longest)
    prefixes = [n for n in sorted(evaluations) if begins_as(contender.make(n), whole)]
    apart = [n for n in sorted(evaluations) if n not in prefixes and n != longest]
    return [(*(n for n in prefixes if n != longest), longest), *((n,) for n in apart)]


def begins_as(short: Strategy, long: Strategy) -> bool:
    """Whether the longer search goes the way of the shorter one as far as that goes."""
    if isinstance(short, AgentSearch) and isinstance(long, AgentSearch):
        return short.begins_as(long)
    # Where the longer one may look at no more branches than the shorter: at few of them all do.
    known = ResidualGP | Evolution | RandomSearch | TPE | CmaEs | GP | ImaginedDDPGSearch
    return isinstance(long, known)
