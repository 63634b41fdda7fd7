"""Run folders: what is in them, and that they can be made again."""

import json
from dataclasses import replace

import pytest
import torch
from flat_settings import changed, settings_of
from rich.console import Console
from safetensors.torch import load_file, save_file

from amc.costs import Macs
from amc.granularity import Granularity
from amc.policy import Budget, Policy
from amc.pruning import prune
from amc.tracing.build import trace
from experiments.commands.export import load_pruned
from experiments.runs.results import RunResult
from experiments.search import one_run as runs
from experiments.search.one_run import apply_policy
from experiments.settings import PruneSettings, SearchSettings
from experiments.studies.accuracies import accuracy
from experiments.zoo.networks import load_workload


@pytest.fixture(scope="session")
def netadapt_run(search):
    """The run of a quick NetAdapt."""
    quick = ("--options.steps", 2, "--options.reduction", 0.3, "--search-images", 60)
    quick += ("--options.criterion", "l2")
    return search("--strategy", "netadapt", "--budget", "macs=0.6", *quick)


def result_of(run):
    return RunResult.load(run / "result.json")


def weights_of(run):
    return load_file(run / "model.safetensors")


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_a_run_folder_holds_everything(ddpg_run):
    names = {"config.yaml", "journal.jsonl", "model.safetensors", "policy.json", "report.html"}
    assert {path.name for path in ddpg_run.iterdir()} == {*names, "result.json"}


def test_the_smaller_network_keeps_to_the_budget(ddpg_run):
    network, workload, policy = load_pruned(ddpg_run)
    full = trace(workload.model, workload.example)
    small = trace(network, workload.example)
    assert Macs(small)(small.full) <= 0.5 * Macs(full)(full.full)
    change = result_of(ddpg_run).costs["macs"]
    assert (change.pruned, change.unpruned) == (Macs(small)(small.full), Macs(full)(full.full))
    assert small.full == policy.kept


def test_two_budgets_hold_both(search):
    costs = result_of(search("--strategy", "uniform", "--budget", "macs=0.5,params=0.4")).costs
    assert costs["macs"].fraction <= 0.5
    assert costs["params"].fraction <= 0.4


def test_hopeless_candidates_are_stopped_and_never_win(search):
    result = result_of(search("--strategy", "random", "--episodes", 12, "--racing", 0.2))
    stopped = [one for one in result.evaluations if one.seen is not None]
    assert 0 < len(stopped) < 12
    whole = [one for one in result.evaluations if one.seen is None]
    # On the images of the search the best that has seen all of them wins.
    assert max(result.evaluations, key=lambda one: one.score) in whole
    best = max(one.score for one in whole)
    alike = [list(one.kept) for one in whole if one.score == best]
    assert [group.kept for group in result.groups] in alike


def test_the_result_tells_what_the_network_scores(ddpg_run):
    network, workload, _ = load_pruned(ddpg_run)
    result = result_of(ddpg_run)
    # Where the search's fast arithmetic is another than this, single images may differ.
    assert result.searched.test == pytest.approx(accuracy(network, workload.splits.test), abs=0.03)
    best = max(candidate.score for candidate in result.evaluations)
    assert result.searched.holdout == pytest.approx(best)
    assert result.finetuned is None
    assert result.finetune_steps == 0
    assert 1 < len(result.evaluations) <= 5
    assert result.budgets == (Budget("macs", 0.5),)


def test_fine_tuning_changes_the_weights_and_is_recorded(ddpg_run, tuned_run):
    before, after = weights_of(ddpg_run), weights_of(tuned_run)
    assert {name: tensor.shape for name, tensor in before.items()} == {
        name: tensor.shape for name, tensor in after.items()
    }
    assert not same(before, after)
    network, workload, _ = load_pruned(tuned_run)
    result = result_of(tuned_run)
    assert result.searched == result_of(ddpg_run).searched
    assert result.finetuned is not None
    assert result.finetuned.holdout == pytest.approx(
        accuracy(network, workload.splits.holdout), abs=0.03
    )
    assert result.finetune_steps > 0
    assert result.seconds["finetune"] > 0


def test_a_new_process_makes_the_same_networks_from_the_policies(
    amc, weights, ddpg_run, tuned_run, tmp_path
):
    words = ["prune", "--model", "resnet8", "--dataset", "digits", "--width", "0.5"]
    words += ["--weights", str(weights), "--calibration-images", "200"]
    plain = [*words, "--policy", str(ddpg_run / "policy.json"), "--out", "plain"]
    tuned = [*words, "--policy", str(tuned_run / "policy.json"), "--out", "tuned"]
    tuned += ["--finetune-epochs", "0.5", "--finetune-lr", "0.02"]
    script = f"from experiments.cli import main; assert main({plain}) == main({tuned}) == 0"
    answer = amc.elsewhere(folder=tmp_path, script=script)
    assert answer.code == 0, answer.err
    for name, run in (("plain", ddpg_run), ("tuned", tuned_run)):
        assert same(weights_of(tmp_path / name), weights_of(run))
        ours, theirs = result_of(tmp_path / name), result_of(run)
        assert (ours.searched, ours.finetuned) == (theirs.searched, theirs.finetuned)
        assert (ours.groups, ours.strategy) == (theirs.groups, "gp-rollout")


def test_the_same_seed_brings_the_same_policy(amc, ddpg_run, tmp_path):
    amc.good("search", "--config", ddpg_run / "config.yaml", "--out", tmp_path / "again")
    assert (tmp_path / "again" / "policy.json").read_text() == (
        ddpg_run / "policy.json"
    ).read_text()
    other = tmp_path / "other"
    amc.good("search", "--config", ddpg_run / "config.yaml", "--seed", 1, "--out", other)
    ours, theirs = ([e.kept for e in result_of(run).evaluations] for run in (ddpg_run, other))
    assert ours[0] == theirs[0], "the first episode is the uniform policy"
    assert ours[1:] != theirs[1:]


def test_the_seed_reaches_the_criterion_and_makes_the_same_network_again(
    amc, search, weights, tmp_path
):
    words = ("--strategy", "uniform", "--criterion", "random", "--calibration-images", 0)
    one, other = search(*words, "--seed", 1), search(*words, "--seed", 2)
    assert result_of(one).groups == result_of(other).groups
    assert not same(weights_of(one), weights_of(other))
    network = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    policy = ("--policy", one / "policy.json", "--calibration-images", 0, "--seed", 1)
    amc.good("prune", *network, *policy, "--out", tmp_path / "again")
    assert same(weights_of(tmp_path / "again"), weights_of(one))


def test_without_calibration_weights_are_only_selected(search, uniform_run, trained):
    plain = weights_of(search("--strategy", "uniform", "--calibration-images", 0))
    before = load_file(trained / "model.safetensors")
    name = "stages.2.0.conv2.weight"
    kept = {tensor.numpy().tobytes() for tensor in before[name].reshape(-1, 3, 3)}
    assert all(slice_.numpy().tobytes() in kept for slice_ in plain[name].reshape(-1, 3, 3))
    refit = weights_of(uniform_run)
    assert refit[name].shape == plain[name].shape
    assert not same(plain, refit)


def test_netadapt_leaves_the_network_that_it_adapted(netadapt_run):
    network, workload, policy = load_pruned(netadapt_run)
    result = result_of(netadapt_run)
    assert result.tuned_steps > 0
    assert result.costs["macs"].fraction <= 0.6
    assert result.searched.test == pytest.approx(accuracy(network, workload.splits.test), abs=0.03)
    assert policy.criterion == "l2"
    from_policy = prune(load_workload(config_of(result).network).model, policy, workload.example)
    assert not same(from_policy.state_dict(), weights_of(netadapt_run))


def config_of(result, **changes):
    return settings_of(SearchSettings, **{**result.config, **changes})


def quiet():
    return Console(quiet=True)


def test_a_policy_may_say_anything_of_its_origin(uniform_run, weights, tmp_path):
    policy = Policy.load(uniform_run / "policy.json")
    words = {"macs=0.5 params=0.9": ("macs=0.5", "params=0.9"), "as small as can be": ()}
    for origin, told in words.items():
        replace(policy, origin={"budget": origin}).save(tmp_path / "policy.json")
        config = settings_of(
            PruneSettings,
            model="resnet8",
            dataset="digits",
            width=0.5,
            weights=str(weights),
            calibration_images=0,
            policy=str(tmp_path / "policy.json"),
            out=str(tmp_path / "run"),
            overwrite=True,
        )
        assert apply_policy(config, quiet()).budgets == tuple(map(Budget.parse, told))


def test_a_run_that_could_not_be_written_does_not_look_finished(uniform_run, tmp_path, monkeypatch):
    config = config_of(result_of(uniform_run), out=str(tmp_path / "run"))
    runs.search(config, quiet())
    assert (tmp_path / "run" / "result.json").is_file()

    def full(results):
        raise OSError("no space left")

    monkeypatch.setattr(runs, "render", full)
    with pytest.raises(OSError, match="no space"):
        runs.search(changed(config, overwrite=True), quiet())
    assert not (tmp_path / "run" / "result.json").exists()


def test_the_result_says_what_it_was_made_with(ddpg_run):
    data = json.loads((ddpg_run / "result.json").read_text())
    assert data["config"]["episodes"] == 5
    assert data["machine"]["torch"] == torch.__version__
    assert data["schema_version"] == 3


def test_a_weight_that_was_zero_before_is_free_to_learn(search, weights, tmp_path):
    name = "stages.2.0.conv2.weight"
    state = load_file(weights)
    sparse = state[name].abs() < state[name].abs().quantile(0.5)
    save_file({**state, name: state[name] * ~sparse}, tmp_path / "sparse.safetensors")
    words = ("--weights", tmp_path / "sparse.safetensors", "--granularity", "element")
    words += ("--strategy", "uniform", "--budget", "params=0.7", "--finetune-epochs", 0.5)
    run = search(*words)
    (kept,) = (c.kept for c in result_of(run).groups if f"{c.name}.weight" == name)
    assert kept > int((~sparse).sum())
    assert int((weights_of(run)[name] != 0).sum()) == kept


def test_the_masks_of_netadapt_hold_through_fine_tuning(search):
    quick = ("--options.steps", 2, "--options.reduction", 0.5, "--search-images", 60)
    words = ("--strategy", "netadapt", "--granularity", "kernel", "--budget", "params=0.6", *quick)
    run, tuned = search(*words), search(*words, "--finetune-epochs", 0.3)
    before, after = weights_of(run), weights_of(tuned)
    assert not same(before, after)
    for choice in result_of(run).groups:
        one, other = before[f"{choice.name}.weight"], after[f"{choice.name}.weight"]
        assert torch.equal(one != 0, other != 0)
        assert int((one != 0).sum()) == choice.kept * (one.numel() // choice.total)


def test_a_masked_run_keeps_the_networks_shapes_and_stores_zeros(search):
    run = search(
        *("--strategy", "uniform", "--granularity", "element", "--budget", "params=0.3"),
        *("--finetune-epochs", 0.2),
    )
    result = result_of(run)
    network, workload, policy = load_pruned(run)
    assert policy.granularity == result.granularity == Granularity("element")
    assert result.costs["params"].fraction <= 0.3
    assert result.costs["macs"].fraction == 1
    state, full = weights_of(run), workload.model.state_dict()
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in full.items()
    }
    for layer, choice in zip(result.stored, policy.groups, strict=True):
        assert int((state[f"{layer.layer}.weight"] != 0).sum()) == layer.kept == choice.kept
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "What does it take to store?" in page
    assert "bitmap" in page
    assert accuracy(network, workload.splits.test) == pytest.approx(result.finetuned.test, abs=0.02)
