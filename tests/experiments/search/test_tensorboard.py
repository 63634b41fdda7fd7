"""Scalars of an agent, as TensorBoard reads them."""

import warnings

import pytest
from flat_settings import settings_of

from experiments.cli import KINDS
from experiments.search import strategies
from experiments.search.one_run import chosen_strategy
from experiments.settings import SearchSettings, parse

NETWORK = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5)
SMALL = ("--episodes", 4, "--options.hidden", 16, "--options.proposals", 4, "--search-images", 50)


def scalars(folder):
    """Steps and values of each scalar in a folder."""
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensorboard's own
        events = reading.EventAccumulator(str(folder))
        events.Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_each_episode_leaves_its_scalars_in_the_runs_folder(search):
    run = search("--strategy", "gp-rollout", *SMALL, "--no-depth", "--tensorboard")
    (folder,) = (run / "tensorboard").iterdir()
    found = scalars(folder)
    assert {"search/score", "search/best score", "rollout/ep_rew_mean"} <= set(found)
    best = [value for _, value in found["search/best score"]]
    assert len(best) == 4
    assert best == sorted(best)
    assert all(value <= 0.5 + 1e-6 for _, value in found["search/macs left"])
    steps = [step for step, _ in found["search/score"]]
    assert steps == [steps[0] * number for number in (1, 2, 3, 4)]


def test_scalars_do_not_change_what_is_found(search):
    words = ("--strategy", "gp-rollout", *SMALL)
    one, other = search(*words, "--tensorboard"), search(*words)
    assert (one / "policy.json").read_text() == (other / "policy.json").read_text()
    assert not (other / "tensorboard").exists()


def test_a_strategy_without_an_agent_is_refused_before_any_work(amc, tmp_path):
    words = ("--strategy", "uniform", "--tensorboard", "--out", tmp_path / "run")
    answer = amc("search", *NETWORK, *words)
    assert answer.code == 2
    assert "--tensorboard: uniform is no agent" in answer.err
    answer = amc("benchmark", *NETWORK, "--strategies", "uniform,deep", *words[2:])
    assert answer.code == 2
    assert "none of uniform, deep is an agent" in answer.err
    assert not (tmp_path / "run").exists()


def test_without_tensorboard_the_way_to_install_it_is_told(monkeypatch):
    monkeypatch.setattr(strategies, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs tensorboard, which is not here; pip install"):
        chosen_strategy(settings_of(SearchSettings, strategy="ddpg", tensorboard=True))
    assert chosen_strategy(SearchSettings(strategy="ddpg")).tensorboard is None


@pytest.mark.parametrize(("word", "wanted"), [((), True), (("false",), False), (("true",), True)])
def test_the_flag_needs_no_value(word, wanted):
    config = parse(["benchmark", "--tensorboard", *word, "--seed", "3"], KINDS)
    assert (config.tensorboard, config.network.seed) == (wanted, 3)
