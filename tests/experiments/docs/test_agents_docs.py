"""The pages on agents and on trust: their commands can be read, their places are there."""

import re
import shlex
from pathlib import Path

import pytest

from amc.strategies import STRATEGIES
from experiments.cli import KINDS
from experiments.settings import TrustSettings, flat, parse
from experiments.studies.contest import __main__ as bench_agents
from experiments.studies.pages import put

DOCS = Path(__file__).parents[3] / "docs"
AGENTS, TRUST = ((DOCS / name).read_text("utf-8") for name in ("agents.md", "trust.md"))


@pytest.mark.parametrize("page", [AGENTS, TRUST], ids=["agents", "trust"])
def test_the_commands_can_be_read(page):
    commands = re.findall(r"^    amc (.*)$", page, re.MULTILINE)
    assert len(commands) >= 2
    for words in map(shlex.split, commands):
        config = parse(words, KINDS)
        strategy = getattr(config, "strategy", "gp-rollout")
        assert ":" in strategy or strategy in STRATEGIES


def test_the_benchmark_s_commands_can_be_read():
    commands = re.findall(r"^    python -m experiments.studies.contest(.*)$", AGENTS, re.MULTILINE)
    asked = [bench_agents._parser().parse_args(shlex.split(words)) for words in commands]
    assert [options.jobs for options in asked] == [2]


def test_the_benchmark_finds_its_place_on_the_page(tmp_path):
    page = tmp_path / "agents.md"
    page.write_text(AGENTS, encoding="utf-8")
    put(page, "agents", "| a table |")
    put(page, "agents", "| another table |")
    text = page.read_text(encoding="utf-8")
    assert "| another table |" in text
    assert "| a table |" not in text


def test_a_page_without_the_place_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- end of agents -->\n<!-- agents -->\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no place for the agents"):
        put(page, "agents", "")


def test_every_algorithm_and_its_options_are_named():
    for name in ("ddpg", "td3", "sac"):
        assert f"`{name}`" in AGENTS


def test_the_table_of_settings_says_the_defaults():
    rows = re.findall(r"^\| `--([\w-]+)` \| (\S+) \|", TRUST, re.MULTILINE)
    assert rows
    for flag, value in rows:
        assert float(value) == flat(TrustSettings())[flag.replace("-", "_")]
