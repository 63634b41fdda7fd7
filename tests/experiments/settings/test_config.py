"""Settings: their ranges, and the file that brings them back."""

import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import get_args

import pytest
import yaml
from flat_settings import settings_of

from experiments.cli import COMMANDS
from experiments.settings import (
    BenchmarkSettings,
    CutSettings,
    NetworkSettings,
    ProblemSettings,
    PruneSettings,
    ScheduleSettings,
    SearchSettings,
    TrainSettings,
    TrustSettings,
    TuningSettings,
    as_written,
    flags_of,
    flat,
    from_flat,
    save_config,
)
from experiments.settings.kinds import Schedule

KINDS = (TrainSettings, PruneSettings, SearchSettings, BenchmarkSettings, TrustSettings)
SCHEDULES = get_args(Schedule)

# As the release before wrote it, beside what stands in every file below.
EARLIER = """
model: resnet8
dataset: digits
width: 0.5
weights: null
seed: 3
out: runs/a
device: cpu
finetune_epochs: 0
finetune_rate: 0.1
finetune_lr: null
finetune_schedule: one-shot
finetune_stages: 4
finetune_last: 0
distill: 0
temperature: 4
patience: 0
recalibrate: 0
calibration_images: 100
memory_batch: 1
latency: null
budget: macs=50%, size=2MB
episodes: 5
search_images: 2000
racing: 0.0
criterion: l1
granularity: '2:4'
exclude: stem.*, last
round_to: auto
max_ratio: null
strategy: random
options: {}
tensorboard: false
"""


@pytest.mark.parametrize("kind", KINDS)
def test_saved_settings_are_read_back(kind, tmp_path):
    network = NetworkSettings("vgg-small", width=0.25, weights="w.pt", seed=2**32 - 1)
    made = replace(kind(), network=network)
    save_config(made, tmp_path / "config.yaml")
    assert from_flat(kind, yaml.safe_load((tmp_path / "config.yaml").read_text())) == made


def test_a_file_of_the_release_before_is_read():
    made = from_flat(SearchSettings, yaml.safe_load(EARLIER))
    assert list(map(str, made.problem.budget)) == ["macs=0.5", "size=2MB"]
    assert str(made.problem.granularity) == "2:4"
    assert made.problem.exclude == ("stem.*", "last")
    assert from_flat(SearchSettings, flat(made)) == made


def test_the_same_settings_in_other_words_are_written_alike():
    """A journal of the release before has them as they were typed."""
    before = yaml.safe_load(EARLIER)
    now = flat(from_flat(SearchSettings, before))
    assert as_written(SearchSettings, before) == {name: now[name] for name in before}
    assert as_written(SearchSettings, {"gone": 3, "seed": "x"}) == {"gone": 3, "seed": "x"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_has_one_name_and_is_explained(command):
    kind = COMMANDS[command].settings
    assert kind.command == command
    assert all(one.help for one in flags_of(kind).values())
    assert set(kind.first) <= set(flags_of(kind))
    assert len(kind.first) <= 10


def test_small_numbers_stay_numbers(tmp_path):
    save_config(settings_of(SearchSettings, finetune_lr=1e-7), tmp_path / "config.yaml")
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["finetune_lr"] == 1e-7


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        SearchSettings().strategy = "sac"


def test_whole_numbers_are_numbers():
    made = TuningSettings(finetune_epochs=2)
    assert made.finetune_epochs == 2.0
    assert isinstance(made.finetune_epochs, float)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", True),
        ("seed", 1.0),
        ("seed", "1"),
        ("width", "1"),
        ("model", 3),
        ("model", None),
        ("model", {}),
    ],
)
def test_another_type_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        NetworkSettings(**{name: value})


def test_each_cost_has_one_budget():
    with pytest.raises(ValueError, match=r"'macs=0\.5,macs=1M'; name each cost once"):
        settings_of(SearchSettings, budget="macs=0.5,macs=1M")
    with pytest.raises(ValueError, match="wrong form"):
        settings_of(SearchSettings, budget=",")


def test_the_parts_of_a_command_are_those_of_another():
    """So that a benchmark hands its own to a search."""
    shared = {"network", "compute", "tuning", "schedule", "cut", "problem"}
    assert shared <= {item.name for item in fields(SearchSettings)}
    assert shared <= {item.name for item in fields(BenchmarkSettings)}


@pytest.mark.parametrize(
    ("kind", "name", "edges", "beyond"),
    [
        (NetworkSettings, "width", (0.01, 10), (0, -1, math.inf, math.nan)),
        (NetworkSettings, "seed", (0, 2**32 - 1), (-1, 2**32)),
        (TrainSettings, "epochs", (0, 0.5), (-1, math.inf, math.nan)),
        (TrainSettings, "lr", (1e-9,), (0, -1, math.inf, math.nan)),
        (TrainSettings, "batch_size", (1,), (0,)),
        (CutSettings, "calibration_images", (0, 10**9), (-1,)),
        (TuningSettings, "finetune_epochs", (0, 0.5), (-0.1, math.nan, math.inf)),
        (TuningSettings, "finetune_rate", (0.001, 1), (0, 1.01, math.nan)),
        (TuningSettings, "finetune_lr", (None, 1e-9), (0, math.nan, math.inf)),
        (ScheduleSettings, "finetune_schedule", SCHEDULES, ("square",)),
        (ScheduleSettings, "finetune_stages", (1,), (0,)),
        (ScheduleSettings, "finetune_last", (0, 1), (-0.1, 1.1, math.nan)),
        (TuningSettings, "distill", (0, 1), (-0.1, 1.1, math.nan)),
        (TuningSettings, "temperature", (0.5,), (0, math.inf, math.nan)),
        (TuningSettings, "patience", (0,), (-1,)),
        (TuningSettings, "recalibrate", (0,), (-1,)),
        (TrainSettings, "gamma_l1", (0, 1e-4), (-1e-4, math.nan)),
        (TrainSettings, "gamma_l2", (0, 1e-4), (-1e-4, math.inf)),
        (ProblemSettings, "episodes", (1,), (0,)),
        (ProblemSettings, "search_images", (0,), (-1,)),
        (ProblemSettings, "racing", (0.0, 0.05), (-0.1, 0.5, float("nan"))),
        (ProblemSettings, "round_to", (1, "auto", "hardware"), (0, -8)),
        (ProblemSettings, "max_ratio", (0.01, 0.99, None), (0, 1, math.nan)),
    ],
)
def test_numbers_out_of_range_are_refused_by_the_name_of_their_flag(kind, name, edges, beyond):
    for value in edges:
        assert getattr(kind(**{name: value}), name) == value
    for value in beyond:
        with pytest.raises(
            ValueError, match=f"^--{name.replace('_', '-')} is {value!r}; it must be"
        ):
            kind(**{name: value})
