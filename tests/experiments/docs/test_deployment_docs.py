"""What the page on deployment shows works as it stands, with as little installed as it says."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from torch import nn

from amc import Budget, PolicyError, prune, save_pruned, trace, uniform_policy
from amc.export import channel_ratios, save_onnx
from amc.pruning import kept_counts
from experiments.commands.export import FORMATS
from experiments.zoo.models import build_model

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE = torch.zeros(1, 1, 28, 28)
SMALL = ("torch", "numpy", "torch-pruning", "safetensors", "pydantic")


def block(word):
    """The one Python block with this word."""
    (found,) = [code for code in BLOCKS if word in code]
    return found


@pytest.fixture(scope="module")
def half():
    """Of resnet20: the unpruned network, its graph, a policy and the pruned network."""
    torch.manual_seed(0)
    model = build_model("resnet20", 1, 10).eval()
    graph = trace(model, EXAMPLE)
    policy = uniform_policy(graph, Budget.parse("macs=0.5"))
    return model, graph, policy, prune(model, policy, EXAMPLE, graph=graph)


@pytest.fixture
def desk(half, tmp_path, monkeypatch):
    """A folder with the run that the page speaks of."""
    _, graph, policy, network = half
    run = tmp_path / "runs" / "half"
    run.mkdir(parents=True)
    save_pruned(network, policy, run / "pruned.safetensors")
    ratios = channel_ratios(graph, policy.kept)
    (run / "pruned.torch-pruning.json").write_text(json.dumps(ratios))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_format_is_told():
    assert set(re.findall(r"--format ([\w-]+)", PAGE)) == set(FORMATS)


def test_its_onnx_example_runs(desk):
    network = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    save_onnx(network, EXAMPLE, desk / "runs" / "half" / "pruned.onnx")
    exec(compile(block("onnxruntime"), "deployment.md", "exec"), {})


def needed(names):
    """Names of distributions, with those that they require in this environment."""
    found, waiting = set(), list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            waiting += [item.name for item in map(Requirement, _requires(name)) if _applies(item)]
    return found


def _requires(name):
    try:
        return requires(name) or ()
    except PackageNotFoundError:
        return ()


def _applies(item):
    return item.marker is None or item.marker.evaluate({"extra": ""})


def without_the_rest(code, folder):
    """Run code where nothing can be imported but our folders, `SMALL` and what that requires."""
    inside = {*needed(SMALL), "amc-pruning"}
    blocked = [
        name
        for name, owners in packages_distributions().items()
        if not inside & set(map(canonicalize_name, owners))
    ]
    # None in sys.modules makes Python treat a library as not installed.
    block_them = f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))"
    return subprocess.run(
        [sys.executable, "-c", f"{block_them}\nsys.path.insert(0, {str(ROOT)!r})\n{code}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_its_example_in_pytorch_needs_only_a_few_packages(desk, half):
    code = block("load_pruned")
    assert len(code.splitlines()) <= 10
    every_name = "\nfor name in amc.__all__: getattr(amc, name)\n"
    same = "print(network(example + 1).tolist())"
    done = without_the_rest(code + every_name + same, desk)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    with torch.no_grad():
        assert first == str(half[3](EXAMPLE).argmax(1))
        torch.testing.assert_close(torch.tensor(json.loads(second)), half[3](EXAMPLE + 1))


def test_other_packages_are_really_out_of_reach_there(tmp_path):
    others = ("gymnasium", "joblib", "onnx", "pytest", "rich", "scipy", "sklearn", "yaml")
    tries = "\n".join(
        f"try:\n    import {name}\n    print({name!r})\nexcept ImportError: pass" for name in others
    )
    done = without_the_rest(tries, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_its_ratios_give_torch_pruning_the_same_channels(desk, half):
    names = {}
    exec(compile(block("torch_pruning"), "deployment.md", "exec"), names)
    ours, theirs = half[3].state_dict(), names["model"].state_dict()
    assert {key: value.shape for key, value in theirs.items()} == {
        key: value.shape for key, value in ours.items()
    }


def test_its_refusal_is_the_real_one(half):
    with pytest.raises(PolicyError) as refused:
        kept_counts(half[2], trace(build_model("resnet8", 1, 10).eval(), EXAMPLE))
    assert f"amc: error: {refused.value}" in " ".join(PAGE.split())
