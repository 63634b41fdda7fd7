"""Commands that can be pasted into a shell as they stand."""

import shlex
from collections.abc import Callable

from flat_settings import settings_of

from experiments.report.commands import Use, use
from experiments.report.comparison import compare
from experiments.runs.results import RunResult
from experiments.settings import PruneSettings, SearchSettings, flat

Made = Callable[..., RunResult]


def uses(result: RunResult) -> Use:
    return use(compare([result])[0].runs[0])


def test_settings_at_their_defaults_do_not_appear(made: Made) -> None:
    one = uses(made(config=flat(settings_of(SearchSettings, out="runs/a"))))
    assert " ".join(one.prune) == (
        "amc prune --policy runs/a/policy.json --model resnet8 --dataset digits --out runs/a-pruned"
    )
    assert one.search is not None
    assert " ".join(one.search) == (
        "amc search --model resnet8 --dataset digits --strategy gp-rollout --budget macs=0.5 "
        "--seed 0 --out runs/a-again"
    )
    assert " ".join(one.export) == "amc export runs/a --format onnx"


def test_all_other_settings_do(made: Made) -> None:
    config = settings_of(
        SearchSettings,
        width=0.5,
        weights="w.safetensors",
        finetune_epochs=2.5,
        round_to=8,
        options={"sigma": 0.2},
    )
    one = uses(made(config=flat(config)))
    assert one.search is not None
    for flag in ("--width 0.5", "--weights w.safetensors", "--finetune-epochs 2.5"):
        assert flag in one.prune
        assert flag in one.search
    for flag in ("--round-to 8", "--options.sigma 0.2"):
        assert flag not in one.prune
        assert flag in one.search


def test_paths_and_names_are_quoted_for_the_shell(made: Made) -> None:
    one = uses(made(model="my nets:make", config={"out": "runs/it's; rm -rf ~"}))
    words = shlex.split(" ".join(one.prune))
    assert words[:4] == ["amc", "prune", "--policy", "runs/it's; rm -rf ~/policy.json"]
    assert words[5] == "my nets:make"


def test_python_paths_are_quoted_too(made: Made) -> None:
    code = uses(made(config={"out": "it's"})).python
    compile(code, "<report>", "exec")
    assert '"it\'s/model.safetensors"' in code


def test_a_run_without_settings_leaves_a_placeholder(made: Made) -> None:
    assert "--policy RUN/policy.json" in uses(made(config={})).prune


def test_several_budgets_make_one_flag(made: Made) -> None:
    search = uses(made(budgets=("macs=0.5", "params=1.2M"))).search
    assert search is not None
    assert "--budget macs=0.5,params=1.2M" in search


def test_a_policy_from_a_file_has_no_search_to_repeat(made: Made) -> None:
    one = uses(
        made("policy", config=flat(settings_of(PruneSettings, policy="other.json", out="runs/p")))
    )
    assert one.search is None
    assert "--policy runs/p/policy.json" in one.prune
