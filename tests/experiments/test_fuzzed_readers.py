"""Whatever a file holds, its reader gives data or says in a sentence what is wrong with it."""

import functools
import gzip
import io
import json
import operator
import random
import tarfile

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save
from torch import ones

from amc.costs import Stored
from amc.costs.latency import LatencyTable, LatencyTableError
from amc.granularity import Granularity
from amc.history import Outcome
from amc.policy import Budget, GroupChoice, Policy, PolicyError
from amc.weights import read_weights
from experiments.cli import KINDS
from experiments.disk.yaml_files import read_yaml
from experiments.report import render
from experiments.runs.results import (
    Correlation,
    CostChange,
    Remeasured,
    RunResult,
    Scores,
    Tried,
    Trust,
)
from experiments.settings import SearchSettings, parse
from experiments.zoo.cifar import read_archive
from experiments.zoo.idx import read_idx_pair
from experiments.zoo.image_folder import image_folder

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FEW = settings(max_examples=40)
RESULT = RunResult(
    *(
        "gp-rollout",
        "resnet8",
        "digits",
        0,
        (Budget("macs", 0.5),),
        Scores(0.9, 0.8),
        Scores(0.8, 0.7),
    ),
    finetuned=Scores(0.85, 0.75),
    costs={"macs": CostChange("MACs", 100.0, 50.0), "latency": CostChange("s", 3e-3, 2e-3)},
    groups=(GroupChoice("stem", 3, 8), GroupChoice("body", 8, 16)),
    evaluations=tuple(
        Outcome(n, (3 + n, 8), 0.7 + n / 99, {"macs": 50.0 - n, "latency": 2e-3}, 0.1, seen)
        for n, seen in enumerate((None, 100, None))
    ),
    seconds={"prepare": 1.0, "search": 3.0, "finetune": 2.0},
    granularity=Granularity("element"),
    stored=(Stored("stem", 72, 27, {"dense": 288.0, "bitmap": 117.0}),),
    latency=Remeasured(3e-3, 2e-3, 2.1e-3, 0.02),
    finetune_steps=30,
    most_evaluations=5,
    samples={"search": 200, "holdout": 300, "test": 400},
    config={"model": "resnet8", "out": "runs/a", "episodes": 5, "options": {"sigma": 0.2}},
    machine={"torch": "2.13.0"},
    trust=Trust(
        tuple(Tried(n, (3 + n, 8), 0.8, {"refit": 0.7 + n / 99}, 0.9) for n in range(3)),
        (Correlation("refit", 0.5, 0.1, 0.9),),
        "refit",
        {"recipe": {"epochs": 1}, "train_samples": 500, "judged_samples": 400},
        60.0,
    ),
)
GOOD = Policy(
    (GroupChoice("stem", 3, 8), GroupChoice("body.0", 5, 16)),
    exclude=("last.*",),
    origin={"budget": "macs=0.5"},
)


def changed(data: st.DataObject, whole: bytes) -> bytes:
    """Some bytes of a good file replaced, left out, or said twice."""
    made = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(made)))
        end = min(len(made), start + data.draw(st.integers(0, 12)))
        made[start:end] = data.draw(st.binary(max_size=12) | st.just(bytes(made[start:end]) * 2))
    return bytes(made)


def altered(data: st.DataObject, value: object) -> object:
    """Plain data with one part of it, somewhere, replaced by anything."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: altered(data, value[key])}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], altered(data, value[at]), *value[at + 1 :]]
    return data.draw(PLAIN)


def parts(value, at=()):
    """Where the parts of plain data stand, however deep."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        yield (*at, key)
        if isinstance(part, dict | list):
            yield from parts(part, (*at, key))


def with_part(value, at, part):
    """Plain data with another part there."""
    made = dict(value) if isinstance(value, dict) else list(value)
    made[at[0]] = with_part(value[at[0]], at[1:], part) if at[1:] else part
    return made


def alike(part):
    """Values of the same type, most of them in a usual range."""
    if isinstance(part, str):
        return st.text(max_size=8)
    if isinstance(part, float):
        return st.floats(0, 1) | st.floats()
    if isinstance(part, int):
        return st.integers(0, 20) | st.integers()
    return PLAIN


def told(read, *errors):
    """What a reader gives, and what it says is wrong; any other error fails the test."""
    try:
        return read(), ""
    except errors as error:
        return None, str(error)


def read_back(text):
    policy, wrong = told(lambda: Policy.from_json(text), PolicyError)
    if policy is None:
        assert wrong.startswith("policy")
    else:
        assert all(1 <= group.kept <= group.total for group in policy.groups)
        assert Policy.from_json(policy.to_json()) == policy


@FEW
@given(text=st.text() | PLAIN.map(json.dumps))
def test_anything_as_a_policy(text):
    read_back(text)


@FEW
@given(data=st.data())
def test_a_policy_with_one_part_replaced(data):
    read_back(json.dumps(altered(data, json.loads(GOOD.to_json()))))


@FEW
@given(data=st.data())
def test_a_policy_with_bytes_replaced(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("policy") / "policy.json"
    path.write_bytes(changed(data, GOOD.to_json().encode()))
    policy, wrong = told(lambda: Policy.load(path), PolicyError)
    assert policy is not None or str(path) in wrong


@FEW
@given(text=st.text(max_size=20) | st.from_regex(r"[a-z]{1,8}=[0-9.e%+-]{0,8}[a-zA-Zµ%]{0,3}"))
def test_anything_as_a_budget(text):
    budget, wrong = told(lambda: Budget.parse(text), ValueError)
    if budget is None:
        assert wrong.startswith("budget")
    else:
        assert Budget.parse(str(budget)) == budget


def settings_of(path):
    words = ["search", "--config", str(path)]
    found, wrong = told(lambda: parse(words, KINDS), ValueError)
    assert wrong or isinstance(found, SearchSettings)


@settings(max_examples=8)
@given(value=PLAIN | st.dictionaries(st.sampled_from(["model", "seed", "options"]), PLAIN))
def test_anything_as_settings(value, tmp_path_factory):
    path = tmp_path_factory.mktemp("settings") / "config.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    settings_of(path)


@settings(max_examples=8)
@given(data=st.data())
def test_settings_with_bytes_replaced(data, tmp_path_factory):
    good = b"model: resnet20\nbudget: macs=0.5\nseed: 3\noptions:\n  sigma: 0.2\nout: runs/a\n"
    path = tmp_path_factory.mktemp("settings") / "config.yaml"
    path.write_bytes(changed(data, good))
    settings_of(path)


@FEW
@given(content=st.binary(max_size=60) | st.text(alphabet="[]{}:,&*!-\n ab'\"", max_size=60))
def test_anything_as_yaml(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    _, wrong = told(lambda: read_yaml(path), ValueError)
    assert "\n" not in wrong


PLAIN_RESULT = json.loads(json.dumps(RESULT.plain()))
PARTS = list(parts(PLAIN_RESULT))


@settings(max_examples=25)
@given(data=st.data())
def test_a_result_with_one_part_replaced_is_refused_or_can_be_shown(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("result") / "result.json"
    at = data.draw(st.sampled_from(PARTS))
    part = functools.reduce(operator.getitem, at, PLAIN_RESULT)
    changed = with_part(PLAIN_RESULT, at, data.draw(alike(part) | PLAIN))
    path.write_text(json.dumps(changed))
    result, wrong = told(lambda: RunResult.load(path), ValueError)
    if result is None:
        assert wrong.startswith(f"{path}: not the result of a pruning run")
        assert "\n" not in wrong
    else:
        assert render([result]).encode()
        result.save(path)
        assert RunResult.load(path) == result


@FEW
@given(value=PLAIN)
def test_anything_as_a_latency_table(value):
    with pytest.raises(LatencyTableError, match="not a latency table of this release"):
        LatencyTable.from_json(json.dumps(value))


@FEW
@given(data=st.data())
def test_weights_with_bytes_replaced(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "a.safetensors"
    path.write_bytes(changed(data, save({"a": ones(2, 3), "b": ones(4)}, {"policy": "{}"})))
    state, wrong = told(lambda: read_weights(path), ValueError)
    assert state is not None or wrong.startswith(f"{path}: not a safetensors file")


def idx(magic: int, shape: tuple[int, ...], content: bytes) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    return bytes((0, 0, 8, magic)) + sizes + content


@pytest.mark.parametrize("packed", [True, False], ids=["inside", "outside"])
@FEW
@given(data=st.data())
def test_idx_files_with_bytes_replaced(packed, data, tmp_path_factory):
    """Within what is compressed, or of the compressed file itself."""
    folder = tmp_path_factory.mktemp("idx")
    good = {"images.gz": idx(3, (4, 3, 3), bytes(36)), "labels.gz": idx(1, (4,), bytes(4))}
    for name, content in good.items():
        if packed:
            (folder / name).write_bytes(gzip.compress(changed(data, content)))
        else:
            (folder / name).write_bytes(changed(data, gzip.compress(content)))
    paths = [folder / name for name in good]
    pair, wrong = told(lambda: read_idx_pair(*paths, 10), ValueError)
    assert str(folder) in wrong if pair is None else len(pair[0]) == len(pair[1])


@FEW
@given(data=st.data())
def test_archives_with_bytes_replaced(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "cifar-10-binary.tar.gz"
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name in ("data_batch_1.bin", "test_batch.bin"):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = 40
            archive.addfile(member, io.BytesIO(random.Random(0).randbytes(40)))
    path.write_bytes(gzip.compress(changed(data, plain.getvalue()[:3072])))
    with pytest.raises(ValueError, match=r"cifar-10-binary\.tar\.gz"):
        read_archive(path)


@FEW
@given(data=st.data())
def test_pictures_with_bytes_replaced(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("a", "b"):
        (folder / name).mkdir()
        for number in range(2):
            Image.new("L", (6, 6), 40 * number).save(folder / name / f"{number}.png")
    one = folder / "a" / "1.png"
    one.write_bytes(changed(data, one.read_bytes()))
    dataset, wrong = told(lambda: image_folder(str(folder)), ValueError)
    assert str(one) in wrong if dataset is None else not dataset.mistake()
