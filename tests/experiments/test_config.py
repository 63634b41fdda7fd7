"""Settings: their ranges, and the file that brings them back."""

import math
from dataclasses import FrozenInstanceError, replace

import pytest
import yaml

from experiments.settings.config import (
    SCHEDULES,
    BenchmarkConfig,
    CutConfig,
    NetworkConfig,
    PruneConfig,
    SearchConfig,
    TrainConfig,
    save_config,
)

KINDS = (NetworkConfig, TrainConfig, CutConfig, PruneConfig, SearchConfig, BenchmarkConfig)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_settings_are_read_back(kind, tmp_path):
    made = replace(kind(), model="vgg-small", width=0.25, weights="w.pt", seed=2**32 - 1)
    save_config(made, tmp_path / "config.yaml")
    assert kind(**yaml.safe_load((tmp_path / "config.yaml").read_text())) == made


def test_small_numbers_stay_numbers(tmp_path):
    save_config(SearchConfig(finetune_lr=1e-7), tmp_path / "config.yaml")
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["finetune_lr"] == 1e-7


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        SearchConfig().seed = 1


@pytest.mark.parametrize(
    ("kind", "name", "edges", "beyond"),
    [
        (NetworkConfig, "width", (0.01, 10), (0, -1, math.inf, math.nan)),
        (NetworkConfig, "seed", (0, 2**32 - 1), (-1, 2**32)),
        (TrainConfig, "epochs", (0, 0.5), (-1, math.inf, math.nan)),
        (TrainConfig, "lr", (1e-9,), (0, -1, math.inf, math.nan)),
        (TrainConfig, "batch_size", (1,), (0,)),
        (CutConfig, "calibration_images", (0, 10**9), (-1,)),
        (CutConfig, "finetune_epochs", (0, 0.5), (-0.1, math.nan, math.inf)),
        (CutConfig, "finetune_rate", (0.001, 1), (0, 1.01, math.nan)),
        (CutConfig, "finetune_lr", (None, 1e-9), (0, math.nan, math.inf)),
        (CutConfig, "finetune_schedule", SCHEDULES, ("", "square")),
        (CutConfig, "finetune_stages", (1,), (0,)),
        (CutConfig, "finetune_last", (0, 1), (-0.1, 1.1, math.nan)),
        (CutConfig, "distill", (0, 1), (-0.1, 1.1, math.nan)),
        (CutConfig, "temperature", (0.5,), (0, math.inf, math.nan)),
        (CutConfig, "patience", (0,), (-1,)),
        (CutConfig, "recalibrate", (0,), (-1,)),
        (TrainConfig, "gamma_l1", (0, 1e-4), (-1e-4, math.nan)),
        (TrainConfig, "gamma_l2", (0, 1e-4), (-1e-4, math.inf)),
        (SearchConfig, "episodes", (1,), (0,)),
        (SearchConfig, "search_images", (0,), (-1,)),
        (SearchConfig, "racing", (0.0, 0.05), (-0.1, 0.5, float("nan"))),
        (SearchConfig, "round_to", (1,), (0, -8)),
        (BenchmarkConfig, "max_ratio", (0.01, 0.99), (0, 1, math.nan)),
    ],
)
def test_numbers_out_of_range_are_refused_by_the_name_of_their_flag(kind, name, edges, beyond):
    for value in edges:
        assert getattr(kind(**{name: value}), name) == value
    for value in beyond:
        with pytest.raises(ValueError, match=f"^--{name.replace('_', '-')} is {value}; it must be"):
            kind(**{name: value})
