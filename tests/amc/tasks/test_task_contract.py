"""What every task has in common: it is scored, searched, refit, fine-tuned and raced or refused."""

from __future__ import annotations

import copy

import pytest
import torch
from task_cases import CASES, Case

import amc
from amc.evaluation import fast_score, score
from amc.finetuning import check_tunable, fit
from amc.tasks import Samples

BUDGET = [amc.Budget.parse("macs=0.6")]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def problem(case: Case, **options: object) -> amc.Problem:
    return amc.Problem(case.model, case.example, BUDGET, case.task, **options)  # type: ignore[arg-type]


def test_a_search_finds_a_network_within_the_budget_and_tells_its_score(case: Case) -> None:
    before = copy.deepcopy(case.model.state_dict())
    found = amc.search(
        case.model, case.example, case.task, budget="macs=0.6", strategy="random", episodes=4
    )
    assert found.costs["macs"] <= 0.6 * found.unpruned_costs["macs"]
    # What is told is the score of the network that is handed over; the fast path rounds otherwise.
    assert score(found.network, found.task) == pytest.approx(found.score, rel=0.02, abs=0.09)
    better = [one for one in found.outcomes if one.merit > found.result.best.merit]
    assert not better
    assert all(0 <= one.merit <= 1 for one in found.outcomes)
    assert all(torch.equal(own, before[name]) for name, own in case.model.state_dict().items())


def test_merits_put_scores_in_their_order(case: Case) -> None:
    made = problem(case)
    full = made.graph.full
    outcomes = [made.evaluate([max(1, units // part) for units in full]) for part in (1, 2, 4)]
    sign = 1 if made.task.score.higher_is_better else -1
    by_score = sorted(outcomes, key=lambda one: sign * one.score)
    assert by_score == sorted(outcomes, key=lambda one: one.merit)


def test_the_fast_path_tells_the_same(case: Case) -> None:
    made = problem(case)
    plain = score(case.model, made.task)
    fast = fast_score(copy.deepcopy(case.model), made.graph, made.task)
    assert fast == pytest.approx(plain, rel=0.02, abs=0.09)


def test_a_network_is_fine_tuned_by_the_tasks_own_loss_or_refused_by_name(case: Case) -> None:
    made = problem(case)
    if case.task.train_loader is None:
        with pytest.raises(ValueError, match="give train_loader"):
            check_tunable(made.task, "this")
        return
    check_tunable(made.task, "this")
    network = made.trainable([max(1, units // 2) for units in made.graph.full])
    losses: list[float] = []
    recipe = amc.Recipe(lr=0.01, batch_size=8, optimizer="adamw")
    fit(network, made.task, recipe, steps=12, on_step=lambda *told: losses.append(told[2]))
    assert len(losses) == 12
    assert sum(losses[-3:]) < sum(losses[:3])


def test_netadapt_tunes_and_scores_by_the_task_or_refuses_it(case: Case) -> None:
    if case.task.train_loader is None:
        with pytest.raises(ValueError, match=r"netadapt fine-tunes .*there is nothing to train on"):
            amc.search(case.model, case.example, case.task, budget=BUDGET, strategy="netadapt")
        return
    found = amc.search(case.model, case.example, case.task, budget=BUDGET, strategy="netadapt")
    assert found.result.tuned_steps > 0


@pytest.mark.parametrize("criterion", ["taylor", "regression"])
def test_criteria_read_the_tasks_data_and_loss_or_say_what_they_lack(
    case: Case, criterion: str
) -> None:
    lacks = case.task.data_loader is None or (criterion, case.task.loss_func) == ("taylor", None)
    if lacks:
        with pytest.raises(ValueError, match=r"there are none|give loss_func"):
            problem(case, criterion=criterion)
        return
    made = problem(case, criterion=criterion)
    assert all(torch.isfinite(one).all() for one in made.ranking)
    assert any(one.unique().numel() > 1 for one in made.ranking)


def test_it_is_raced_where_a_sample_has_a_bounded_number_of_its_own(case: Case) -> None:
    metric, data = case.task.metric, case.task.score_loader
    raced = metric is not None and metric.each and isinstance(data, Samples)
    if not raced:
        with pytest.raises(ValueError, match="leave racing out"):
            problem(case, racing=0.01)
        return
    made, plain = problem(case, racing=0.01), problem(case)
    kept = [[max(1, units // part) for units in made.graph.full] for part in (2, 3, 4)]
    found = [made.evaluate(one) for one in kept]
    best = max((one for one in found if one.seen is None), key=lambda one: one.merit)
    wanted = max((plain.evaluate(one) for one in kept), key=lambda one: one.merit)
    assert best.score == pytest.approx(wanted.score, abs=0.05)


def test_a_found_network_is_saved_and_reported_on(case: Case, tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = amc.search(case.model, case.example, case.task, budget="macs=0.6", strategy="uniform")
    found.save(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert found.task.score.name in page.lower() or found.task.score.name in page
    assert (found.task.score.name == "accuracy") == ("accuracy" in page.lower())
