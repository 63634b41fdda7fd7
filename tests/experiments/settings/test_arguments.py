"""From words to settings."""

import pytest
from flat_settings import settings_of

from amc.granularity import Granularity
from amc.policy import Budget
from experiments.cli import KINDS
from experiments.settings import (
    BenchmarkSettings,
    Mistake,
    OutputSettings,
    ReportSettings,
    SearchSettings,
    parse,
)


def settings(*words):
    return parse(["search", *words], KINDS)


def budgets(*words):
    return tuple(map(str, settings(*words).problem.budget))


def test_no_flags_are_the_defaults():
    assert settings() == SearchSettings()


def test_each_flag_sets_its_field():
    made = settings("--model", "vgg-small", "--round-to=8", "--finetune-epochs", "0.5")
    assert made == settings_of(SearchSettings, model="vgg-small", round_to=8, finetune_epochs=0.5)
    assert made.problem.round_to == 8


@pytest.mark.parametrize("flag", ["--max-ratio", "--max_ratio"])
def test_dashes_and_underscores_are_the_same(flag):
    assert settings(flag, "0.7").problem.max_ratio == 0.7
    assert settings(f"{flag}=0.7").problem.max_ratio == 0.7


def test_values_keep_their_dashes():
    made = settings("--model", "mobilenet-v1", "--out=a--b-c", "--options.file", "my-file.yaml")
    assert (made.network.model, made.output.out, made.options) == (
        "mobilenet-v1",
        "a--b-c",
        {"file": "my-file.yaml"},
    )


def test_a_value_may_begin_with_one_dash():
    assert settings("--options.file", "-").options == {"file": "-"}
    assert settings("--options.sigma", "-5").options == {"sigma": -5}


def test_a_budget_given_again_is_one_more():
    made = settings("--budget", "macs=0.5", "--seed", "3", "--budget=energy=0.6")
    assert made.problem.budget == (Budget("macs", 0.5), Budget("energy", 0.6))
    assert made.network.seed == 3
    words = ("--budget", "macs=0.5,size=2MB", "--budget", "energy=1mJ")
    assert budgets(*words) == ("macs=0.5", "size=2MB", "energy=1mJ")


def test_no_budget_is_a_choice():
    assert settings("--budget=").problem.budget == ()
    assert budgets("--budget", "macs=0.5, params=1.2M") == ("macs=0.5", "params=1.2M")


def test_budgets_on_the_command_line_replace_those_of_the_file(tmp_path):
    (tmp_path / "settings.yaml").write_text("budget: params=0.2\n")
    words = ("--budget", "macs=0.5", "--config", str(tmp_path / "settings.yaml"))
    assert budgets(*words) == ("macs=0.5",)
    assert budgets(*words[2:]) == ("params=0.2",)


def test_granularities_and_patterns_are_read_once():
    made = settings("--granularity", "2:4", "--exclude", "stem.*, classifier").problem
    assert made.granularity == Granularity("n:m", 2, 4)
    assert made.exclude == ("stem.*", "classifier")


def test_options_of_a_strategy_gather():
    made = settings("--options.sigma", "0.2", "--options.hidden", "20")
    assert made.options == {"sigma": 0.2, "hidden": 20}


def test_names_of_options_are_as_typed():
    made = settings("--options.my_width", "1", "--options.my-depth=2")
    assert made.options == {"my_width": 1, "my-depth": 2}


def test_options_in_a_benchmark_gather_by_strategy():
    words = ["--options.ddpg-paper.sigma", "1e-2", "--options.netadapt.steps", "3"]
    words += ["--options.netadapt.lr=0.1", "--options.my.nets:Search.fast", "true"]
    made = parse(["benchmark", *words], KINDS)
    assert made == BenchmarkSettings(
        options={
            "ddpg-paper": {"sigma": 0.01},
            "netadapt": {"steps": 3, "lr": 0.1},
            "my.nets:Search": {"fast": True},
        }
    )


def test_a_report_takes_several_folders():
    assert parse(["report", "a", "b"], KINDS) == ReportSettings(("a", "b"))


@pytest.mark.parametrize("words", [["--overwrite"], ["--overwrite", "true"], ["--overwrite=true"]])
def test_a_switch_needs_no_value(words):
    assert settings(*words).output == OutputSettings("runs/search", True)
    assert settings(*words, "--seed", "3").output.overwrite is True
    assert settings("--overwrite", "false").output.overwrite is False


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("model: plain20\nfinetune_lr: 1e-4\noptions: {sigma: 0.3}\n")
    return str(path)


def test_a_file_sets_fields_and_its_numbers_may_have_exponents(file):
    named = {"model": "plain20", "finetune_lr": 0.0001, "options": {"sigma": 0.3}}
    expected = settings_of(SearchSettings, **named)
    assert settings("--config", file) == expected
    assert settings(f"--config={file}") == expected


def test_what_a_file_sets_can_be_taken_back(file):
    assert settings("--config", file, "--finetune-lr", "null").tuning.finetune_lr is None


def test_an_option_leaves_the_others_of_the_file_alone(file, tmp_path):
    assert settings("--config", file, "--options.hidden", "20").options == {
        "sigma": 0.3,
        "hidden": 20,
    }
    assert settings("--config", file, "--options.sigma", "0.1").options == {"sigma": 0.1}
    nested = tmp_path / "nested.yaml"
    nested.write_text("options: {gp-rollout: {sigma: 0.3, hidden: 10}}")
    words = ["benchmark", "--config", str(nested), "--options.gp-rollout.hidden", "20"]
    assert parse(words, KINDS).options == {"gp-rollout": {"sigma": 0.3, "hidden": 20}}


@pytest.mark.parametrize("file_comes", ["first", "last"])
def test_flags_override_the_file_wherever_they_stand(file, file_comes):
    words = ("--model", "resnet56", "--seed", "3")
    named = ("--config", file)
    made = settings(*named, *words) if file_comes == "first" else settings(*words, *named)
    assert (made.network.model, made.network.seed) == ("resnet56", 3)
    assert made.tuning.finetune_lr == 0.0001


def test_help_ends_the_program(capsys):
    with pytest.raises(SystemExit) as ended:
        parse(["train", "--help"], KINDS)
    assert not ended.value.code
    assert "--epochs" in capsys.readouterr().out


def test_a_beginning_of_a_flag_is_not_the_flag():
    with pytest.raises(Mistake, match="unknown flag --epi; did you mean --episodes"):
        settings("--epi", "3")


def test_another_flag_is_no_value():
    with pytest.raises(Mistake, match="--out needs a value; see amc search --help"):
        settings("--out", "--seed", "3")
