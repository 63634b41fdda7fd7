"""What a comparison comes to, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

from amc.costs import MODELLED
from amc.tasks import ACCURACY, Score
from experiments.report.choice import choice_sentence
from experiments.report.comparison import Comparison, Run, compare
from experiments.report.convergence import excesses
from experiments.report.score import margin
from experiments.report.seeds import Averaged, averaged, finals, leads, with_interval
from experiments.report.speed import speed
from experiments.runs import Remeasured, RunResult, Scores
from experiments.terminal import cost_name, count, join_words, percent, printable, scored

EQUAL = 0.02
"""MACs that differ by no more than this part count as equal."""

WORSE = 0.02
"""Part of a score's range, or of the score, that fine-tuning may lose without a word."""

UNEQUAL = 0.05
"""Times of equal MACs that differ by more than this part are worth a word."""


def final(result: RunResult) -> Scores:
    """The network's scores after the last step that the run made."""
    return result.finetuned or result.searched


def best(runs: Sequence[Run]) -> Run:
    """The run that ends best on held-out samples; test samples only judge it."""
    return max(runs, key=lambda run: standing(run.result))


def standing(result: RunResult) -> float:
    """What runs are put in order by, higher being better: on held-out samples, after tuning."""
    return result.score.sign * final(result).holdout


def leaders(comparison: Comparison) -> list[Run]:
    """The best run under each budget."""
    return [best(runs) for runs in _by_budget(comparison)]


def headlines(comparison: Comparison) -> list[str]:
    """What came of each budget: of its best run, or of its best strategy over several seeds."""
    found = averaged(comparison)
    if not found:
        return [_headline(runs) for runs in _by_budget(comparison)]
    budgets = dict.fromkeys(one.runs[0].result.budgets for one in found)
    return [
        _headline_over_seeds([one for one in found if one.runs[0].result.budgets == each])
        for each in budgets
    ]


def _by_budget(comparison: Comparison) -> list[list[Run]]:
    budgets = dict.fromkeys(run.result.budgets for run in comparison.runs)
    return [[run for run in comparison.runs if run.result.budgets == each] for each in budgets]


def _headline(runs: Sequence[Run]) -> str:
    run = best(runs)
    result = run.result
    step = "after fine-tuning" if result.finetuned else "without fine-tuning"
    return (
        f"{run.label} {_made(run)} with {join_words(_costs(result))}, and with "
        f"{told_score(result)} of {_valued(result, final(result))} {step}, against "
        f"{_valued(result, result.unpruned)} unpruned.{_rivals(run, runs)}"
    )


def over_seeds(results: Sequence[RunResult]) -> list[str]:
    """The headlines of strategies with several seeds; nothing where a run stands alone."""
    return [
        line
        for comparison in compare(results)
        if averaged(comparison)
        for line in headlines(comparison)
    ]


def _headline_over_seeds(found: Sequence[Averaged]) -> str:
    winner = max(found, key=lambda one: one.mean(standing))
    result = winner.runs[0].result
    step = "after fine-tuning" if result.finetuned else "without fine-tuning"
    others = [one for one in found if one is not winner]
    ahead = leads(winner, others, final)
    return (
        f"Over {count(len(winner.runs), 'seed')} {winner.series.label} {_made_over_seeds(winner)} "
        f"with {told_score(result)} of "
        f"{with_unit(with_interval(finals(winner, final)), result.score)} {step}, against "
        f"{_valued(result, result.unpruned)} unpruned.{f' That is {ahead}.' if others else ''}"
    )


def _made_over_seeds(own: Averaged) -> str:
    name, verdicts = printable(own.runs[0].result.model), own.verdicts
    if own.times is None:
        return f"leaves {name}"
    doubt = [verdict for verdict in verdicts if verdict != "faster"]
    told = f" (in {len(doubt)} of {len(verdicts)} runs {doubt[0]})" if doubt else ""
    return f"makes {name} {own.times:.2f} times as fast{told},"


def _made(run: Run) -> str:
    """What became of the network, its speed first where that was measured."""
    found, name = speed(run), printable(run.result.model)
    if found is None:
        return f"leaves {name}"
    times = f"{found.times:.2f} times as fast"
    if found.verdict == "faster":
        return f"makes {name} {times},"
    return f"leaves {name} {found.verdict} ({times}),"


def told_score(result: RunResult) -> str:
    """What is told of a network, with its article: "a test accuracy", "a held-out perplexity"."""
    where = "held-out" if result.unpruned.test is None else "test"
    return f"a {where} {printable(result.score.name)}"


def _valued(result: RunResult, scores: Scores) -> str:
    """A score with its unit."""
    return with_unit(scored(scores.final), result.score)


def with_unit(value: str, score: Score) -> str:
    """A value with the unit of its score, where that has one."""
    return f"{value} {printable(score.unit)}" if score.unit else value


def worse_sentence(label: str, result: RunResult) -> str:
    """What to say of a network that fine-tuning made worse, and what may mend it; else nothing."""
    if result.finetuned is None:
        return ""
    before, after = result.searched.holdout, result.finetuned.holdout
    low, high = result.score.bounds or (0.0, abs(before))
    if result.score.sign * (before - after) <= WORSE * (high - low):
        return ""
    return (
        f"Fine-tuning made the network of {label} worse, by its {printable(result.score.name)} on "
        f"held-out samples: {with_unit(scored(after), result.score)} in place of "
        f"{with_unit(scored(before), result.score)}. A lower --finetune-lr, another "
        "--finetune-optimizer, --distill or --patience may mend that."
    )


def proof_sentence(label: str, result: RunResult) -> str:
    """Whether a network that was to be as small as may be keeps to its goal; else nothing."""
    proof = result.proof
    if proof is None:
        return ""
    name, drop = printable(result.score.name), proof.goal.startswith("--max-drop")
    sure = f"with {1 - proof.chance:.0%} certainty"
    most = "loses at most" if drop else f"has at {'least' if result.score.sign > 0 else 'most'}"
    measured = (
        f"on {count(proof.samples, 'held-out sample')} that the search has not seen it has "
        f"{with_unit(scored(proof.pruned), result.score)}, against "
        f"{with_unit(scored(proof.unpruned), result.score)} unpruned, and {sure} {most} "
        f"{scored(max(0.0, proof.bound) if drop else proof.bound)}"
    )
    tried = f"{count(proof.tried, 'network')} of the front {'was' if proof.tried == 1 else 'were'}"
    if proof.holds:
        return (
            f"The network of {label} is the cheapest found that keeps to {proof.goal} by its "
            f"{name}: {measured} ({tried} fine-tuned)."
        )
    return (
        f"No network surely keeps to {proof.goal}; that of {label} costs most: {measured} ({tried} "
        "fine-tuned). A weaker goal, longer fine-tuning, more --episodes or fewer --search-images, "
        "which leave more samples to judge by, may mend that."
    )


def _costs(result: RunResult) -> list[str]:
    """What is left of the costs that budgets limit, else of all that changed."""
    limited = {budget.cost for budget in result.budgets}
    told = result.told_costs
    changed = {name: cost for name, cost in told.items() if cost.fraction < 1}
    asked = {name: cost for name, cost in told.items() if name in limited}
    return [
        f"{percent(cost.fraction)} of its {cost_name(name)}"
        for name, cost in (asked or changed or told).items()
    ]


def _rivals(winner: Run, runs: Sequence[Run]) -> str:
    others = sorted(
        (run for run in runs if run is not winner), key=lambda run: -standing(run.result)
    )
    if not others:
        return ""
    second = others[0]
    lead = standing(winner.result) - standing(second.result)
    ahead = f"{scored(lead)} ahead of" if lead > 0 else "level with"
    doubt = _doubt(winner, lead)
    return f" On the held-out samples it is {ahead} the next best, {second.label}{doubt}."


def _doubt(winner: Run, lead: float) -> str:
    """Whether so many images tell two such networks apart."""
    images = winner.result.samples.get("holdout", 0)
    if not images or lead <= 0 or winner.result.score != ACCURACY:
        return ""
    # That of a difference of two, as if they erred independently; they err less apart than that.
    sure = math.sqrt(2) * margin(final(winner.result).holdout, images)
    return "" if lead > sure else f", which {count(images, 'image')} cannot tell from chance"


def notes(comparison: Comparison) -> list[str]:
    """What to keep in mind when the numbers are compared."""
    runs = comparison.runs
    found = [proof_sentence(run.label, run.result) for run in runs]
    found += [choice_sentence(run.label, run.result) for run in runs]
    found += [*map(_excess, runs), *map(_latency, runs), _tuned(runs), _fine_tuning(runs)]
    found += [_in_bytes(run) for run in runs]
    found += [worse_sentence(run.label, run.result) for run in runs]
    found += [_unequal(runs), _seeds(comparison), *_modelled(runs)]
    return [note for note in found if note]


def _modelled(runs: Sequence[Run]) -> list[str]:
    """What budgeted costs are that nobody measured."""
    budgeted = {budget.cost for run in runs for budget in run.result.budgets}
    return [f"{text[0].upper()}{text[1:]}." for name, text in MODELLED.items() if name in budgeted]


def _excess(run: Run) -> str:
    broken = join_words([printable(str(budget)) for budget in excesses(run.result)])
    return f"{run.label} does not meet its budget {broken}." if broken else ""


def _latency(run: Run) -> str:
    found = run.result.latency
    return "" if found is None else latency_sentence(run.label, found)


def _in_bytes(run: Run) -> str:
    line = in_bytes_line(run.label, run.result)
    return f"{line}." if line else ""


def latency_line(label: str, found: Remeasured) -> str:
    """The same in short."""
    return (
        f"{label}: a pass takes {1e3 * found.pruned:.3f} ms, {percent(found.fraction)} of the "
        f"unpruned network's {1e3 * found.unpruned:.3f} ms ({1e3 * found.predicted:.3f} ms were "
        f"predicted; one network measured twice differs by {percent(found.noise)})"
    )


def in_bytes_line(label: str, result: RunResult) -> str:
    """What the network is worth in 8-bit integers, beside 32-bit floats; empty where untold."""
    if result.in_bytes is None:
        return ""
    return (
        f"{label} in 8-bit integers, in which its time is measured: {told_score(result)} of "
        f"{_valued(result, result.in_bytes)}, in 32-bit floats {_valued(result, final(result))} "
        "(onnxruntime's static quantisation, without tuning behind it)"
    )


def latency_sentence(label: str, found: Remeasured) -> str:
    """The latency that was promised beside that of the network itself."""
    return (
        f"Measured at the end, a pass of {label}'s network takes {1e3 * found.pruned:.3f} ms, "
        f"{percent(found.fraction)} of the unpruned network's {1e3 * found.unpruned:.3f} ms; "
        f"{1e3 * found.predicted:.3f} ms were predicted, and one network measured twice differs by "
        f"{percent(found.noise)}.{_medians(found)}{_bound_sentence(found.bound)}"
    )


def _medians(found: Remeasured) -> str:
    if not found.pruned_median:
        return ""
    return (
        " These are passes that little disturbed, which repeat best; the medians of all passes are "
        f"{1e3 * found.pruned_median:.3f} and {1e3 * found.unpruned_median:.3f} ms."
    )


def _bound_sentence(bound: float) -> str:
    if bound == 1:
        return ""
    slower = "slower" if bound < 1 else "faster"
    return (
        f" Its candidates were measured to be {slower} than predicted, so predictions were held to "
        f"{percent(bound)} of the budget."
    )


def _unequal(runs: Sequence[Run]) -> str:
    """The two runs of equal MACs whose times are furthest apart."""
    pairs = [
        (_time(slow.result) / _time(fast.result), slow, fast)
        for slow, fast in permutations([run for run in runs if _has_latency(run.result)], 2)
        if abs(_macs(slow.result) / _macs(fast.result) - 1) <= EQUAL
    ]
    apart, slow, fast = max(pairs, key=lambda pair: pair[0], default=(1.0, None, None))
    if slow is None or fast is None or apart < 1 + UNEQUAL:
        return ""
    return (
        f"Equal MACs are not equal time: with {percent(_macs(slow.result))} of them {slow.label} "
        f"takes {percent(_time(slow.result))} of the unpruned network's time, with "
        f"{percent(_macs(fast.result))} {fast.label} {percent(_time(fast.result))}."
    )


def _has_latency(result: RunResult) -> bool:
    return {"macs", "latency"} <= set(result.costs)


def _macs(result: RunResult) -> float:
    return result.costs["macs"].fraction


def _time(result: RunResult) -> float:
    """What is left of it: measured at the end where that was done, else predicted."""
    return result.latency.fraction if result.latency else result.costs["latency"].fraction


def _tuned(runs: Sequence[Run]) -> str:
    tuned = [run for run in runs if run.result.tuned_steps]
    if not tuned:
        return ""
    steps = [f"{run.label}: {count(run.result.tuned_steps, 'gradient step')}" for run in tuned]
    return (
        f"* Trained inside the search: {'; '.join(steps)}. After the search that is an advantage "
        "over networks that had none; compare after fine-tuning."
    )


def _fine_tuning(runs: Sequence[Run]) -> str:
    steps = sorted({run.result.finetune_steps for run in runs if run.result.finetuned})
    if not steps:
        return "No network was fine-tuned after its search."
    if len(steps) > 1:
        return "Fine-tuning took different numbers of steps, so the runs are not on equal terms."
    return f"Fine-tuning after the search took {count(steps[0], 'gradient step')}."


def _seeds(comparison: Comparison) -> str:
    seeds = {run.result.seed for run in comparison.runs}
    if len(comparison.runs) == 1 or len(seeds) > 1:
        return ""
    return (
        "Each strategy ran with one seed: take differences of a few thousandths for chance until "
        "more seeds confirm them."
    )
