"""Budgets and policies as plain data, and what happens to damaged ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amc.granularity import CHANNELS, Granularity
from amc.parsing.quantities import QUANTITIES
from amc.policy import MAX_POLICY_BYTES, Budget, GroupChoice, Policy, PolicyError

GOOD: dict[str, Any] = {
    "schema_version": 1,
    "groups": [{"name": "a", "kept": 2, "total": 4}, {"name": "b", "kept": 1, "total": 1}],
    "granularity": "channel",
    "criterion": "l2",
    "origin": {"strategy": "ddpg"},
}


@pytest.mark.parametrize(
    ("text", "cost", "limit", "relative"),
    [
        ("macs=0.5", "macs", 0.5, True),
        ("macs=50%", "macs", 0.5, True),
        ("macs=100%", "macs", 1.0, True),
        ("macs=1", "macs", 1.0, True),
        ("macs=5e-1", "macs", 0.5, True),
        (" macs = 0.5 ", "macs", 0.5, True),
        ("params=1.2M", "params", 1.2e6, False),
        ("params=1.2m", "params", 1.2e6, False),
        ("params=0.5k", "params", 500, False),
        ("params=120000", "params", 120000, False),
        ("params=1.2e5", "params", 120000, False),
        ("macs=2G", "macs", 2e9, False),
        ("size=3MB", "size", 3e6, False),
        ("size=1B", "size", 1, False),
        ("size=300k", "size", 3e5, False),
        ("size=2 mb", "size", 2e6, False),
        ("size=2MiB", "size", 2 * 1024**2, False),
        ("memory=0.5kB", "memory", 500, False),
        ("memory=0.5", "memory", 0.5, True),
        ("latency=1.5ms", "latency", 0.0015, False),
        ("latency=250us", "latency", 0.00025, False),
        ("latency=250µs", "latency", 0.00025, False),  # micro sign
        ("latency=250μs", "latency", 0.00025, False),  # Greek letter
        ("latency=2s", "latency", 2, False),
        ("latency=2", "latency", 2, False),
        ("latency=60%", "latency", 0.6, True),
        ("energy=3mJ", "energy", 0.003, False),
        ("energy=3nJ", "energy", 3e-9, False),
        ("my-cost=3mJ", "my-cost", 0.003, False),
        ("my-cost=3M", "my-cost", 3e6, False),
    ],
)
def test_budgets_are_read(text: str, cost: str, limit: float, relative: bool) -> None:
    assert Budget.parse(text) == Budget(cost, limit, relative)


@pytest.mark.parametrize(
    "text",
    [
        *("", "macs", "macs=", "=0.5", "0.5", "macs:0.5", "macs==0.5"),
        *("macs=nan", "macs=inf", "macs=-0.5", "macs=-1M", "macs=0.5x", "macs=half"),
        *("macs=1.2.3", "macs=.", "macs=1,2M", "macs=٣"),
    ],
)
def test_budgets_of_another_form_are_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="budget") as raised:
        Budget.parse(text)
    assert repr(text) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["macs=0", "macs=0%", "params=0M", "macs=1e999"])
def test_a_budget_is_more_than_nothing_and_finite(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number above 0"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["macs=101%", "macs=200%"])
def test_a_percentage_above_the_whole_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give a fraction up to 1, or an absolute amount"):
        Budget.parse(text)


@pytest.mark.parametrize("limit", [1.5, float("nan"), float("inf"), -1.0])
def test_a_fraction_made_in_code_is_checked_too(limit: float) -> None:
    with pytest.raises(ValueError, match="budget macs"):
        Budget("macs", limit)


@given(
    st.sampled_from([*QUANTITIES, "one's own"]),
    st.floats(1e-18, 1e24) | st.integers(1, 10**12).map(float),
    st.booleans(),
)
@settings(max_examples=300)
def test_a_budget_reads_back_as_it_is_written(cost: str, limit: float, relative: bool) -> None:
    budget = Budget(cost, limit, relative and limit <= 1)
    assert Budget.parse(str(budget)) == budget


def test_a_budget_is_written_for_people() -> None:
    assert str(Budget.parse("macs=33.3%")) == "macs=0.333"
    assert str(Budget.parse("params=1.2M")) == "params=1.2M"
    assert str(Budget("macs", 1234567, relative=False)) == "macs=1.234567M"
    assert str(Budget("latency", 0.0015, relative=False)) == "latency=1.5ms"
    assert str(Budget.parse("energy=0.25mJ")) == "energy=250uJ"
    assert str(Budget.parse("size=1KiB")) == "size=1.024kB"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("macs=1.5ms", "'ms' is no unit of macs; write macs=1.2M"),
        ("params=3MB", "'MB' is no unit of params"),
        ("latency=1.5M", "'M' is no unit of latency; write latency=1.5ms"),
        ("latency=2m", "'m' is no unit of latency"),  # milliseconds or minutes?
        ("energy=1MJ", "'MJ' is no unit of energy; write energy=250uJ"),
        ("energy=1ms", "'ms' is no unit of energy"),
        ("size=1.5ms", "'ms' is no unit of size; write size=300kB"),
    ],
)
def test_a_unit_of_something_else_is_refused_with_one_that_fits(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="is no unit of") as raised:
        Budget.parse(text)
    assert said in str(raised.value)
    assert repr(text) in str(raised.value)


def test_a_fraction_is_of_the_unpruned_cost() -> None:
    assert Budget("macs", 0.25).absolute(400) == 100
    assert Budget("macs", 300, relative=False).absolute(400) == 300


def test_the_ratio_is_what_is_removed() -> None:
    assert GroupChoice("a", 1, 4).ratio == 0.75
    assert GroupChoice("a", 4, 4).ratio == 0


def choices(name: str) -> st.SearchStrategy[GroupChoice]:
    counts = st.integers(1, 2048).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))
    return counts.map(lambda pair: GroupChoice(name, *pair))


GROUPS = st.lists(st.text(), unique=True).flatmap(
    lambda names: st.tuples(*(choices(name) for name in names))
)
POLICIES = st.builds(
    Policy,
    groups=GROUPS,
    granularity=st.sampled_from(["channel", "element", "2:4", "n:4"]).map(Granularity.parse),
    criterion=st.text(),
    origin=st.dictionaries(st.text(), st.text()),
)


@given(POLICIES)
@settings(deadline=None)
def test_json_gives_the_same_policy_back(policy: Policy) -> None:
    assert Policy.from_json(policy.to_json()) == policy


def test_a_saved_policy_loads_the_same(tmp_path: Path) -> None:
    policy = Policy((GroupChoice("é.0", 3, 8),), origin={"seed": "0"})
    path = tmp_path / "new" / "policy.json"
    policy.save(path)
    assert Policy.load(path) == policy
    assert Policy.load(str(path)).kept == (3,)
    assert [file.name for file in path.parent.iterdir()] == ["policy.json"]


def test_a_saved_policy_names_its_schema(tmp_path: Path) -> None:
    Policy((GroupChoice("a", 1, 2),)).save(tmp_path / "policy.json")
    assert json.loads((tmp_path / "policy.json").read_text())["schema_version"] == 1


def test_words_may_be_left_out() -> None:
    least = {"schema_version": 1, "groups": GOOD["groups"]}
    policy = Policy.from_json(json.dumps(least))
    assert (policy.granularity, policy.criterion, policy.origin) == (CHANNELS, "l1", {})


def changed(**entries: Any) -> str:
    return json.dumps({**GOOD, **entries})


def one_group(**entries: Any) -> str:
    return changed(groups=[{"name": "a", "kept": 2, "total": 4, **entries}])


WHOLE = r"groups\[0\].kept is .*; it must be a whole number"
DAMAGED = {
    "empty": ("", "not valid JSON"),
    "truncated": (changed()[:-20], "not valid JSON"),
    "not_json": ("kept: 3", "not valid JSON"),
    "deeply_nested": ("[" * 200_000, "nested too deeply"),
    "endless_number": ('{"schema_version": ' + "1" * 5000 + "}", "not valid JSON"),
    "key_twice": ('{"schema_version": 1, "groups": [], "groups": []}', "'groups' stands twice"),
    "list": ("[]", "a policy is a JSON object, not list"),
    "number": ("1", "a policy is a JSON object, not int"),
    "null": ("null", "a policy is a JSON object"),
    "no_version": (json.dumps({"groups": []}), "has no schema_version"),
    "newer_version": (changed(schema_version=2), "schema version 2 is not supported"),
    "version_as_text": (changed(schema_version="1"), "schema version '1'"),
    "version_as_truth": (changed(schema_version=True), "schema version True"),
    "unknown_key": (changed(weights=[1.0]), "weights is not known"),
    "groups_missing": (json.dumps({"schema_version": 1}), "groups is missing"),
    "groups_as_object": (changed(groups={"a": 3}), "groups is .*; it must be a list"),
    "group_as_number": (changed(groups=[3]), r"groups\[0\] is 3; it must be named values"),
    "group_lacks_total": (changed(groups=[{"name": "a", "kept": 1}]), r"groups\[0\]"),
    "group_has_more": (one_group(ratio=0.5), r"groups\[0\].ratio is not known"),
    "name_as_number": (one_group(name=3), r"groups\[0\].name is 3; it must be a text"),
    "kept_as_text": (one_group(kept="2"), WHOLE),
    "kept_as_fraction": (one_group(kept=2.5), WHOLE),
    "kept_as_truth": (one_group(kept=True), WHOLE),
    "kept_nan": (one_group(kept=float("nan")), WHOLE),
    "kept_infinite": (one_group(kept=float("inf")), WHOLE),
    "kept_null": (one_group(kept=None), WHOLE),
    "kept_negative": (one_group(kept=-1), "keeps -1 of 4 units; it must keep from 0 to 4"),
    "kept_more_than_all": (one_group(kept=5), "keeps 5 of 4"),
    "kept_huge": (one_group(kept=10**30), "keeps 10{30} of 4"),
    "named_twice": (changed(groups=[GOOD["groups"][0]] * 2), "group 'a' is named twice"),
    "criterion_as_number": (changed(criterion=1), "criterion is 1; it must be a text"),
    "granularity_as_list": (changed(granularity=[]), r"granularity is \[\]; it must be a text"),
    "origin_as_list": (changed(origin=[]), r"origin is \[\]; it must be named values"),
    "origin_of_numbers": (changed(origin={"seed": 0}), "origin.seed is 0; it must be a text"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused_in_one_sentence_that_names_it(
    damage: str, tmp_path: Path
) -> None:
    text, reason = DAMAGED[damage]
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(PolicyError, match=reason) as raised:
        Policy.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert ". " not in message


def test_the_undamaged_one_is_not_refused() -> None:
    policy = Policy.from_json(json.dumps(GOOD))
    assert policy.kept == (2, 1)
    assert policy.criterion == "l2"


def test_a_binary_file_is_no_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(PolicyError, match=r"policy\.json: not text"):
        Policy.load(path)


def test_a_checkpoint_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.truncate(MAX_POLICY_BYTES + 1)
    with pytest.raises(PolicyError, match="too large for a policy; is it a checkpoint"):
        Policy.load(path)


def test_no_file_is_another_error_than_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no policy at"):
        Policy.load(tmp_path / "missing.json")
    with pytest.raises(IsADirectoryError, match=r"name a file, .*policy\.json"):
        Policy.load(tmp_path)


def test_a_policy_made_in_code_is_checked_too() -> None:
    with pytest.raises(PolicyError, match="group 'a' keeps 3 of 2"):
        Policy((GroupChoice("a", 3, 2),))
    with pytest.raises(PolicyError, match="named twice"):
        Policy((GroupChoice("a", 1, 2), GroupChoice("a", 1, 2)))


@pytest.mark.timeout(10)
def test_a_hundred_thousand_groups_are_checked_in_no_time() -> None:
    with pytest.raises(PolicyError, match="'0' is named twice"):
        Policy((*(GroupChoice(str(n), 1, 1) for n in range(100_000)), GroupChoice("0", 1, 1)))
