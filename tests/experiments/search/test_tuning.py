"""Fine-tuning from settings: its rate, its help, its stages, and what a run says of them."""

from dataclasses import replace
from typing import get_args

import pytest
import torch
from flat_settings import changed, settings_of
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import nn

from amc.finetuning import OPTIMIZERS
from amc.finetuning.recipes import Suited
from amc.finetuning.schedule import KINDS
from amc.policy import Policy
from amc.pruning import decisions, prune
from amc.tasks import replace_parts
from experiments.search.one_run import apply_policy, search
from experiments.search.tuning import Start, recipe_of, training_of, tune
from experiments.settings import PruneSettings, SearchSettings, TuningSettings, flat
from experiments.settings.kinds import USUAL_RATES, Optimizer, Schedule
from experiments.studies.accuracies import accuracy
from experiments.zoo.networks import load_workload


@pytest.fixture(scope="module")
def config(weights, uniform_run, tmp_path_factory):
    """Settings that apply the uniform policy."""
    return settings_of(
        PruneSettings,
        model="resnet8",
        dataset="digits",
        width=0.5,
        weights=str(weights),
        calibration_images=200,
        policy=str(uniform_run / "policy.json"),
        out=str(tmp_path_factory.mktemp("tuning") / "run"),
    )


@pytest.fixture(scope="module")
def workload(config):
    return load_workload(config.network)


def tuned(config, workload, **changes):
    """What fine-tuning leaves of the network that the policy prunes, with these settings."""
    policy = Policy.load(config.policy)
    graph = decisions(workload.model, workload.example, policy.granularity)
    network = prune(workload.model, policy, workload.example)
    start = Start(network, policy, graph, replace_parts(workload.task, data_loader=None))
    return tune(changed(config, **changes), workload, start, Console(quiet=True))


def same(one, other):
    ours, theirs = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_settings_know_the_schedules_that_there_are():
    assert tuple(KINDS) == get_args(Schedule)


def test_the_settings_know_the_optimizers_that_there_are_and_their_rates():
    assert get_args(Optimizer) == tuple(OPTIMIZERS)
    assert {name: usual.lr for name, usual in OPTIMIZERS.items()} == dict(USUAL_RATES)


def test_the_rate_is_a_fraction_of_the_one_that_the_checkpoint_tells(config, tmp_path):
    assert training_of(config.network, nn.BatchNorm2d(1)) == ("sgd", 0.1), "as `amc train` wrote it"
    state = load_file(config.network.weights)
    for metadata, optimizer, rate in (
        ({"training_rate": "0.5"}, "sgd", 0.5),
        ({"training_rate": "quick"}, "sgd", 0.1),
        ({"training_rate": "nan"}, "sgd", 0.1),
        ({"training_rate": "-1"}, "sgd", 0.1),
        ({"training_rate": "adamw 0.002"}, "adamw", 0.002),
        ({"training_rate": "adamw quick"}, "adamw", 0.001),
        ({"training_rate": "adam 0.02"}, "sgd", 0.02),
        ({"training_rate": ""}, "sgd", 0.1),
        (None, "sgd", 0.1),
    ):
        save_file(state, tmp_path / "model.safetensors", metadata)
        weights = str(tmp_path / "model.safetensors")
        assert training_of(replace(config.network, weights=weights), nn.BatchNorm2d(1)) == (
            optimizer,
            rate,
        )


def test_other_checkpoints_tell_no_rate(config, tmp_path):
    torch.save({}, tmp_path / "model.pt")
    (tmp_path / "broken.safetensors").write_bytes(b"not at all")
    for name in ("model.pt", "broken.safetensors", "nothing.safetensors"):
        other = replace(config.network, weights=str(tmp_path / name))
        assert training_of(other, nn.BatchNorm2d(1)) == ("sgd", 0.1)
        assert training_of(other, nn.LayerNorm(1)) == ("adamw", 1e-3)


def test_training_writes_its_rate_for_fine_tuning(amc, config, workload, tmp_path):
    out = tmp_path / "trained"
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.25)
    amc.good("train", *network, "--epochs", 0, "--lr", 0.4, "--out", out)
    other = changed(config, weights=str(out / "model.safetensors"), finetune_rate=0.01)
    assert recipe_of(other.tuning, other.network, workload).lr == pytest.approx(0.004)
    assert recipe_of(replace(other.tuning, finetune_lr=0.3), other.network, workload).lr == 0.3

    amc.good("train", *network, "--epochs", 0, "--optimizer", "adamw", "--out", tmp_path / "adamw")
    other = changed(config, weights=str(tmp_path / "adamw" / "model.safetensors"))
    recipe = recipe_of(other.tuning, other.network, workload)
    assert recipe.suited(workload.model) == Suited("adamw", pytest.approx(1e-4), 0.05)
    chosen = replace(other.tuning, finetune_optimizer="sgd")
    recipe = recipe_of(chosen, other.network, workload)
    assert recipe.suited(workload.model) == Suited("sgd", pytest.approx(0.01), 5e-4)


def test_the_recipe_is_what_the_settings_say(config, workload):
    tuning = TuningSettings(2.0, distill=0.3, temperature=2.0, patience=5)
    recipe = recipe_of(tuning, replace(config.network, seed=7), workload)
    assert recipe.lr == pytest.approx(0.01)
    assert (recipe.epochs, recipe.distill, recipe.temperature) == (2, 0.3, 2)
    assert (recipe.patience, recipe.seed, recipe.shift, recipe.flip) == (5, 7, 1, False)


def test_no_epochs_leave_the_network_alone(config, workload):
    left = tuned(config, workload, distill=0.5, finetune_schedule="cubic")
    assert (left.steps, left.seconds) == (0, 0.0)
    assert same(left, tuned(config, workload))


def test_one_shot_fine_tunes_the_network_that_the_search_left(config, workload):
    one = tuned(config, workload, finetune_epochs=0.3)
    assert one.steps == 3
    assert not same(one, tuned(config, workload))
    single = {"finetune_schedule": "cubic", "finetune_stages": 1}
    assert same(one, tuned(config, workload, finetune_epochs=0.3, **single))


@pytest.mark.parametrize("schedule", ["linear", "cubic"])
def test_a_schedule_of_stages_ends_at_the_counts_of_the_policy(config, workload, schedule):
    ways = {"finetune_schedule": schedule, "finetune_stages": 2, "finetune_epochs": 0.4}
    left = tuned(config, workload, **ways)
    assert left.steps == 4
    shapes = [item.shape for item in tuned(config, workload).network.state_dict().values()]
    assert [item.shape for item in left.network.state_dict().values()] == shapes
    assert not same(left, tuned(config, workload, finetune_epochs=0.4))
    assert not same(left, tuned(config, workload, **ways, finetune_last=1))


@pytest.mark.parametrize(("criterion", "alike"), [("l1", True), ("random", False)])
def test_the_seed_reaches_the_criterion_of_every_stage(
    config, workload, criterion, alike, tmp_path
):
    policy = replace(Policy.load(config.policy), criterion=criterion)
    policy.save(tmp_path / "policy.json")
    still = {"finetune_schedule": "linear", "finetune_epochs": 0.2, "finetune_lr": 1e-20}
    made = changed(config, policy=str(tmp_path / "policy.json"), **still)
    one, other = (tuned(made, workload, seed=seed).network for seed in (0, 1))
    assert torch.equal(one.stem[0].weight, other.stem[0].weight) == alike


class Secretive:
    """A strategy that has tuned its network, and did not say that it would."""

    def search(self, problem, seed):
        problem.restart()
        best = problem.evaluate(problem.limits.smallest)
        weights = problem.network(best.kept).state_dict()
        return problem.result(best, tuned_steps=1, weights=weights)


def test_stages_are_refused_after_any_search_that_tuned_its_network(config, tmp_path):
    shared = {name: value for name, value in flat(config).items() if name != "policy"}
    own = {**shared, "strategy": f"{__name__}:Secretive", "out": str(tmp_path / "run")}
    own["overwrite"] = True
    staged = {"finetune_schedule": "cubic", "finetune_epochs": 0.2}
    with pytest.raises(ValueError, match=r"would drop the weights that .*Secretive tunes"):
        search(settings_of(SearchSettings, **own | staged), Console(quiet=True))
    alone = {"finetune_schedule": "cubic", "finetune_stages": 1, "finetune_epochs": 0.2}
    assert search(settings_of(SearchSettings, **own | alone), Console(quiet=True)).tuned_steps == 1


def test_the_unpruned_network_is_the_teacher_and_stays_as_it_is(config, workload):
    before = {name: item.clone() for name, item in workload.model.state_dict().items()}
    taught = tuned(config, workload, finetune_epochs=0.2, distill=0.9)
    assert not same(taught, tuned(config, workload, finetune_epochs=0.2))
    hot = tuned(config, workload, finetune_epochs=0.2, distill=0.9, temperature=1)
    assert not same(taught, hot)
    after = workload.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_patience_ends_it_on_held_out_images(config, workload):
    left = tuned(config, workload, finetune_epochs=10, finetune_lr=0.5, patience=1)
    assert left.steps < 90
    assert left.steps % 9 == 0, "there is a check every epoch"
    before = accuracy(tuned(config, workload).network, workload.splits.holdout)
    assert accuracy(left.network, workload.splits.holdout) >= before


def test_recalibration_measures_batch_norms_before_the_network_is_judged(config):
    names = ("stages.2.0.bn1.running_mean", "stages.2.0.bn1.weight")
    found = {}
    for images in (0, 100):
        made = changed(config, recalibrate=images, calibration_images=0, overwrite=True)
        result = apply_policy(made, Console(quiet=True))
        state = load_file(f"{config.output.out}/model.safetensors")
        found[images] = (result.searched, *(state[name] for name in names))
        assert result.finetuned is None
    assert found[0][0] != found[100][0]
    assert not torch.equal(found[0][1], found[100][1])
    assert torch.equal(found[0][2], found[100][2])
