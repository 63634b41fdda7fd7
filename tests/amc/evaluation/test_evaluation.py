"""Accuracy, the fast path, and batch norms measured again."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import TINY, images, randomised, samples, tiny
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from amc.devices import training_layout
from amc.evaluation import BATCH, batch_for, laid_out, make_ready, preparing, recalibrate
from amc.evaluation import scoring as evaluation
from amc.tasks import Samples, TaskError
from amc.tracing.build import survey, trace
from experiments.studies.accuracies import accuracy, fast_accuracy, fast_margins

GRAPH = trace(tiny("residual"), images())
"""Says how large batches are."""


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bfloat16 is fast too: random weights answer too much alike for its eight bits."""
    for module in (evaluation, preparing):
        monkeypatch.setattr(module, "fast_type", lambda device: torch.float32)


def identity_scores(*rows: list[float]) -> Samples:
    """Samples that are their own logits, all of class 1."""
    return Samples(torch.tensor(rows), torch.ones(len(rows), dtype=torch.long))


def test_accuracy_by_hand() -> None:
    data = identity_scores([0.0, 1.0], [1.0, 0.0], [0.2, 0.3], [-2.0, -1.0])
    assert accuracy(nn.Identity(), data) == 0.75


NAN, INF = float("nan"), float("inf")


def test_margins_by_hand() -> None:
    rows = ([0.0, 3.0, 1.0], [2.0, 0.5, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [NAN, 0.0, 0.0])
    data = identity_scores(*rows)
    margins = fast_margins(nn.Identity(), GRAPH, data)
    assert margins[:3].tolist() == [2.0, -1.5, 0.0]
    # The first of two equal ones is the answer; what is no number is none.
    assert 0 < margins[3] < 1e-30
    assert margins[4] <= 0
    assert fast_margins(nn.Identity(), GRAPH, identity_scores([INF, INF])).tolist() == [0.0]


@pytest.mark.parametrize("classes", [2, 3])
def test_what_has_a_margin_is_right(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randint(3, (200, classes), generator=generator).float()
    data = Samples(logits, torch.randint(classes, (200,), generator=generator))
    right = logits.argmax(1) == data.labels
    assert torch.equal(fast_margins(nn.Identity(), GRAPH, data) > 0, right)


@given(st.integers(1, 3000), st.integers(1, 300), st.sampled_from(["cpu", "meta"]))
def test_batches_are_alike_and_leave_nothing_out(count: int, most: int, kind: str) -> None:
    parts = evaluation._slices(count, most, torch.device(kind))
    sizes = [len(range(count)[part]) for part in parts]
    assert sum(sizes) == count
    assert max(sizes) <= most
    assert len({*sizes[:-1]}) <= 1


def test_a_processor_gets_batches_in_pairs() -> None:
    for kind, wanted in (("cpu", [100, 100]), ("meta", [200])):
        parts = evaluation._slices(200, 200, torch.device(kind))
        assert [part.stop - part.start for part in parts] == wanted


def test_a_gpu_gets_larger_batches() -> None:
    on_cpu, on_gpu = (batch_for(GRAPH, torch.device(kind)) for kind in ("cpu", "meta"))
    assert on_gpu > 10 * on_cpu


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batches_do_not_matter(batch_size: int) -> None:
    data = samples(7)
    with torch.no_grad():
        right = (tiny("residual")(data.inputs).argmax(1) == data.labels).float().mean()
    assert accuracy(tiny("residual"), data, batch_size) == pytest.approx(float(right))


def test_accuracy_is_measured_in_evaluation_mode() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.999))
    data = Samples(torch.eye(4).repeat(50, 1)[:, None], torch.arange(4).repeat(50))
    assert accuracy(net.train(), data) == 1.0


Measure = Callable[[nn.Module, Samples], Any]


@pytest.mark.parametrize("measure", [accuracy, recalibrate])
def test_every_module_gets_its_own_mode_back(measure: Measure) -> None:
    model = tiny("residual").train()
    model.norm2.eval()
    measure(model, samples(10))
    assert [m.training for m in (model, model.norm1, model.norm2)] == [True, True, False]
    model.eval()
    measure(model, samples(10))
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("measure", [accuracy, recalibrate])
def test_the_mode_comes_back_after_inputs_that_do_not_fit(measure: Measure) -> None:
    model = tiny("residual").train()
    with pytest.raises((RuntimeError, TaskError)):
        measure(model, Samples(torch.randn(2, 1, 8, 8), torch.zeros(2, dtype=torch.long)))
    assert all(module.training for module in model.modules())


def test_accuracy_leaves_weights_and_statistics_alone() -> None:
    model = tiny("residual").train()
    before = copy.deepcopy(model.state_dict())
    accuracy(model, samples(10))
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def outputs(model: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(inputs)
    return found


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("wrap", [weight_norm, spectral_norm])
def test_a_norm_behind_a_computed_weight_stays(wrap: Callable[[nn.Module], nn.Module]) -> None:
    layers = (wrap(nn.Conv2d(3, 5, 3)), nn.BatchNorm2d(5), nn.Conv2d(5, 4, 6), nn.Flatten())
    model = randomised(nn.Sequential(*layers))
    data = Samples(images(40), outputs(model, images(40)).argmax(1))
    assert fast_accuracy(copy.deepcopy(model), survey(model, images()), data) == 1.0


def test_the_fast_path_takes_kernels_of_three_axes_on_images() -> None:
    torch.manual_seed(0)
    layers = (nn.Unflatten(1, (1, 3)), nn.Conv3d(1, 4, (3, 8, 8)), nn.BatchNorm3d(4), nn.Flatten())
    model = nn.Sequential(*layers).eval()
    data = Samples(images(40), outputs(model, images(40)).argmax(1))
    assert fast_accuracy(copy.deepcopy(model), survey(model, images()), data) == 1.0


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("name", TINY)
def test_the_fast_path_agrees_on_nearly_every_sample(name: str) -> None:
    model, inputs = tiny(name), images(400)
    # Norms without statistics make the outputs depend on the batch.
    classes = [outputs(model, batch).argmax(1) for batch in inputs.split(BATCH)]
    data = Samples(inputs, torch.cat(classes))
    assert accuracy(model, data) == 1.0
    assert fast_accuracy(copy.deepcopy(model), trace(model, images()), data) >= 0.99


@pytest.mark.usefixtures("float32")
def test_the_fast_path_measures_the_same_accuracy_of_the_zoo(zoo: Any) -> None:
    inputs = torch.randn(120, 1, 28, 28, generator=torch.Generator().manual_seed(3))
    labels = outputs(zoo.model, inputs).argmax(1)
    labels[:40] = (labels[:40] + 1) % 10
    data = Samples(inputs, labels)
    exact = accuracy(zoo.model, data)
    assert exact == pytest.approx(2 / 3)
    assert fast_accuracy(copy.deepcopy(zoo.model), zoo.graph, data) == pytest.approx(
        exact, abs=0.01
    )


def test_the_fast_path_takes_images_as_bytes() -> None:
    model = tiny("residual")
    pixels = torch.randint(256, (50, 3, 8, 8), dtype=torch.uint8)
    data = Samples(pixels, torch.zeros(50, dtype=torch.long), (0.5,) * 3, (0.25,) * 3)
    found = fast_accuracy(copy.deepcopy(model), trace(model, images()), data)
    assert found == pytest.approx(accuracy(model, data), abs=0.04)


def test_recalibrated_statistics_are_the_plain_average_over_batches() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)).eval()
    data = samples(25)
    recalibrate(model, data, batch_size=10)
    batches = [outputs(model[0], data.inputs[start : start + 10]) for start in (0, 10, 20)]
    means = torch.stack([batch.mean((0, 2, 3)) for batch in batches])
    variances = torch.stack([batch.var((0, 2, 3), correction=1) for batch in batches])
    torch.testing.assert_close(model[1].running_mean, means.mean(0))
    torch.testing.assert_close(model[1].running_var, variances.mean(0))


def test_recalibration_leaves_out_a_last_batch_of_one() -> None:
    def net() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 5, 8), nn.BatchNorm2d(5))

    data = samples(21)
    with_one, without = net(), net()
    recalibrate(with_one, data, batch_size=10)
    recalibrate(without, data.take(slice(20)), batch_size=10)
    assert torch.equal(with_one[1].running_var, without[1].running_var)


def test_recalibration_forgets_what_it_knew_and_keeps_the_momentum() -> None:
    model = tiny("depthwise")
    fresh = recalibrate(copy.deepcopy(model), samples(100))
    model[1].running_mean += 1000
    model[4].running_var *= 1000
    model[4].momentum = 0.3
    again = recalibrate(model, samples(100))
    assert again is model
    for key, tensor in fresh.state_dict().items():
        torch.testing.assert_close(model.state_dict()[key], tensor)
    assert (model[1].momentum, model[4].momentum) == (0.1, 0.3)


def test_a_norm_that_is_never_reached_keeps_its_statistics() -> None:
    model = tiny("residual")
    model.unused = copy.deepcopy(model.norm1)
    before = copy.deepcopy(model.unused.state_dict())
    recalibrate(model, samples(10))
    assert all(torch.equal(item, before[key]) for key, item in model.unused.state_dict().items())


def test_a_forward_pass_that_fails_leaves_statistics_and_momentum_alone() -> None:
    model = tiny("residual")
    before = copy.deepcopy(model.state_dict())
    reached = []
    model.norm1.register_forward_hook(lambda *_: reached.append(model.norm1.running_mean.clone()))
    model.linear = nn.Linear(7, 4)
    with pytest.raises(RuntimeError):
        recalibrate(model, samples(10))
    assert not torch.equal(reached[0], before["norm1.running_mean"])
    after = model.state_dict()
    assert all(torch.equal(after[key], item) for key, item in before.items() if "norm" in key)
    assert [norm.momentum for norm in (model.norm1, model.norm2, model.norm3)] == [0.1] * 3


def test_recalibration_changes_statistics_only() -> None:
    model = tiny("residual")
    before = copy.deepcopy(model.state_dict())
    recalibrate(model, samples(100))
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {f"norm{n}.{key}" for n in (1, 2, 3) for key in statistics}


def test_recalibration_drops_out_nothing() -> None:
    model = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(3)).train()
    data = samples(100)
    recalibrate(model, data)
    torch.testing.assert_close(model[1].running_mean, data.inputs.mean((0, 2, 3)))


@pytest.mark.parametrize("name", ["perceptron", "unusual"])
def test_recalibration_copes_without_statistics(name: str) -> None:
    recalibrate(tiny(name), samples(10))


@pytest.mark.parametrize("channels", [48, 50, 53])
@pytest.mark.usefixtures("float32")
def test_kernels_along_a_line_of_sound_are_computed_rightly(channels: int) -> None:
    """Channels last, oneDNN is off by half of the result (CREPE's second layer, pruned)."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Unflatten(1, (1, 191, 1)),
        nn.Conv2d(1, channels, 1),
        nn.Conv2d(channels, channels, (64, 1)),
        nn.Flatten(),
    ).eval()
    inputs = torch.randn(4, 191)
    wanted = outputs(model, inputs)
    ready = copy.deepcopy(model)
    make_ready(ready, survey(model, inputs), half=False)
    torch.testing.assert_close(outputs(ready, laid_out(inputs)), wanted, rtol=1e-3, atol=1e-4)
    assert training_layout(model) is torch.contiguous_format
