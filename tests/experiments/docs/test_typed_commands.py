"""Every command that a page shows is typed, page by page and in order, made small by a rule.

The rule: flags are added at the end, where they override those before. Other images than digits
give way to those of `striped_images`, and the network to the one there; networks for digits are
made `NARROW`; `SMALLER` has numbers that only make a command longer; what goes into the default
folder goes into one of its own. A run that the page does not make is there already, and a
checkpoint that it does not make is left out. What cannot be typed here stands in `ELSEWHERE` with
the reason. Walks are typed as they stand in test_site.py.
"""

from __future__ import annotations

import re
import shlex
import shutil
from importlib.util import find_spec
from itertools import chain, pairwise
from pathlib import Path

import pytest
from command_line import CommandLine
from test_site import WALKS

from experiments.cli import KINDS
from experiments.settings import flat, parse

ROOT = Path(__file__).parents[3]
LINE = re.compile(
    r"^    ((?:amc|make|(?:[\w./-]+/)?python3?) (?:[^\n]*\\\n)*[^\n]+)$", re.MULTILINE
)
TINY = {"model": "striped_images:network", "dataset": "striped_images:images", "width": "1"}
NARROW = {"width": "0.25"}
SMALLER = {
    "epochs": "1",
    "episodes": "4",
    "finetune_epochs": "1",
    "policies": "3",
    "measure": "0.1",
}
"""Replaced where they are given or not 0 by default."""

KNOWN = {"my_package.my_module:MyTD3": "stable_baselines3:TD3", "macs=0.37": "macs=0.8"}
"""What stands for a name of the reader's own, and for a budget that a tiny network cannot reach."""

TOO_SMALL = "a small network has no latency to save; the walk of latency-budget.md does this"
LONG = "minutes to hours on real images"
IN_BYTES = (
    "amc search --model resnet20 --dataset fashion-mnist --budget latency=0.5 "
    "--runtime onnxruntime-int8"
)
ELSEWHERE = {
    "amc search --model resnet20 --dataset fashion-mnist --latency": TOO_SMALL,
    "amc search --model resnet20 --strategy gp-rollout --budget latency=0.6": TOO_SMALL,
    "amc search --model resnet20 --budget macs=0.5 --round-to hardware": TOO_SMALL,
    "amc search --model resnet20 --budget latency=0.6 --runtime": "there is no phone; another "
    "command is given in test_commanded.py",
    "amc benchmark --model resnet20 --dataset fashion-mnist --strategies uniform,cma": TOO_SMALL,
    "amc profile --model resnet20 --dataset fashion-mnist --runtime onnxruntime --timings": "the "
    "other device has not answered; done in profiling/test_carrying.py",
    "amc search --model mine:network --task mine:task": "the walk of tasks.md does this",
    "amc watch": "it goes on until Ctrl-C; done in commands/test_watch.py",
    "make demo": "the same as experiments.demo",
    "make test": "it runs this test",
    "make .venv-zoo/.installed": "6 GB; CI makes it before make test-zoo",
    ".venv/bin/python -m pytest": "it runs this test",
    ".venv/bin/python -m experiments.demo": "minutes; what it types is tested in test_demo.py",
    IN_BYTES: "a network as small as the tests' takes no less time in bytes; test_in_bytes.py",
    "python timing.py": "it runs on the other device; done in profiling/test_carrying.py",
    "python3 -m venv": "as the environment that this test runs in was made",
    ".venv/bin/python -m pip install": "asks the network; CI is set up by the same line",
    "small/bin/python -m pip install": "asks the network; done without in test_deployment_docs.py",
    "python -m experiments.studies.contest": LONG,
    "python -m experiments.studies.foretelling": LONG,
    "python -m experiments.studies.depth": LONG,
    "python -m experiments.studies.budgets": LONG,
    "python -m experiments.studies.semi_structured": "it needs an NVIDIA GPU",
    "python -m experiments.studies.costs": LONG,
    "python -m experiments.studies.criteria": LONG,
    "python -m experiments.studies.finetuning": LONG,
    "python -m experiments.studies.latency": LONG,
    "python -m experiments.studies.masks": LONG,
    "python -m experiments.studies.peers": LONG,
    "python -m experiments.studies.worth": LONG,
    "python -m experiments.studies.both_units": LONG,
    "python -m experiments.studies.headstart": LONG,
    "python -m experiments.studies.fronts": LONG,
    "python -m experiments.studies.widths.accuracy": LONG,
    ".venv-zoo/bin/python -m experiments.studies.latency.zoo": LONG,
    ".venv-zoo/bin/python -m experiments.studies.peak_memory": LONG,
    "python -m experiments.studies.tasks": LONG,
    ".venv-zoo/bin/python -m experiments.studies.widths": LONG,
    ".venv-zoo/bin/python -m experiments.studies.tasks": LONG,
    "python -m experiments.studies.speed": LONG,
    "python -m experiments.studies.sparsity": LONG,
}


def commands(page: str) -> list[str]:
    """The commands of one page, each on one line and without its comment."""
    text = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    lines = (found.replace("\\\n", " ").partition(" #")[0] for found in LINE.findall(text))
    return [" ".join(line.split()) for line in lines]


def elsewhere(line: str) -> list[str]:
    """The entries of `ELSEWHERE` that a command begins with."""
    return [start for start in ELSEWHERE if line.startswith(start)]


PAGES = {
    path.stem: commands(path.read_text(encoding="utf-8"))
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if path.stem not in WALKS
}
TYPED = {
    name: typed
    for name, shown in PAGES.items()
    if (typed := [line for line in shown if line.startswith("amc ") and not elsewhere(line)])
}
OTHERS = sorted(set(chain(*PAGES.values())) - set(chain(*TYPED.values())))
AGAIN = [name for name in TYPED if name != "README" and set(TYPED[name]) <= set(TYPED["README"])]
"""Pages that tell nothing but what the README does."""


def made_small(words: list[str], number: int) -> list[str]:
    """The words of a command, and those that make it small; `number` is its place on the page."""
    settings = flat(parse(words, KINDS))
    added = {name: value for name, value in SMALLER.items() if settings.get(name)}
    if settings.get("run"):
        added.pop("episodes", None)  # It has its own problem, which is small already.
    else:
        if settings.get("max_drop"):
            added |= {"search_images": "20", "max_drop": "0.6"}  # few samples prove little
        if "dataset" in settings:
            added |= NARROW if settings["dataset"] == "digits" else TINY
        if settings.get("weights") and not Path(settings["weights"]).is_file():
            added["weights"] = "null"
        if settings.get("out") and "--out" not in words:
            added["out"] = f"runs/number-{number}"
    flags = [(f"--{name.replace('_', '-')}", value) for name, value in added.items()]
    return [*words, *(word for pair in flags for word in pair)]


def provide(words: list[str], run: Path) -> None:
    """Put a run wherever a command reads one that is not there."""
    for flag, word in pairwise(words):
        folder = Path(*Path(word).parts[:2])
        if word.startswith("runs/") and flag not in ("--out", "--weights") and not folder.exists():
            shutil.copytree(run, folder)


def trusted(words: list[str]) -> list[str]:
    """The words of a command, and those that allow the code which a run or settings file names."""
    named = [Path(word) for word in words if word.startswith("runs/") and Path(word).exists()]
    files = [path / "config.yaml" if path.is_dir() else path for path in named]
    reading = words[0] in ("export", "trust") or "--config" in words
    if not reading or not any(TINY["model"] in file.read_text("utf-8") for file in files):
        return words
    return [*words, "--model", TINY["model"], "--dataset", TINY["dataset"]]


@pytest.fixture(scope="module")
def run(amc: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small network, as pages speak of one."""
    out = tmp_path_factory.mktemp("given") / "run"
    tiny = [word for name in ("model", "dataset") for word in (f"--{name}", TINY[name])]
    words = ("--strategy", "random", "--episodes", "6", "--round-to", "1")
    amc.good("search", *tiny, *words, "--out", out)
    return out


@pytest.mark.timeout(400)  # A page has many commands.
@pytest.mark.parametrize("page", [page for page in TYPED if page not in AGAIN])
def test_the_commands_of_a_page_work(
    page: str, amc: CommandLine, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")  # for the files that pages name
    for number, line in enumerate(TYPED[page]):
        words = [KNOWN.get(word, word) for word in shlex.split(line)[1:]]
        provide(words, run)
        answer = amc(*made_small(trusted(words), number))
        assert answer.code == 0, f"{line}\n{answer.err}"


def test_pages_with_commands_are_found() -> None:
    assert {"README", "agents", "costs", "deployment", "trust"} <= set(TYPED)
    assert len(TYPED["README"]) == 12
    assert "amc search --strategy gp-rollout --budget macs=0.3 --episodes 300" in TYPED["agents"]


@pytest.mark.parametrize("line", OTHERS)
def test_a_command_that_is_not_typed_has_a_reason(line: str) -> None:
    assert len(elsewhere(line)) == 1


@pytest.mark.parametrize("line", [line for line in OTHERS if line.startswith("amc ")])
def test_a_command_that_is_not_typed_is_understood(line: str) -> None:
    parse(shlex.split(line)[1:], KINDS)


@pytest.mark.parametrize("start", ELSEWHERE)
def test_a_reason_is_of_a_command_that_a_page_shows_and_that_is_there(start: str) -> None:
    assert [line for line in OTHERS if line.startswith(start)]
    program = re.search(r" (experiments\.\w+)$", start)
    assert program is None or find_spec(program[1])


@pytest.mark.parametrize("name", KNOWN)
def test_names_of_the_reader_s_own_are_still_there(name: str) -> None:
    assert [line for lines in TYPED.values() for line in lines if name in line]
