"""From a plan over a device's answer to a table, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from answers import DEVICE, answer, in_blocks
from exported import Exported

from amc.costs.latency import Latency, LatencyTable, by_table, measured_counts
from amc.costs.latency import in_blocks as whole_blocks
from amc.granularity import Rounding
from experiments.latency.profiling.carrying import fingerprint
from experiments.latency.profiling.measuring import table
from experiments.latency.profiling.plan import Plan, plan_of
from experiments.latency.profiling.program import shapes
from experiments.latency.profiling.segments import segments


@pytest.fixture(scope="module")
def plan(small: Exported) -> Plan:
    return plan_of(small.template, Rounding(1, 0.9), fed=True)


@pytest.fixture(scope="module")
def found(plan: Plan) -> LatencyTable:
    return table(plan, answer(plan, in_blocks, constant=2e-6, scale=1.25), "small")


def truth(small: Exported, kept: tuple[int, ...]) -> float:
    outputs, inputs = small.graph.widths(kept)
    rows = [row for row, layer in enumerate(small.graph.layers) if layer.kind != "norm"]
    return 2e-6 + 1.25 * sum(in_blocks(int(inputs[row]), int(outputs[row])) for row in rows)


def test_every_layer_has_what_runs_behind_it(small: Exported) -> None:
    parts = {segment.layer: segment.behind for segment in segments(small.template)}
    assert parts == {
        "stem": ("Relu",),
        "depthwise": ("Relu",),
        "pointwise": ("Add",),
        "wide": ("Relu", "Reshape"),
        "linear": (),
    }


def test_segments_hold_every_operator_once(small: Exported) -> None:
    inside = [op for segment in segments(small.template) for op in segment.ops]
    assert sorted(op.outputs for op in inside) == sorted(
        op.outputs for op in small.template.program.ops
    )


def test_every_program_has_shapes_that_fit(plan: Plan) -> None:
    for make in plan.programs().values():
        assert all(min(shape, default=1) >= 1 for shape in shapes(make()).values())


def test_a_depthwise_convolution_is_measured_along_one_line(plan: Plan) -> None:
    (part,) = [part for part in plan.parts if part.kind == "depthwise"]
    assert part.tied
    assert all(item.inputs == item.outputs for item in part.sizes)
    assert [item.outputs for item in part.sizes] == list(range(2, 13))


def test_the_unpruned_network_comes_first_and_the_others_can_be_reached(plan: Plan) -> None:
    full = plan.template.graph.full
    legal = Rounding(1, 0.9).legal(full)
    assert plan.networks[0] == full
    assert all(
        count in counts for kept in plan.networks for count, counts in zip(kept, legal, strict=True)
    )
    assert len(set(plan.networks)) > 12


def test_the_same_settings_give_the_same_plan(plan: Plan, small: Exported) -> None:
    again = plan_of(small.template, Rounding(1, 0.9), fed=True)
    assert (again.networks, list(again.programs())) == (plan.networks, list(plan.programs()))


def test_a_table_tells_the_truth_at_every_width(small: Exported, found: LatencyTable) -> None:
    latency = Latency(small.graph, found)
    chance = np.random.default_rng(0)
    for _ in range(50):
        kept = (int(chance.integers(2, 13)), int(chance.integers(4, 41)))
        assert latency(kept) == pytest.approx(truth(small, kept), rel=0.01)


def test_the_correction_and_its_error_are_found(found: LatencyTable) -> None:
    assert found.correction.constant == pytest.approx(2e-6, rel=0.01)
    assert set(found.correction.scales) == {"conv", "depthwise", "pointwise", "linear"}
    assert found.correction.scales["conv"] == pytest.approx(1.25, rel=0.01)
    assert found.fit.median < 0.005
    assert found.fit.spearman > 0.98  # some are equally fast
    assert (found.fit.noise, found.device) == (0, DEVICE)
    assert max(piece.error for piece in found.pieces) < 0.01


def test_tables_of_plans_survive_their_file(found: LatencyTable) -> None:
    assert LatencyTable.from_json(found.to_json()) == found


def test_a_table_of_whole_blocks_knows_no_other_counts(small: Exported) -> None:
    blocks = whole_blocks(small.graph, Rounding(1, 0.9))
    plan = plan_of(small.template, blocks, fed=True)
    assert len(plan.programs()) < 150
    found = table(plan, answer(plan, in_blocks), "small")
    assert found.blocks
    assert LatencyTable.from_json(found.to_json()).blocks
    latency = Latency(small.graph, found)
    for kept in ((4, 8), (8, 40), (12, 24)):
        assert latency(kept) == pytest.approx(truth(small, kept) / 1.25, rel=0.02, abs=2e-6)
    assert by_table(found, small.graph, blocks)[1].widths[0][-1] == 12
    assert by_table(found, small.graph, Rounding(8, 0.9))[1].widths
    between = latency((5, 17))
    assert between == latency((8, 24))  # as slow as the next that was measured
    for other in (1, 3):
        with pytest.raises(ValueError, match="knows whole blocks of channels alone; leave it out"):
            by_table(found, small.graph, Rounding(other, 0.9))


def test_a_table_of_multiples_leaves_these_legal(small: Exported) -> None:
    rounding = Rounding(4, 0.9)
    plan = plan_of(small.template, rounding, fed=True)
    found = table(plan, answer(plan, in_blocks), "small")
    assert (found.blocks, found.multiple, found.max_ratio) == (False, 4, 0.9)
    legal = measured_counts(found, small.graph, Rounding(6, 0.8))
    assert legal.round_to == 12
    assert by_table(found, small.graph, measured_counts(found, small.graph, Rounding()))[1].widths
    with pytest.raises(ValueError, match="knows multiples of 4 of channels alone"):
        by_table(found, small.graph, Rounding())


def test_plans_of_other_counts_have_other_fingerprints(small: Exported) -> None:
    roundings = (Rounding(4, 0.9), Rounding(4, 0.8), whole_blocks(small.graph, Rounding(1, 0.9)))
    plans = [plan_of(small.template, rounding, fed=True) for rounding in roundings]
    assert len({fingerprint(plan, "onnxruntime", 1) for plan in plans}) == 3
