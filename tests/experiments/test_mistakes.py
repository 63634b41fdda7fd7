"""One clear line for every mistake at the command line."""

import json
import math
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

NETS = """
import torch
from torch import nn
from amc import Samples
from experiments.zoo.image_dataset import ImageDataset

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 12), nn.Linear(12, 10)

    def forward(self, images):
        return self.last(torch.relu(self.first(images.flatten(1))))

class Noisy(Net):
    def forward(self, images):
        return super().forward(images + torch.randn(8))

class InTrainingOnly(Net):
    def forward(self, images):
        assert self.training, "only in training"
        return super().forward(images)

class TwoInputs(Net):
    def forward(self, images, more):
        return super().forward(images + more)

class TwoOutputs(Net):
    def forward(self, images):
        return super().forward(images), images

class OneAtATime(Net):
    def forward(self, images):
        return self.last(torch.relu(self.first(images.reshape(1, 64))))

class OneAnswer(Net):
    def forward(self, images):
        return super().forward(images)[:1]

class NotANumber(Net):
    def forward(self, images):
        return super().forward(images) * float("nan")

def unprunable():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

def leaves():
    raise SystemExit(3)

def images(count=8, labels=8, shape=(1, 8, 8), dtype=torch.uint8, label=0, kind=torch.int64):
    many = Samples(torch.zeros(count, *shape, dtype=dtype), torch.full((labels,), label).to(kind))
    few = Samples(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))
    return ImageDataset("mine", many, few, tuple("0123456789"))

def none_at_all(): return images(0, 0)
def a_single_one(): return images(1, 1)
def fewer_labels(): return images(labels=7)
def flat(): return images(shape=(64,))
def floats(): return images(dtype=torch.float32)
def a_label_too_many(): return images(label=10)
def below_zero(): return images(label=-1)
def float_labels(): return images(kind=torch.float32)
def other_shapes(): return images(shape=(1, 9, 9))
def no_tape(): raise OSError("the tape is missing")
def with_argument(path): return images()
def a_list(): return [1]

class Nothing:
    def search(self, problem, seed):
        return None

class Asserts:
    def search(self, problem, seed):
        assert False, "no luck"

class Confused:
    def search(self, problem, seed):
        return problem.evaluate(None)

class TooFew:
    def search(self, problem, seed):
        return problem.evaluate((1,))

class Leaves:
    def search(self, problem, seed):
        raise SystemExit(5)

class Unmade:
    def __init__(self):
        self.missing

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
    (here / "half_a_module.py").write_text("def five(")
    (here / "module_that_asserts.py").write_text("assert False, 'not today'")
    (here / "module_that_leaves.py").write_text("raise SystemExit(7)")
    whole = weights.read_bytes()
    (here / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (here / "pickle.safetensors").write_bytes(pickle.dumps(print))
    (here / "pickle.pt").write_bytes(pickle.dumps(print))
    torch.save([1, 2], here / "list.pt")
    torch.save({"other": torch.ones(2)}, here / "other.pt")
    _write_checkpoints(here)
    _write_settings(here)
    _write_policies(here)
    _write_images(here)
    _write_tables(here)
    _write_results(here)
    return here


def _write_results(here: Path) -> None:
    """Runs whose result has one wrong part."""
    good = json.loads((here / "run" / "result.json").read_text())
    wrong = {
        "searched": {"holdout": None, "test": None},
        "config": None,
        "machine": 5,
        "samples": None,
        "granularity": None,
        "groups": [],
        "budgets": [3],
    }
    for name, value in wrong.items():
        shutil.copytree(here / "run", here / f"run-{name}")
        (here / f"run-{name}" / "result.json").write_text(json.dumps({**good, name: value}))


def _write_checkpoints(here: Path) -> None:
    good = load_file(here / "good.safetensors")
    torch.save({"state_dict": good, "epoch": 3}, here / "nested.pt")
    torch.save(torch.nn.Linear(2, 2), here / "module.pt")
    (here / "nothing.pt").write_bytes(b"")
    (here / "long-header.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"{}")
    name = "stem.0.weight"
    save_file({**good, "extra": torch.ones(1)}, here / "extra.safetensors")
    save_file({**good, name: good[name][:, :, :2].clone()}, here / "shape.safetensors")
    save_file({**good, name: good[name] * math.nan}, here / "nan.safetensors")


def _write_images(here: Path) -> None:
    from PIL import Image

    for split, classes in (("train", ("a", "b")), ("test", ("a", "c"))):
        for name in classes:
            (here / "uneven" / split / name).mkdir(parents=True)
            Image.new("L", (8, 8)).save(here / "uneven" / split / name / "1.png")
    for name in ("a", "b"):
        (here / "corrupt" / name).mkdir(parents=True)
        for number in range(3):
            (here / "corrupt" / name / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n half")
    (here / "one-class" / "a").mkdir(parents=True)
    (here / "no-images" / "a").mkdir(parents=True)
    (here / "no-images" / "b").mkdir(parents=True)


def _write_tables(here: Path) -> None:
    (here / "no-table.json").write_text('{"schema_version": 99}')
    (here / "deep-table.json").write_text("[" * 99_999)


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
        "nan": '"stages.*": .nan',
        "code": "model: !!python/object/apply:os.system [true]",
        "deep": "model: " + "[" * 5_000,
        "bomb": "options: {a: &a [1, 1], b: &b [*a, *a], c: [*b, *b]}",
        "twice": "seed: 1\nseed: 2",
        "seed": "seed: -1",
        "command": "strategies: residual-gp",
        "options": "options: 3",
        "null-model": "model: null",
        "null-budget": "budget: null",
        "null-options": "options: null",
        "number-option": "options: {5: 3}",
        "other-options": "options: {no-such: 3}",
    }
    for name, text in texts.items():
        (here / f"{name}.yaml").write_text(text)
    (here / "binary.yaml").write_bytes(bytes(range(256)))
    (here / "huge.yaml").write_bytes(b"#" * 2_000_000)


def _write_policies(here: Path) -> None:
    good = json.loads((here / "run" / "policy.json").read_text())
    other = json.loads((here / "run" / "policy.json").read_text())
    other["groups"][0]["name"] = "entrance"
    (here / "other.json").write_text(json.dumps(other))
    (here / "criterion.json").write_text(json.dumps({**good, "criterion": "l7"}))
    (here / "broken.json").write_text('{"groups": [')
    text = json.dumps(good)
    first, *rest = good["groups"]
    texts = {
        "half": text[: len(text) // 2],
        "version": json.dumps({**good, "schema_version": 2}),
        "no-version": json.dumps({"groups": good["groups"]}),
        "array": "[]",
        "deep": "[" * 99_999,
        "no-groups": json.dumps({**good, "groups": []}),
        "extra-key": json.dumps({**good, "code": "print()"}),
        "granularity": json.dumps({**good, "granularity": "atom"}),
        "masks": json.dumps({**good, "granularity": "2:4"}),
        "function": json.dumps({**good, "criterion": "os:abort"}),
        "exclude": json.dumps({**good, "exclude": ["nolayer.*"]}),
        "twice": json.dumps({**good, "groups": [first, first, *rest]}),
        "key-twice": text.replace('"kept":', '"kept": 1, "kept":', 1),
        "digits": text.replace(f'"kept": {first["kept"]}', '"kept": ' + "9" * 5_000, 1),
    }
    kept = {"none": 0, "many": 10**9, "minus": -1, "part": 1.5, "nan": math.nan, "truth": True}
    for name, count in {**kept, "inf": math.inf, "word": "3"}.items():
        texts[f"kept-{name}"] = json.dumps({**good, "groups": [{**first, "kept": count}, *rest]})
    for name, broken in texts.items():
        (here / f"policy-{name}.json").write_text(broken)
    (here / "policy-huge.json").write_bytes(b" " * 17_000_000)
    (here / "policy-bytes.json").write_bytes(bytes(range(256)))


SEARCH = "search --model resnet8 --dataset digits --width 0.5 --weights good.safetensors --out new "
PRUNE = SEARCH.replace("search", "prune", 1)
BENCHMARK = SEARCH.replace("search", "benchmark", 1)
BARE = "search --model resnet8 --dataset digits "
DDPG = SEARCH + "--strategy ddpg "
MANUAL = SEARCH + "--strategy manual --options.file "
OWN = "search --dataset digits --model "
IMAGES = "search --model nets_of_a_user:Net --dataset "
MY_NET = "nets_of_a_user:"
WHOLE = "it must be a whole number"

# A flag with a value that it cannot have, and what it must be; all ranges are in test_config.py.
VALUES = {
    "search --episodes many": "a whole number",
    "search --episodes 1.5": "a whole number",
    "search --episodes 0": "1 or more",
    "search --device gpu": "cpu, cuda",
    "search --device cuda:x": "cuda:1",
    "search --width wide": "a number",
    "search --width 0": "above 0",
    "search --width 1e+300": "up to 64",
    "search --finetune-epochs 1e+300": "0 to 100,000",
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
    "benchmark --strategy gp-rollout": ("unknown flag --strategy", "did you mean --strategies?"),
    "search resnet8": ("'resnet8'", "--help"),
    "search -x": ("unknown flag -x", "--help"),
    "search --episodes 1000000000": ("--episodes is 1000000000", "up to 100,000"),
    "profile --batch-size 1000000000": ("--batch-size is 1000000000", "1 to 65,536"),
    "profile --threads 100000": ("--threads is 100000", "up to 1024"),
    "train --model resnet56 --dataset digits --width 64": ("--width 64", "GB", "smaller width"),
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
    SEARCH + "--budget macs=0.001": ("macs=0.001 cannot be reached", "macs=0.0076", "budget"),
    SEARCH + "--budget macs=0.05 --no-depth": (
        *("macs=0.05 cannot be reached", "macs=0.0637", "--max-ratio"),
    ),
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
    "search --config run/config.yaml --config nowhere.yaml": (
        *("--config nowhere.yaml", "no such file", "config.yaml"),
    ),
    "search --config run/config.yaml --config=broken.yaml": ("--config broken.yaml", "YAML"),
    "search --config folder": ("--config folder", "no such file"),
    "search --config": ("--config needs a value",),
    "search --config broken.yaml": ("--config broken.yaml", "not valid YAML (line 1)"),
    "search --config binary.yaml": ("--config binary.yaml", "not valid YAML"),
    "search --config unknown.yaml": ("unknown.yaml", "'round-to'", "did you mean round_to?"),
    "search --config list.yaml": ("--config list.yaml", "`model: resnet20`"),
    "search --config empty.yaml": ("--config empty.yaml", "`model: resnet20`"),
    "search --config type.yaml": ("--episodes is 'many'", "a whole number"),
    "search --config weights.yaml": ("--weights is [1]", "a text"),
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
    DDPG + "--options.hidden 99999999": ("hidden is 99999999", "1 to 10000"),
    DDPG + "--options.buffer_size 99999999999": (
        "buffer_size is 99999999999",
        "0 (keeps all) to",
    ),
    DDPG + "--options.buffer_size -1": ("buffer_size is -1", "0 (keeps all) to 1000000"),
    DDPG + "--options.batch_size 1000000000": ("batch_size is 1000000000", "1 to 1000000"),
    DDPG + "--options.proposals 1000000000": ("proposals is 1000000000", "0 to 1000000"),
    SEARCH + "--strategy netadapt --options.jobs 5000": ("jobs is 5000", "1 to 256"),
    SEARCH + "--strategy sensitivity --options.ratios 5000": ("ratios is 5000", "1 to 1000"),
    DDPG + "--options.sigma wide": ("--options.sigma is 'wide'", "ddpg needs a number"),
    SEARCH + "--max-drop 0.01 --floor 0.9": ("--max-drop and --floor", "give one of them"),
    SEARCH + "--max-drop -1": ("--max-drop is -1", "0 or more"),
    SEARCH + "--floor high": ("--floor is 'high'", "score=0.92"),
    SEARCH + "--max-drop 0.01 --budget macs=0.5": ("macs as small as may be", "leave one of them"),
    SEARCH + "--max-drop 0.01 --racing 0.01": ("all budgets at once", "leave --racing out"),
    SEARCH + "--max-drop 0.01 --finetune-epochs 1 --patience 2": ("leave --patience out",),
    SEARCH + "--cost latency": ("neither is given", "--budget latency=0.5"),
    SEARCH + "--max-drop 0.01 --budget macs=0.4": ("macs as small as may be", "leave one of them"),
    SEARCH + "--max-drop 0.01 --strategy tpe": ("--max-drop 0.01", "leave --strategy tpe out"),
    SEARCH + "--max-drop 0.01 --search-images 0": ("--search-images 0", "none is left to judge by"),
    SEARCH + "--objective tuned": ("of which there is none", "give --finetune-epochs too"),
    SEARCH + "--workers 4 --batch 1": ("--workers 4 measures several", "--batch 1 lets one be"),
    SEARCH + "--ray local": ("as --workers says, which is 1", "give more"),
    SEARCH + "--strategy netadapt --batch 4": ("chooses no batches", "give --workers alone"),
    SEARCH + "--objective best": ("--objective is 'best'", "score or tuned"),
    SEARCH + "--finetune-epochs 1 --finalists 8": (
        "--finalists is 8",
        "give --objective tuned too",
    ),
    SEARCH + "--finetune-epochs 1 --objective tuned --finalists 1": ("finalists is 1", "2 or more"),
    SEARCH + "--finetune-epochs 1 --objective tuned --strategy netadapt": (
        *("netadapt tunes them on its way", "leave it out"),
    ),
    SEARCH + "--finetune-epochs 1 --objective tuned --max-drop 0.1": (
        *("networks of every size already", "leave --objective tuned out"),
    ),
    SEARCH + "--max-drop 0.01 --cost speed": ("speed", "known:"),
    SEARCH + "--strategy uniform --options.sigma 1": ("unknown option of uniform", "known: none"),
    SEARCH + "--strategy nets_of_a_user:Idle": ("gave Idle", "search(problem, seed)"),
    SEARCH + "--strategy nets_of_a_user:five": ("gave Sequential", "search(problem, seed)"),
    SEARCH + "--strategy nets_of_a_user:needs": ("'more'", "--options.NAME"),
    PRUNE + "--policy nowhere.json": ("no policy at nowhere.json", "`amc search"),
    PRUNE + "--policy broken.json": ("broken.json", "not valid JSON", "again"),
    PRUNE + "--policy good.safetensors": ("good.safetensors", "JSON"),
    PRUNE + "--policy other.json": ("another network", "'entrance'", "'stem.0'", "width"),
    PRUNE + "--policy criterion.json": ("unknown criterion 'l7'", "known: l1, l2"),
    # Models.
    OWN + MY_NET + "unprunable": ("nothing that can be pruned", "outputs of the network", "docs/"),
    OWN + MY_NET + "Noisy": ("two answers for one image", "random in evaluation mode"),
    OWN + MY_NET + "InTrainingOnly": ("(only in training)", "batch", "in evaluation mode"),
    OWN + MY_NET + "TwoInputs": ("argument: 'more'", "a batch of them"),
    OWN + MY_NET + "OneAtATime": ("fails on the 1 x 8 x 8 images", "of any size"),
    OWN + MY_NET + "OneAnswer": ("gives (1, 10) for two images", "it must give (2, 10) logits"),
    OWN + MY_NET + "TwoOutputs": ("gives tuple", "it must give (1, 10) logits"),
    OWN + MY_NET + "NotANumber": ("not finite", "--weights"),
    OWN + MY_NET + "leaves": ("nets_of_a_user:leaves' cannot be made (3)", "without arguments"),
    # Data sets.
    IMAGES + MY_NET + "none_at_all": ("none_at_all", "there are none", "give at least one"),
    IMAGES + MY_NET + "a_single_one": ("a_single_one", "one training image", "give more"),
    IMAGES + MY_NET + "fewer_labels": ("8 inputs but 7 labels", "give one label per input"),
    IMAGES + MY_NET + "flat": ("training images are (8, 64) uint8", "channels, height, width"),
    IMAGES + MY_NET + "floats": ("(8, 1, 8, 8) float32", "give (samples, channels, height"),
    IMAGES + MY_NET + "a_label_too_many": ("from 10 to 10", "10 classes", "labels from 0"),
    IMAGES + MY_NET + "below_zero": ("from -1 to -1", "labels from 0"),
    IMAGES + MY_NET + "float_labels": ("labels are float32", "give int64"),
    IMAGES + MY_NET + "other_shapes": ("(1, 9, 9) and test images (1, 8, 8)", "one shape"),
    IMAGES + MY_NET + "no_tape": ("no_tape", "the tape is missing", "without arguments"),
    IMAGES + MY_NET + "with_argument": ("argument: 'path'", "without arguments"),
    IMAGES + MY_NET + "a_list": ("gave a list", "ImageDataset"),
    IMAGES + MY_NET + "no_such": ("has no 'no_such'", "name a function"),
    IMAGES + "folder:nowhere": ("nowhere: no such folder", "PATH/CLASS/"),
    IMAGES + "folder:one-class": ("1 class folders", "at least two"),
    IMAGES + "folder:no-images": ("no-images/a: no images", "put some there"),
    IMAGES + "folder:corrupt": ("corrupt/a/", "not a readable image", "mend or remove it"),
    IMAGES + "folder:uneven": ("different classes (b, c", "the same folders"),
    IMAGES + "folder:corrupt@0": ("images of 0 pixels", "at least 1"),
    IMAGES + "folder:uneven@999999999999": ("999999999999 pixels", "at most 4096", "@64"),
    IMAGES + "folder:uneven@60000": ("60000 pixels a side", "at most 4096", "folder:uneven@64"),
    IMAGES + "folder:": ("folder: names no folder", "give folder:PATH"),
    # Checkpoints.
    BARE + "--weights nested.pt": ("nested.pt", "not a state dict", "state_dict()"),
    BARE + "--weights module.pt": ("module.pt", "pickles", "are not read", "save_file"),
    BARE + "--weights nothing.pt": ("nothing.pt", "plain tensors", "save_file"),
    BARE + "--weights file": ("file: cannot be read as plain tensors", "save_file"),
    BARE + "--weights long-header.safetensors": ("not a safetensors file", "again"),
    BARE + "--width 0.5 --weights extra.safetensors": ("it also has 'extra'", "give the model"),
    BARE + "--width 0.5 --weights shape.safetensors": (
        *("'stem.0.weight' is (8, 1, 2, 3) there", "has (8, 1, 3, 3)"),
    ),
    BARE + "--width 0.5 --weights nan.safetensors": ("not finite", "--weights"),
    # Settings.
    "search --config code.yaml": ("--config code.yaml", "not valid YAML"),
    "search --config deep.yaml": ("--config deep.yaml", "nested too deeply"),
    "search --config bomb.yaml": ("--config bomb.yaml", "*name are not read"),
    "search --config huge.yaml": ("--config huge.yaml", "too large for settings"),
    "search --config seed.yaml": ("--seed is -1", "0 to 4294967295"),
    "search --config command.yaml": ("unknown setting 'strategies'", "did you mean strategy?"),
    "search --config options.yaml": ("--options is 3", "--options.NAME VALUE"),
    SEARCH + "--config other-options.yaml": ("unknown option of residual-gp 'no_such'", "known:"),
    "search --overwrite maybe": ("--overwrite is 'maybe'", "true or false"),
    "search --overwrite=maybe": ("--overwrite is 'maybe'", "true or false"),
    MANUAL + "nan.yaml": ("nan.yaml", "patterns to ratios"),
    MANUAL + "deep.yaml": ("deep.yaml", "nested too deeply"),
    "search --config null-model.yaml": ("model: null", "leave it out"),
    "search --config null-budget.yaml": ("budget: null", "leave it out"),
    "search --config null-options.yaml": ("options: null", "leave it out"),
    "search --config number-option.yaml": ("5 is not a name", "updates: 5"),
    # Latency tables.
    SEARCH + "--latency nowhere.json": ("no latency table at nowhere.json", "`amc profile`"),
    SEARCH + "--latency no-table.json": ("schema version 99, not 1", "`amc profile` writes one"),
    SEARCH + "--latency deep-table.json": ("deep-table.json", "`amc profile` writes one"),
    SEARCH + "--granularity element --round-to hardware": ("masks weights", "leave one of them"),
    # Strategies of one's own.
    SEARCH + "--strategy nets_of_a_user:Nothing": ("gave NoneType", "problem.result()"),
    SEARCH + "--strategy nets_of_a_user:Asserts": ("AssertionError: no luck", "--debug"),
    SEARCH + "--strategy nets_of_a_user:Confused": ("TypeError", "--debug"),
    SEARCH + "--strategy nets_of_a_user:TooFew": ("(1,) do not suit", "one count for each"),
    SEARCH + "--strategy nets_of_a_user:Leaves": ("SystemExit: 5", "--debug"),
    SEARCH + "--strategy nets_of_a_user:Unmade": ("AttributeError", "--options.NAME"),
    OWN + "half_a_module:five": ("'half_a_module' fails", "SyntaxError", "in Python"),
    OWN + "module_that_asserts:five": ("AssertionError: not today", "in Python"),
    OWN + "module_that_leaves:five": ("SystemExit: 7", "in Python"),
    OWN + ".nets_of_a_user:five": ("cannot import '.nets_of_a_user'", "package.module:function"),
    # Policies.
    PRUNE + "--policy policy-half.json": ("policy-half.json", "not valid JSON", "again"),
    PRUNE + "--policy policy-version.json": ("schema version 2", "reads version 1"),
    PRUNE + "--policy policy-no-version.json": ("has no schema_version", "policy.json of a run"),
    PRUNE + "--policy policy-array.json": ("policy-array.json", "JSON object, not list"),
    PRUNE + "--policy policy-deep.json": ("nested too deeply", "export the policy again"),
    PRUNE + "--policy policy-no-groups.json": ("as group 1 it has none", "use the model"),
    PRUNE + "--policy policy-extra-key.json": ("code is not known", "again"),
    PRUNE + "--policy policy-granularity.json": ("unknown granularity 'atom'", "known: channel"),
    PRUNE + "--policy policy-masks.json": ("another network", "use the model and width"),
    PRUNE + "--policy policy-function.json": ("unknown criterion 'os:abort'", "known: l1"),
    PRUNE + "--policy policy-exclude.json": ("'nolayer.*'", "similar layers are"),
    PRUNE + "--policy policy-twice.json": ("'stem.0' is named twice", "keep one"),
    PRUNE + "--policy policy-digits.json": ("policy-digits.json", "not valid JSON", "4300 digits"),
    PRUNE + "--policy policy-kept-none.json": ("keeps none of 'stem.0'", "keep 1 to 8"),
    PRUNE + "--policy policy-kept-many.json": ("keeps 1000000000 of 8", "from 0 to 8"),
    PRUNE + "--policy policy-kept-minus.json": ("keeps -1 of 8", "from 0 to 8"),
    **{
        PRUNE + f"--policy policy-kept-{name}.json": (f"kept-{name}.json: groups[0].kept is", WHOLE)
        for name in ("part", "nan", "truth", "inf", "word")
    },
    PRUNE + "--policy policy-huge.json": ("too large for a policy", "is it a checkpoint?"),
    PRUNE + "--policy policy-bytes.json": ("not text", "JSON file"),
    PRUNE + "--policy policy-key-twice.json": ("'kept' stands twice", "export the policy again"),
    PRUNE + "--policy=": ("--policy is empty", "give a value, or leave it out"),
    PRUNE + "--policy folder": ("folder is a folder", "folder/policy.json"),
    PRUNE + "--policy trained/result.json": ("no schema_version", "name the policy.json"),
    PRUNE + "--policy run/result.json": ("result of a run", "name run/policy.json"),
    BENCHMARK + "--strategies uniform,uniform": ("'uniform,uniform'", "different names"),
    BENCHMARK + "--strategies ,": ("--strategies is ','", "separated by commas"),
    BENCHMARK + "--strategies uniform,unifrom": ("'unifrom'", "did you mean 'uniform'?"),
    BENCHMARK + "--strategies uniform,manual": ("manual needs a YAML file", "--manual FILE"),
    BENCHMARK + "--finetune-epochs 1 --finetune-schedule linear": (
        *("--finetune-schedule linear begins again", "one-shot", "`amc prune`"),
    ),
    BENCHMARK + "--options.sigma 0.2": ("--options.STRATEGY.NAME", "'sigma'", "known: residual-gp"),
    BENCHMARK + "--options.residual-gp 0.2": ("residual-gp has", "0.2", "--options.ddpg.sigma"),
    "export": ("RUN is missing", "--help"),
    "export run/report.html": ("run/report.html is a file", "name a folder, such as run"),
    "export run --format json --out /proc/x/y": ("/proc/x", "or name another"),
    "trust run/policy.json": ("run/policy.json is a file", "such as run"),
    "runs run/policy.json": ("run/policy.json is a file", "such as run"),
    "export nowhere": ("no finished run in nowhere", "`amc search"),
    "export trained": ("no policy at trained/policy.json", "`amc search"),
    "export run --format onx": ("unknown format 'onx'", "did you mean 'onnx'?"),
    "export run --out run/model.safetensors": ("a run keeps itself", "name another file"),
    "report run --out run/policy.json": ("a run keeps itself", "name another file"),
    "report run --uot page.html": ("did you mean --out? Else see amc report --help",),
    "export run --out folder": ("--out folder is a folder", "name the file"),
    "export run --measure -1": ("--measure is -1", "0 or more"),
    "export run --threads 0": ("--threads is 0", "1 or more"),
    "export run --weights nowhere.pt": ("no weights at nowhere.pt", "unpruned.onnx", "--measure 0"),
    "report": ("RUNS is missing", "--help"),
    "watch": ("RUNS is missing", "--help"),
    "watch nowhere": ("no run at nowhere", "--out"),
    "watch run --port 99999": ("--port is 99999", "1 to 65535"),
    **{
        f"report run run-{name}": (f"run-{name}/result.json", "not ", "again")
        for name in ("searched", "config", "machine", "samples", "granularity", "groups", "budgets")
    },
    "report run/report.html": ("run/report.html is a file", "name a folder, such as run"),
    "report run --out /proc/x/y": ("/proc/x", "or name another"),
    "report nowhere": ("no result at nowhere/result.json", "`amc search"),
    "report trained": ("trained/result.json", "not the result of a pruning run", "again"),
    "report run --out folder": ("folder is a folder", "name the file"),
    "train --model resnet8 --dataset digits --out=": ("--out is empty", "leave it out"),
    "train --model resnet8 --dataset digits --out /proc/x": ("--out /proc/x", "name another"),
    "profile --model resnet8 --dataset digits --prepare file": ("--prepare file", "in its way"),
    "profile --model resnet8 --dataset digits --out /proc/x": ("--out /proc/x", "name another"),
    "train --model resnet8 --dataset digits --out file": ("--out file", "in its way"),
}


@pytest.mark.parametrize("typed", MISTAKES, ids=list(MISTAKES))
def test_a_mistake_ends_with_one_line_that_says_what_where_and_how(typed, amc, desk, monkeypatch):
    monkeypatch.chdir(desk)
    shutil.rmtree("new", ignore_errors=True)
    answer = amc(*typed.split())
    assert answer.code == 2
    assert answer.err.startswith("amc: error: ")
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    assert not (desk / "new" / "result.json").exists()
    for words in MISTAKES[typed]:
        assert words in answer.err
