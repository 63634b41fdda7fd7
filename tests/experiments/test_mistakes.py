"""One clear line for every mistake at the command line."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

NETS = """
from torch import nn

def five():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 5))

def needs(more):
    return five()

def broken():
    raise RuntimeError("no luck")

class Idle:
    pass
"""


@pytest.fixture(scope="session")
def desk(tmp_path_factory, weights, uniform_run):
    """A folder with a good checkpoint and run, and with everything that can be wrong."""
    here = tmp_path_factory.mktemp("desk")
    shutil.copy(weights, here / "good.safetensors")
    shutil.copytree(uniform_run, here / "run")
    (here / "file").write_text("in the way")
    (here / "folder").mkdir()
    (here / "trained").mkdir()
    for name in ("result.json", "config.yaml"):
        shutil.copy(weights.with_name(name), here / "trained")
    (here / "nets_of_a_user.py").write_text(NETS)
    whole = weights.read_bytes()
    (here / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (here / "pickle.safetensors").write_bytes(pickle.dumps(print))
    (here / "pickle.pt").write_bytes(pickle.dumps(print))
    torch.save([1, 2], here / "list.pt")
    torch.save({"other": torch.ones(2)}, here / "other.pt")
    _write_settings(here)
    _write_policies(here)
    return here


def _write_settings(here: Path) -> None:
    texts = {
        "broken": "model: [1",
        "unknown": "round-to: 8",
        "list": "- model",
        "empty": "",
        "type": "episodes: many",
        "weights": "weights: [1]",
        "no-layer": '"nolayer.*": 0.5',
        "too-much": '"stages.*": 1.5',
        "words": '"stages.*": much',
    }
    for name, text in texts.items():
        (here / f"{name}.yaml").write_text(text)
    (here / "binary.yaml").write_bytes(bytes(range(256)))


def _write_policies(here: Path) -> None:
    good = json.loads((here / "run" / "policy.json").read_text())
    other = json.loads((here / "run" / "policy.json").read_text())
    other["groups"][0]["name"] = "entrance"
    (here / "other.json").write_text(json.dumps(other))
    (here / "criterion.json").write_text(json.dumps({**good, "criterion": "l7"}))
    (here / "broken.json").write_text('{"groups": [')


SEARCH = "search --model resnet8 --dataset digits --width 0.5 --weights good.safetensors --out new "
PRUNE = SEARCH.replace("search", "prune", 1)
BENCHMARK = SEARCH.replace("search", "benchmark", 1)
BARE = "search --model resnet8 --dataset digits "
MANUAL = SEARCH + "--strategy manual --options.file "
OWN = "search --dataset digits --model "

# A flag with a value that it cannot have, and what it must be; all ranges are in test_config.py.
VALUES = {
    "search --episodes many": "a whole number",
    "search --episodes 1.5": "a whole number",
    "search --episodes 0": "1 or more",
    "search --width wide": "a number",
    "search --width 0": "above 0",
    "search --width .inf": "above 0",
    "search --seed -1": "0 to 4294967295",
    "search --max-ratio .nan": "above 0 and below 1",
    "search --finetune-lr fast": "a number",
    "search --finetune-schedule cubik": "one-shot, linear, cubic",
    "train --gamma-l1 -1": "0 or more",
    "benchmark --search-images -5": "0 or more",
    "prune --calibration-images -5": "0 or more",
}


def refusal(typed: str) -> tuple[str, ...]:
    """Words that the answer to one of these has."""
    flag, value = typed.split()[-2:]
    return f"{flag} is", value.lstrip("."), VALUES[typed]


# What is typed, and words that the answer must have: what is wrong, where, and how to mend it.
MISTAKES = {
    **{typed: refusal(typed) for typed in VALUES},
    "serch": ("unknown command 'serch'", "did you mean search?", "amc --help"),
    "zzz": ("unknown command 'zzz'", "amc --help"),
    "--model resnet8": ("--model comes before a command", "amc COMMAND --model"),
    "search --epsiodes 3": ("unknown flag --epsiodes", "did you mean --episodes?"),
    "search --roundto 3": ("unknown flag --roundto", "did you mean --round-to?"),
    "benchmark --strategy ddpg": ("unknown flag --strategy", "did you mean --strategies?"),
    "search resnet8": ("'resnet8'", "--help"),
    "search -x": ("'-x'", "--help"),
    "search --model": ("--model needs a value", "--help"),
    "search --options sigma": ("--options is 'sigma'", "--options.NAME VALUE"),
    "search --options.sigma": ("--options.sigma needs a value", "--help"),
    "train --options.sigma 1": ("unknown flag --options.sigma", "amc train --help"),
    SEARCH + "--granularity 2:4 --max-ratio 0.5": ("max_ratio is 0.5", "2:4 allows only 2 and 4"),
    "search --model resnet21 --dataset digits": ("unknown model", "did you mean 'resnet20'?"),
    "search --model resnet8 --dataset digit": ("unknown data set", "did you mean 'digits'?"),
    BARE + "--strategy ddgp": ("unknown strategy", "did you mean 'ddpg'?"),
    SEARCH + "--criterion l3": ("unknown criterion 'l3'", "known: l1, l2"),
    SEARCH + "--budget mac=0.5": ("unknown cost 'mac'", "did you mean 'macs'?"),
    SEARCH + "--budget macs=": ("budget 'macs='", "such as macs=0.5"),
    SEARCH + "--budget macs=abc": ("budget 'macs=abc'", "such as macs=0.5"),
    SEARCH + "--budget macs=0": ("budget macs", "0.0", "above 0"),
    SEARCH + "--budget macs=-1": ("budget 'macs=-1'", "such as macs=0.5"),
    SEARCH + "--budget macs=150%": ("budget macs", "1.5", "up to 1"),
    SEARCH + "--budget macs=nan": ("budget 'macs=nan'", "such as macs=0.5"),
    SEARCH + "--budget macs=0.5,": ("budget ''", "such as macs=0.5"),
    SEARCH + "--budget macs=0.5,macs=0.4": ("'macs=0.5,macs=0.4'", "each cost once"),
    SEARCH + "--budget macs=0.5 --budget macs=0.4": ("'macs=0.5,macs=0.4'", "each cost once"),
    SEARCH + "--budget macs=0.5 --budget": ("--budget needs a value", "--help"),
    SEARCH + "--budget macs=1.5ms": ("'ms' is no unit of macs", "macs=1.2M"),
    SEARCH + "--budget energy=2MJ": ("'MJ' is no unit of energy", "energy=250uJ"),
    SEARCH + "--budget size=2m3": ("budget 'size=2m3'", "such as", "size=300kB"),
    SEARCH + "--budget macs=0.001": ("macs=0.001 cannot be reached", "macs=0.0637", "budget"),
    SEARCH + "--budget macs=0.05": ("macs=0.05 cannot be reached", "macs=0.0637", "--max-ratio"),
    SEARCH + "--budget macs=0.5 --budget size=1B": ("size=1B cannot be reached", "bytes"),
    SEARCH + "--granularity element --budget memory=0.5": ("not change memory", "size or energy"),
    SEARCH + "--memory-batch 0": ("--memory-batch is 0", "1 or more"),
    SEARCH + "--out file": ("--out file", "in its way", "name another"),
    BARE: ("no weights come with resnet8 of width 1 on digits", "`amc train", "--weights"),
    BARE + "--weights nowhere.pt": ("no weights at nowhere.pt", "`amc train`"),
    BARE + "--weights folder": ("no weights at folder", "`amc train`"),
    BARE + "--weights pickle.pt": ("pickle.pt", "plain tensors", "safetensors"),
    BARE + "--weights pickle.safetensors": ("pickle.safetensors", "not a safetensors file"),
    BARE + "--weights half.safetensors": ("half.safetensors", "not a safetensors file", "again"),
    BARE + "--weights list.pt": ("list.pt", "not a state dict", "state_dict()"),
    BARE + "--weights other.pt": ("other.pt does not fit", "has no 'stem.0.weight'", "model"),
    BARE + "--weights good.safetensors": (
        *("good.safetensors does not fit resnet8 of width 1", "'stem.0.weight' is (8, 1, 3, 3)"),
        *("the network has (16, 1, 3, 3)", "width"),
    ),
    "search --model vgg-small --dataset digits --weights list.pt": ("list.pt",),
    "train --model vgg-small --dataset digits": ("vgg-small", "1 x 8 x 8 images of digits"),
    OWN + "nowhere.at:all": ("model 'nowhere.at:all'", "PYTHONPATH"),
    OWN + "os:nothing": ("model 'os:nothing'", "has no 'nothing'"),
    OWN + "os:getcwd": ("'os:getcwd' gave str", "torch.nn.Module"),
    OWN + "nets_of_a_user:five": ("(1, 5)", "(1, 10) logits"),
    OWN + "nets_of_a_user:needs": ("'more'", "without arguments"),
    OWN + "nets_of_a_user:broken": ("nets_of_a_user:broken", "no luck"),
    "search --dataset digits --width 0.5 --model nets_of_a_user:five": ("--width is 0.5", "zoo"),
    "search --config nowhere.yaml": ("--config nowhere.yaml", "no such file", "config.yaml"),
    "search --config folder": ("--config folder", "no such file"),
    "search --config": ("--config needs a value",),
    "search --config broken.yaml": ("--config broken.yaml", "not valid YAML (line 1)"),
    "search --config binary.yaml": ("--config binary.yaml", "not valid YAML"),
    "search --config unknown.yaml": ("unknown.yaml", "'round-to'", "did you mean round_to?"),
    "search --config list.yaml": ("--config list.yaml", "`model: resnet20`"),
    "search --config empty.yaml": ("--config empty.yaml", "`model: resnet20`"),
    "search --config type.yaml": ("--episodes is 'many'", "a whole number"),
    "search --config weights.yaml": ("--weights is '[1]'", "a text"),
    SEARCH + "--strategy manual": ("manual needs a YAML file", "--options.file FILE"),
    MANUAL + "nowhere.yaml": ("nowhere.yaml", "pattern: ratio"),
    MANUAL + "broken.yaml": ("broken.yaml", "not valid YAML"),
    MANUAL + "list.yaml": ("list.yaml", "patterns to ratios"),
    MANUAL + "empty.yaml": ("empty.yaml", "patterns to ratios"),
    MANUAL + "words.yaml": ("words.yaml", "patterns to ratios"),
    MANUAL + "too-much.yaml": ("'stages.*' is 1.5", "[0, 1]"),
    MANUAL + "no-layer.yaml": (
        "'nolayer.*' matches no",
        "layers: stem.0",
    ),
    SEARCH + "--strategy netadapt --budget=": ("netadapt needs a budget", "such as macs=0.5"),
    SEARCH + "--strategy netadapt --options.stesp 1": ("'stesp'", "did you mean 'steps'?"),
    SEARCH + "--strategy netadapt --finetune-epochs 1 --finetune-schedule cubic": (
        *("--finetune-schedule cubic begins again", "one-shot", "`amc prune`"),
    ),
    SEARCH + "--options.sigma wide": ("--options.sigma is 'wide'", "ddpg needs a number"),
    SEARCH + "--strategy uniform --options.sigma 1": ("unknown option of uniform", "known: none"),
    SEARCH + "--strategy nets_of_a_user:Idle": ("gave Idle", "search(problem, seed)"),
    SEARCH + "--strategy nets_of_a_user:five": ("gave Sequential", "search(problem, seed)"),
    SEARCH + "--strategy nets_of_a_user:needs": ("'more'", "--options.NAME"),
    PRUNE + "--policy nowhere.json": ("no policy at nowhere.json", "`amc search"),
    PRUNE + "--policy broken.json": ("broken.json", "not valid JSON", "again"),
    PRUNE + "--policy good.safetensors": ("good.safetensors", "JSON"),
    PRUNE + "--policy other.json": ("another network", "'entrance'", "'stem.0'", "width"),
    PRUNE + "--policy criterion.json": ("unknown criterion 'l7'", "known: l1, l2"),
    BENCHMARK + "--strategies uniform,uniform": ("'uniform,uniform'", "different names"),
    BENCHMARK + "--strategies ,": ("--strategies is ','", "separated by commas"),
    BENCHMARK + "--strategies uniform,unifrom": ("'unifrom'", "did you mean 'uniform'?"),
    BENCHMARK + "--strategies uniform,manual": ("manual needs a YAML file", "--manual FILE"),
    BENCHMARK + "--finetune-epochs 1 --finetune-schedule linear": (
        *("--finetune-schedule linear begins again", "one-shot", "`amc prune`"),
    ),
    BENCHMARK + "--options.sigma 0.2": ("--options.STRATEGY.NAME", "'sigma'", "known: ddpg"),
    BENCHMARK + "--options.ddpg 0.2": ("ddpg has", "0.2", "--options.ddpg.sigma"),
    "export": ("RUN is missing", "--help"),
    "export nowhere": ("no finished run in nowhere", "`amc search"),
    "export trained": ("no policy at trained/policy.json", "`amc search"),
    "export run --format onx": ("unknown format 'onx'", "did you mean 'onnx'?"),
    "export run --out folder": ("--out folder is a folder", "name the file"),
    "export run --measure -1": ("--measure is -1.0", "0 or more"),
    "export run --threads 0": ("--threads is 0", "1 or more"),
    "export run --weights nowhere.pt": ("no weights at nowhere.pt", "unpruned.onnx", "--measure 0"),
    "report": ("RUNS is missing", "--help"),
    "report nowhere": ("no result at nowhere/result.json", "`amc search"),
    "report trained": ("trained/result.json", "not the result of a pruning run", "again"),
    "report run --out folder": ("folder is a folder", "name a file"),
    "train --model resnet8 --dataset digits --out file": ("--out file", "in its way"),
}


@pytest.mark.parametrize("typed", MISTAKES)
def test_a_mistake_ends_with_one_line_that_says_what_where_and_how(typed, amc, desk, monkeypatch):
    monkeypatch.chdir(desk)
    answer = amc(*typed.split())
    assert answer.code == 2
    assert answer.err.startswith("amc: error: ")
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    for words in MISTAKES[typed]:
        assert words in answer.err
