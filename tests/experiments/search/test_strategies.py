"""Strategies by name, with options as a person types them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from agents import (
    AgentSettings,
    DDPGSearch,
    GPRolloutSearch,
    PaperDDPGSearch,
    SACSearch,
    TD3Search,
)
from amc.finetuning import Recipe
from amc.granularity import GRANULARITIES
from amc.rules import Deep, GlobalRanking, Manual, Sensitivity, Shallow, Uniform
from amc.strategies import DEFAULT, STRATEGIES, TPE, CmaEs, RandomSearch
from experiments.cli import KINDS
from experiments.search.strategies import (
    expected_evaluations,
    make_strategy,
    read_ratios,
)
from experiments.settings import BenchmarkSettings, SearchSettings, parse
from netadapt import NetAdapt


@pytest.fixture
def ratios(tmp_path):
    path = tmp_path / "ratios.yaml"
    path.write_text('"stem.*": 0\n"stages.*": 5e-1\n')
    return path


def test_short_names_stand_for_strategies(ratios):
    assert make_strategy("gp-rollout", 7, {}) == GPRolloutSearch(episodes=7)
    assert make_strategy("ddpg", 7, {}) == DDPGSearch(episodes=7)
    assert make_strategy("ddpg-paper", 7, {}) == PaperDDPGSearch(episodes=7)
    assert make_strategy("netadapt", 7, {}) == NetAdapt()
    assert make_strategy("uniform", 7, {}) == Uniform()
    assert make_strategy("manual", 7, {"file": str(ratios)}) == Manual(
        {"stem.*": 0, "stages.*": 0.5}
    )
    assert make_strategy("shallow", 7, {}) == Shallow()
    assert make_strategy("deep", 7, {}) == Deep()
    assert make_strategy("sensitivity", 7, {}) == Sensitivity()
    assert make_strategy("global", 7, {}) == GlobalRanking()
    assert make_strategy("global", 7, {"scaled": False}) == GlobalRanking(scaled=False)
    assert make_strategy("random", 7, {}) == RandomSearch(episodes=7)
    assert make_strategy("tpe", 7, {}) == TPE(episodes=7)
    assert make_strategy("cma-es", 7, {}) == CmaEs(episodes=7)


@pytest.mark.parametrize(("name", "search"), [("td3", TD3Search), ("sac", SACSearch)])
def test_algorithms_of_stable_baselines3_go_by_their_names(name, search):
    made = make_strategy(name, 7, {"updates": 3})
    settings = replace(AgentSettings(), updates=3)
    assert made == search(7, settings=settings)
    assert expected_evaluations(name, 7) == 7


@pytest.mark.parametrize(("typed", "meant"), [("td33", "td3"), ("sacc", "sac"), ("ddpgg", "ddpg")])
def test_a_mistyped_algorithm_is_answered_with_the_closest(typed, meant):
    with pytest.raises(LookupError, match=f"did you mean '{meant}'"):
        make_strategy(typed, 7, {})


def test_options_reach_the_strategy():
    options = {"sigma": 0.2, "hidden": 20, "reward": "flops", "start_at_uniform": False}
    made = make_strategy("ddpg", 3, options)
    assert made == DDPGSearch(
        3, "flops", AgentSettings(sigma=0.2, hidden=20, start_at_uniform=False)
    )
    assert make_strategy("netadapt", 3, {"steps": 5, "lr": 0.1, "decay": 0.9}) == NetAdapt(
        steps=5, decay=0.9, recipe=Recipe(lr=0.1)
    )


def test_options_of_rules_and_samplers_are_their_own_settings():
    assert make_strategy("sensitivity", 3, {"ratios": "4"}) == Sensitivity(ratios=4)
    assert make_strategy("tpe", 3, {"startup": 5}) == TPE(3, startup=5)
    made = make_strategy("cma-es", 3, {"sigma": 0.1, "population": 8})
    assert made == CmaEs(3, sigma=0.1, population=8)


@pytest.mark.parametrize("name", ["random", "tpe", "cma-es"])
def test_episodes_are_no_option_because_they_have_a_flag(name):
    with pytest.raises(LookupError, match=f"unknown option of {name} 'episodes'"):
        make_strategy(name, 3, {"episodes": 5})


@pytest.mark.parametrize("name", ["uniform", "shallow", "deep", "random"])
def test_strategies_without_options_take_none(name):
    with pytest.raises(LookupError, match=f"unknown option of {name} 'more'; known: none"):
        make_strategy(name, 3, {"more": "deep"})


def test_how_many_evaluations_to_expect():
    assert expected_evaluations("cma-es", 50) == expected_evaluations("ddpg", 50) == 50
    assert expected_evaluations("global", 50) == 1
    assert expected_evaluations("netadapt", 50) is None
    assert expected_evaluations("own_module:Own", 50) is None
    assert expected_evaluations("sensitivity", 50) is None
    assert expected_evaluations("sensitivity", 50, groups=3) == 3 * 10 + 2
    assert expected_evaluations("sensitivity", 50, 3, {"ratios": 4}) == 3 * 5 + 2


def test_options_of_the_published_agent_start_from_its_own_settings():
    made = make_strategy("ddpg-paper", 3, {"tau": 0.02})
    assert made.settings.tau == 0.02
    assert made.settings.returns == AgentSettings.published().returns != AgentSettings().returns


def test_options_are_turned_into_the_type_of_the_setting():
    options = {"sigma": "0.2", "actor_lr": "1e-4", "hidden": "20", "start_at_uniform": "False"}
    settings = make_strategy("ddpg", 3, options).settings
    assert (settings.sigma, settings.actor_lr) == (0.2, 0.0001)
    assert (settings.hidden, type(settings.hidden)) == (20, int)
    assert settings.start_at_uniform is False
    assert type(make_strategy("ddpg", 3, {"sigma": 1}).settings.sigma) is float


def test_dashes_in_options_are_underscores():
    assert make_strategy("ddpg", 3, {"final-sigma": 0.05}).settings.final_sigma == 0.05


@pytest.mark.parametrize("name", ["ddpg", "ddpg-paper"])
def test_an_unknown_option_is_answered_with_the_closest(name):
    with pytest.raises(LookupError, match=f"option of {name} 'sgima'; did you mean 'sigma'"):
        make_strategy(name, 3, {"sgima": 1})


def test_only_what_can_be_typed_is_offered():
    known = "known: reduction, decay, steps, criterion, jobs, timeout, lr$"
    with pytest.raises(LookupError, match=known):
        make_strategy("netadapt", 3, {"recipe": 1})


def test_values_out_of_range_are_refused():
    with pytest.raises(ValueError, match="episodes is 0"):
        make_strategy("ddpg", 0, {})
    with pytest.raises(ValueError, match="reduction is 2"):
        make_strategy("netadapt", 3, {"reduction": 2})


class Own:
    """What a user may write; found as `own_module:Own`."""

    def __init__(self, depth: int = 1, fast_mode: bool = False) -> None:
        self.depth, self.fast_mode = depth, fast_mode

    def search(self, problem, seed):
        raise NotImplementedError


OWN = """
from stable_baselines3 import TD3
from test_strategies import Own

class Free(Own):
    def __init__(self, episodes):
        self.episodes = episodes

class Strict(Own):
    def __init__(self, depth):
        if depth > 3:
            raise ValueError("depth is too much; give 3 or less")

class MyTD3(TD3):
    pass

not_callable = 3
idle = dict
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_strategies.py").write_text(OWN.replace("test_strategies", __name__))
    monkeypatch.syspath_prepend(tmp_path)
    return "own_strategies"


def test_a_class_of_ones_own_is_called_with_the_options(own_module):
    made = make_strategy(f"{own_module}:Own", 9, {"depth": 2, "fast-mode": True})
    assert (type(made), made.depth, made.fast_mode) == (Own, 2, True)


def test_it_gets_the_episodes_if_it_takes_them(own_module):
    assert make_strategy(f"{own_module}:Free", 9, {}).episodes == 9
    assert make_strategy(f"{own_module}:Free", 9, {"episodes": 4}).episodes == 4


def test_an_algorithm_of_ones_own_becomes_an_agent(own_module):
    made = make_strategy(f"{own_module}:MyTD3", 9, {"updates": 5})
    assert made.algorithm.__name__ == "MyTD3"
    assert (made.episodes, made.settings.updates, made.settings.proposals) == (9, 5, 0)
    with pytest.raises(LookupError, match="did you mean 'updates'"):
        make_strategy(f"{own_module}:MyTD3", 9, {"update": 5})


def test_its_own_refusals_are_passed_on(own_module):
    with pytest.raises(ValueError, match=r"^depth is too much; give 3 or less$"):
        make_strategy(f"{own_module}:Strict", 9, {"depth": 4})


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("Own", {"width": 3}, "cannot be made .*'width'.*--options.NAME"),
        ("Strict", {}, "cannot be made .*'depth'"),
        ("idle", {}, "gave dict; name a class with search"),
        ("not_callable", {}, "cannot be called"),
    ],
)
def test_what_is_no_strategy_is_refused(own_module, name, options, said):
    with pytest.raises(ValueError, match=said):
        make_strategy(f"{own_module}:{name}", 9, options)


def test_manual_ratios_are_read_in_order(ratios):
    assert read_ratios(ratios) == {"stem.*": 0.0, "stages.*": 0.5}


@pytest.mark.parametrize(
    "text", ["", "[1]", "stem: much", "stem: true", "stem: .nan", "stem:", "3"]
)
def test_other_files_are_no_ratios(tmp_path, text):
    (tmp_path / "ratios.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"ratios\.yaml: must map layer patterns to ratios"):
        read_ratios(tmp_path / "ratios.yaml")


PAGE = (Path(__file__).parents[3] / "docs" / "ratio-rules.md").read_text(encoding="utf-8")


def rows(heading):
    """The cells of the table under a heading, without the table's own head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [[cell.strip(" `") for cell in line.split("|")] for line in lines[2:]]


@pytest.mark.parametrize("heading", ["Which there are", "Where each works"])
def test_the_page_on_ratio_rules_has_a_row_for_every_strategy(heading):
    assert sorted(row[0] for row in rows(heading)) == sorted(STRATEGIES)


def test_the_page_says_that_every_strategy_works_at_every_granularity():
    # test_strategy_contract.py runs each of these cells.
    heads = re.search(r"^\| strategy \| (.*) \|$", PAGE, re.MULTILINE)[1].split(" | ")
    assert heads == [*GRANULARITIES, "channel+element"]
    assert all(cells == ["yes"] * len(heads) for _, *cells in rows("Where each works"))


def test_the_page_names_every_option_of_the_rules_and_samplers():
    for name, _, _, named in rows("Which there are"):
        options = re.findall(r"\w+", named)
        if "agents" in options or name == "manual":
            continue
        for option in options:
            assert make_strategy(name, 3, {option: _default(name, option)})
        with pytest.raises(LookupError) as raised:
            make_strategy(name, 3, {"nothing": 1})
        known = str(raised.value).rpartition("known: ")[2]
        assert known.split(", ") == (options or ["none"])


def _default(name, option):
    strategy = make_strategy(name, 3, {})
    return strategy.recipe.lr or 0.0 if option == "lr" else getattr(strategy, option)


def test_the_example_on_that_page_runs(capsys):
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    names = {}
    exec(compile(code, "ratio-rules.md", "exec"), names)
    assert names["found"].best.kept != names["problem"].graph.full
    assert "GlobalRanking(scaled=True, channels=0.0) (" in capsys.readouterr().out


def test_the_commands_on_that_page_can_be_read():
    commands = re.findall(r"^    amc (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 6
    for words in map(str.split, commands):
        config = parse(words, KINDS)
        if config.command != "train":
            names = getattr(config, "strategies", None) or [config.strategy]
            assert set(names) <= set(STRATEGIES)


def test_the_default_is_the_same_on_the_command_line_and_in_python() -> None:
    assert SearchSettings().strategy == DEFAULT
    assert BenchmarkSettings().strategies[0] == DEFAULT
