"""What a person meets at the command line; mistakes are in test_mistakes.py."""

import re
import subprocess
import sys
from configparser import ConfigParser
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml

from experiments import __main__, cli
from experiments.cli import COMMANDS
from experiments.commands import runs, search
from experiments.settings import flags_of

FEW = ("--calibration-images", 100, "--search-images", 50)


def helped(amc, *words):
    """What --help prints, on one line."""
    answer = amc(*words, "--help")
    assert answer.code == 0
    return " ".join(answer.out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_setting_with_its_default(command, amc):
    text = helped(amc, command)
    for name, one in flags_of(COMMANDS[command].settings).items():
        typed = name.upper() if one.hint.way == "word" else f"--{name.replace('_', '-')}"
        entry = rf" \[?{typed}\S*(?: \S+)? ([A-Za-z].+?) \((?:default: |required)"
        told = re.findall(entry, text)
        assert any(len(words.split()) >= 3 for words in told), f"{command}: {name}"


@pytest.mark.parametrize("command", ["search", "benchmark", "trust"])
def test_what_matters_first_is_told_first(command, amc):
    sections = re.findall(r"^(\w[\w ]+):$", amc(command, "--help").out, re.MULTILINE)
    assert "What matters first" in sections[:2]
    assert sections[-1] == "General"
    assert len(sections) == len(set(sections)) >= 6


def test_help_names_every_command_in_the_order_of_work(amc):
    text = helped(amc)
    places = [text.index(f" {name} {one.about}") for name, one in COMMANDS.items()]
    assert places == sorted(places)


def test_flags_are_shown_with_dashes(amc):
    text = helped(amc, "search")
    assert "--calibration-images" in text
    assert "--calibration_images" not in text


def test_no_words_at_all_are_answered_with_help(amc):
    answer = amc()
    assert answer.code == 2
    assert "Usage: amc COMMAND" in answer.out


def test_help_does_not_wait_for_torch(amc, tmp_path):
    script = (
        "import sys\n"
        "from experiments.cli import main\n"
        "try:\n    main(['search', '--help'])\n"
        "finally:\n    print('torch' in sys.modules)"
    )
    answer = amc.elsewhere(folder=tmp_path, script=script)
    assert answer.out.splitlines()[-1] == "False"


def test_settings_do_not_wait_for_what_reads_them(amc, tmp_path):
    script = "import sys, experiments.settings\nprint({'torch', 'pydantic'} & {*sys.modules})"
    assert amc.elsewhere(folder=tmp_path, script=script).out == "set()\n"


def test_debug_may_stand_anywhere(amc):
    for words in (("--debug", "report", "nowhere"), ("report", "--debug", "nowhere")):
        assert "Traceback" in amc(*words).err


def test_debug_shows_where_a_mistake_was_found(amc):
    answer = amc("report", "nowhere", "--debug")
    assert answer.code == 2
    assert "Traceback" in answer.err
    assert answer.err.splitlines()[-1].startswith("amc: error: no result at nowhere")


def test_ctrl_c_ends_without_a_traceback(amc, monkeypatch):
    def interrupted(config, console):
        raise KeyboardInterrupt

    monkeypatch.setattr(search, "run", interrupted)
    assert amc("search") == (130, "", "amc: interrupted\n")


def test_packages_of_other_distributions_are_recognised(amc, monkeypatch):
    def find(name):
        return ModuleSpec(name, None, origin=f"/elsewhere/{name}/__init__.py")

    monkeypatch.setattr(cli, "find_spec", find)
    answer = amc("search")
    assert answer.code == 2
    assert "'amc' is not this project's but /elsewhere/amc/__init__.py" in answer.err
    assert "virtual environment" in answer.err


def test_a_search_tells_its_result_and_where_the_report_is(amc, weights, tmp_path):
    out = tmp_path / "a [run] of mine"
    words = ("--model", "resnet8", "--dataset", "digits", "--width", 0.5, "--weights", weights)
    shown = amc.good("search", *words, *FEW, "--strategy", "uniform", "--out", out)
    assert "uniform: 1/1, best accuracy 0." in shown
    assert "after" in shown
    assert f"report: {out / 'report.html'}" in shown


def test_saved_settings_bring_the_same_result_again(amc, uniform_run, tmp_path):
    again = tmp_path / "again"
    amc.good("search", "--config", uniform_run / "config.yaml", "--out", again)
    for name in ("policy.json", "model.safetensors"):
        assert (again / name).read_bytes() == (uniform_run / name).read_bytes()
    ours, theirs = (
        yaml.safe_load((run / "config.yaml").read_text()) for run in (again, uniform_run)
    )
    assert {**ours, "out": None} == {**theirs, "out": None}


def test_a_module_in_the_current_folder_is_found_by_the_installed_command(amc, tmp_path):
    (tmp_path / "own_nets.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))\n"
    )
    # Of the same name as one of ours: must not come before it.
    (tmp_path / "netadapt.py").write_text("raise RuntimeError('wrong one')")
    # As pip writes it; unlike `python -m`, it does not put the current folder on the path.
    script = (
        "import sys; sys.path.remove(''); sys.argv[0] = 'amc'\n"
        "from experiments.cli import main; sys.exit(main())"
    )
    words = ("--model", "own_nets:make", "--dataset", "digits", "--strategy", "uniform")
    answer = amc.elsewhere("search", *words, *FEW, "--out", "run", folder=tmp_path, script=script)
    assert answer.code == 0, answer.err
    assert (tmp_path / "run" / "result.json").is_file()


def test_what_nobody_foresaw_is_one_sentence_too(monkeypatch, capsys):
    def unforeseen(config, console):
        raise AttributeError("no such thing")

    monkeypatch.setattr(runs, "run", unforeseen)
    assert cli.main(["runs"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("amc: error: amc runs broke off")
    assert "AttributeError: no such thing" in said
    assert said.count("\n") == 1
    assert cli.main(["runs", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_current_folder_that_is_gone_is_told(monkeypatch, capsys, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.main(["runs"]) == 2
    assert "the current folder is no longer there; change to another" in capsys.readouterr().err


def test_what_is_installed_as_amc_obeys_ctrl_c_from_the_start_and_runs():
    told = ConfigParser()
    told.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    _, _, where = told["options.entry_points"]["console_scripts"].strip().partition(" = ")
    assert EntryPoint("amc", where, "console_scripts").load() is __main__.run
    installed = Path(sys.executable).with_name("amc")
    answer = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"amc [0-9.]+\n", answer.stdout)
