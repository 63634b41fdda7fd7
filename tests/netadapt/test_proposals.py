"""One proposal: how much of a group goes."""

import pytest
from small_networks import trainable

from netadapt.proposals import propose


@pytest.mark.parametrize("target", [3.0, 2.2, 1.7, 1.3, 1.0, 0.8])
def test_a_proposal_keeps_the_most_units_that_meet_the_target(target: float) -> None:
    problem = trainable("macs=0.4", "params=0.35")
    kept = tuple(units - 1 for units in problem.graph.full)
    for group, counts in enumerate(problem.limits.counts):
        meeting = [
            tried
            for count in counts
            if count < kept[group]
            and problem.limits.use(tried := (*kept[:group], count, *kept[group + 1 :])) <= target
        ]
        assert propose(problem.limits, kept, group, target) == max(meeting, default=None)


def test_the_resource_is_the_use_of_the_scarcest_budget() -> None:
    problem = trainable("macs=0.5", "params=0.25")
    assert problem.limits.use(problem.graph.full) == pytest.approx(4)
    kept = problem.limits.smallest
    shares = [
        problem.costs[name](kept) / problem.costs[name](problem.graph.full)
        for name in ("macs", "params")
    ]
    assert problem.limits.use(kept) == pytest.approx(max(shares[0] / 0.5, shares[1] / 0.25))
