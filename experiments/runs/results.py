"""What a run leaves behind, as plain data that JSON can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from amc.costs import Stored
from amc.costs.latency import LATENCY
from amc.granularity import CHANNELS, Unit
from amc.history import Outcome
from amc.parsing import Amount, Count, Number, Positive, Rank, Share, read_json, read_record
from amc.policy import GroupChoice
from amc.tasks import ACCURACY, Score
from experiments.disk import read_yaml, write_whole
from experiments.runs.result_checks import mistakes
from experiments.settings import Budgets, benchmark_runs, split_words

SCHEMA_VERSION = 3
READ_VERSIONS = (1, 2, 3)

RENAMED = {"ddpg": "gp-rollout"}
"""Strategies of results of version 1 by the names that they have now."""

MAX_BYTES = 256_000_000


@dataclass(frozen=True)
class Scores:
    """The task's score of one network.

    Args:
        holdout: On the samples that the search measures on.
        test: On those of the test, which no step of the search sees; None where there are none.
    """

    holdout: Number
    test: Number | None

    @property
    def final(self) -> float:
        """What is told of the network: on the test samples where there are some."""
        return self.holdout if self.test is None else self.test


@dataclass(frozen=True)
class Trained:
    """Of the result of a training, what is read again."""

    accuracy: Scores

    def __post_init__(self) -> None:
        for value in (self.accuracy.holdout, self.accuracy.test):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"its accuracy is {value:g}")

    @classmethod
    def load(cls, path: Path) -> Trained:
        """Read it from the file that a training left.

        Raises:
            OSError: if there is none.
            ValueError: if it is none.
        """
        try:
            return read_record(cls, read_json(path.read_bytes()), others=True)
        except ValueError as error:
            raise ValueError(
                f"{path}: not the result of a training ({error}); begin anew with --overwrite"
            ) from None


@dataclass(frozen=True)
class CostChange:
    """One cost before and after pruning, in `unit`."""

    unit: str
    unpruned: Positive
    pruned: Amount

    @property
    def fraction(self) -> float:
        """What is left of it, in [0, 1]."""
        return self.pruned / self.unpruned


@dataclass(frozen=True)
class Remeasured:
    """Latency of both networks at the end, timed whole on the device of the run's table.

    Args:
        unpruned: Seconds of a pass.
        pruned: The same.
        predicted: Of the pruned one, by the table.
        noise: Relative difference of two timings of one network.
        bound: The part of the budget that predictions were held to in the end, so that the
            network itself meets it; above 1 where networks are faster than predicted.
        unpruned_median: Seconds, of all passes with what disturbed them, where those above are of
            passes that little disturbed; 0 in results of earlier releases.
        pruned_median: The same.
    """

    unpruned: Positive
    pruned: Positive
    predicted: Amount
    noise: Amount
    bound: Positive = 1.0
    unpruned_median: Amount = 0.0
    pruned_median: Amount = 0.0

    @property
    def fraction(self) -> float:
        """What is left of the time."""
        return self.pruned / self.unpruned


@dataclass(frozen=True)
class Pace:
    """How long a pass of both networks takes in PyTorch, timed in turns when the run ends.

    Args:
        unpruned: Seconds.
        pruned: Seconds.
        times: Lower quartile, median and upper quartile of how many times as fast the pruned one
            is, over the turns.
        where: Device and inputs.
    """

    unpruned: Positive
    pruned: Positive
    times: tuple[Positive, Positive, Positive]
    where: str


@dataclass(frozen=True)
class Proof:
    """Whether a network's score holds, on held-out samples that its search has not seen.

    Args:
        goal: As it was typed.
        unpruned: The unpruned network's score on them.
        pruned: The network's, fine-tuned.
        bound: Of a greatest drop the most that it may be, of a floor the least that the score may
            be, but for the chance.
        chance: Highest probability that the bound is wrong, whichever network had been chosen.
        samples: How many there are.
        tried: Networks that were fine-tuned to find it.
        holds: Whether the bound keeps to the goal.
    """

    goal: str
    unpruned: Number
    pruned: Number
    bound: Number
    chance: Share
    samples: Count
    tried: Count
    holds: bool


@dataclass(frozen=True)
class Finalist:
    """A candidate that was fine-tuned for a short while to see whether it is the one to take.

    Args:
        name: What it is called.
        kept: Units that stay, per group.
        searched: Its score as the search measured it.
        looks: On all held-out samples after each of its short fine-tunings.
    """

    name: str
    kept: tuple[int, ...]
    searched: Number
    looks: tuple[Number, ...]


@dataclass(frozen=True)
class Choice:
    """Among which finalists a network was chosen, by short fine-tunings of more and more steps.

    Args:
        finalists: The search's own choice first.
        steps: Gradient steps of each round.
        chosen: Name of the one that was taken.
    """

    finalists: tuple[Finalist, ...]
    steps: tuple[Count, ...]
    chosen: str


@dataclass(frozen=True)
class Tried:
    """A policy of a search, fine-tuned to see whether its score foretold what it would become.

    Args:
        number: Of the evaluation in the search.
        kept: Units that stay, per group.
        searched: Its score as the search measured it.
        scores: On the same samples before fine-tuning, by what was repaired after the cut.
        finetuned: After fine-tuning, on samples that no search sees.
    """

    number: Count
    kept: tuple[int, ...]
    searched: Number
    scores: Mapping[str, Number]
    finetuned: Number


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of a score with that after fine-tuning.

    Args:
        score: What was repaired after the cut.
        rho: In [-1, 1].
        low: Lower end of its 95% interval.
        high: Upper end.
    """

    score: str
    rho: Rank
    low: Rank
    high: Rank


@dataclass(frozen=True)
class Trust:
    """How far a search's score may be trusted, as `amc trust` measures it.

    Args:
        policies: Fine-tuned, from the worst score of the search to the best.
        correlations: Of each score, in the order of more and more repairs.
        own: The score that the search itself went by.
        terms: How they were fine-tuned and measured.
        seconds: That it took.
    """

    policies: tuple[Tried, ...]
    correlations: tuple[Correlation, ...]
    own: str
    terms: Mapping[str, Any]
    seconds: Amount


@dataclass(frozen=True)
class RunResult:
    """The result of one strategy on one problem.

    Args:
        strategy: Its short name.
        model: Name of the network.
        dataset: Name of the data set.
        seed: Of the search.
        budgets: As given; a file has them as texts, such as macs=0.5.
        unpruned: Scores of the network as it came.
        searched: Of the pruned network as the search left it, before fine-tuning.
        finetuned: After fine-tuning; None where there was none.
        costs: By short name.
        granularity: What a unit is; the same.
        pace: How fast the network is in PyTorch; None where that was not measured.
        latency: Where the run had a latency table of this device, what was measured at the end.
        in_bytes: Scores of the network in 8-bit integers, where its time was measured in them.
        stored: Where weights are masked, what each layer takes in each sparse format.
        groups: Kept and total units of each group, in forward order.
        evaluations: All candidates, in order; network states of strategies that fine-tune included.
        seconds: Of "prepare", "search", "choose" and "finetune".
        tuned_steps: Gradient steps that the searched network had inside the search.
        finetune_steps: Gradient steps after the search.
        most_evaluations: That the search could make; None where it cannot be known.
        samples: How many scores are measured on: "search", "holdout" and "test"; empty where an
            earlier release did not say, or a function of the user's own does not tell.
        score: What the scores are.
        config: The run's settings.
        machine: Versions and processor that the run was made with.
        trust: What `amc trust` has added; None where it was not asked.
        proof: Where the network was to be as small as may be, whether its score holds.
        choice: Where the network was chosen by short fine-tunings, among which.
    """

    strategy: str
    model: str
    dataset: str
    seed: int
    budgets: Budgets
    unpruned: Scores
    searched: Scores
    finetuned: Scores | None
    costs: Mapping[str, CostChange]
    groups: tuple[GroupChoice, ...]
    evaluations: tuple[Outcome, ...]
    seconds: Mapping[str, Amount]
    granularity: Unit = CHANNELS
    stored: tuple[Stored, ...] = ()
    pace: Pace | None = None
    latency: Remeasured | None = None
    in_bytes: Scores | None = None
    tuned_steps: Count = 0
    finetune_steps: Count = 0
    most_evaluations: Count | None = None
    samples: Mapping[str, Count] = field(default_factory=dict)
    score: Score = ACCURACY
    config: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    trust: Trust | None = None
    proof: Proof | None = None
    choice: Choice | None = None

    @property
    def told_costs(self) -> Mapping[str, CostChange]:
        """`costs`, with that of latency as it was measured in the end, where it was."""
        if self.latency is None or LATENCY not in self.costs:
            return self.costs
        unit = self.costs[LATENCY].unit
        measured = CostChange(unit, self.latency.unpruned, self.latency.pruned)
        return {**self.costs, LATENCY: measured}

    def save(self, path: Path) -> None:
        """Write the result as JSON, whole or not at all."""
        write_whole(path, json.dumps(self.plain(), indent=1) + "\n")

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        texts = {"budgets": [*map(str, self.budgets)], "granularity": str(self.granularity)}
        made = asdict(self)
        return {"schema_version": SCHEMA_VERSION, "pace": made.pop("pace"), **made, **texts}

    @classmethod
    def load(cls, path: Path) -> RunResult:
        """Read a result that `save` wrote.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: if it is not a result of this schema version.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no result at {path}; `amc search --out RUN` writes one")
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError("too large for one")
            return result_of(read_json(path.read_bytes()))
        except ValueError as error:
            raise ValueError(
                f"{path}: not the result of a pruning run of this release ({error}); "
                "name another run, or run it again"
            ) from None


def result_of(data: Any) -> RunResult:
    """The result that JSON gave.

    Raises:
        ValueError: naming the first part that is wrong.
    """
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")
    if "schema_version" not in data:
        raise ValueError("it has no schema_version; a training leaves such a one, without a policy")
    version = data.pop("schema_version")
    if type(version) is not int or version not in READ_VERSIONS:
        raise ValueError(f"schema version {version!r}, not {SCHEMA_VERSION}")
    result = read_record(RunResult, _as_now(data, version))
    for mistake in mistakes(result):
        raise ValueError(mistake)
    return result


def _as_now(data: dict[str, Any], version: int) -> dict[str, Any]:
    """What an earlier version wrote, as it is written now."""
    made = _rename(data) if version < 2 else data
    if version == SCHEMA_VERSION:
        return made
    made = {"samples" if name == "images" else name: own for name, own in made.items()}
    if isinstance(trust := made.get("trust"), dict) and isinstance(trust.get("terms"), dict):
        made["trust"] = {**trust, "terms": of_samples(trust["terms"])}
    if not isinstance(made.get("evaluations"), list):
        return made
    return {**made, "evaluations": [_scored(one) for one in made["evaluations"]]}


def of_samples(terms: Mapping[str, Any]) -> dict[str, Any]:
    """Terms of a trust whose samples were called images, as all were."""
    return {name.replace("_images", "_samples"): own for name, own in terms.items()}


def _scored(evaluation: Any) -> Any:
    """An evaluation whose score was called accuracy, as all were."""
    if not isinstance(evaluation, dict):
        return evaluation
    return {"score" if name == "accuracy" else name: own for name, own in evaluation.items()}


def _rename(data: dict[str, Any]) -> dict[str, Any]:
    """With the name that a strategy has now, in the settings too."""
    made, config = dict(data), data.get("config")
    for part in (made, config):
        if isinstance(part, dict) and isinstance(name := part.get("strategy"), str):
            part["strategy"] = RENAMED.get(name, name)
    return made


def run_folders(folder: Path) -> list[Path]:
    """A run's own folder, or those of every run inside a folder of them.

    Of a benchmark's folder these are the strategies that it named, whatever was there before.
    Trained networks among them, which have no policy, are passed over.
    """
    nested = sorted(folder.glob("*/result.json"))
    paths = [path for path in nested if path.with_name("policy.json").is_file()]
    if (named := folders_of_benchmark(folder)) is not None:
        paths = [path for path in paths if path.parent.name in named]
    return [path.parent for path in paths] or [folder]


def folders_of_benchmark(folder: Path) -> set[str] | None:
    """The run folders of a benchmark, as its settings name them; None where there was none."""
    try:
        settings = read_yaml(folder / "config.yaml")
        names = split_words(settings["strategies"])
        runs = benchmark_runs(names, settings.get("seed", 0), settings.get("seeds", 1))
        return {folder for _, _, folder in runs}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None
