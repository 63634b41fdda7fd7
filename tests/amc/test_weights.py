"""Tensors as files: whatever memory they share, and what is said of files that do not fit."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, load_model
from torch import nn

from amc.weights import read_weights, save_weights, set_weights


def tied() -> nn.Module:
    """Three names of one weight, two of one bias."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 4, bias=False))
    model[2].weight = model[3].weight = model[0].weight
    model[2].bias = model[0].bias
    return model


def test_tied_tensors_are_stored_once_and_come_back_under_all_their_names(tmp_path: Path) -> None:
    saved, found = tied(), tied()
    save_weights(saved, tmp_path / "net.safetensors")
    state, _ = read_weights(tmp_path / "net.safetensors")
    assert state.keys() == {"0.weight", "0.bias"}
    set_weights(found, state, "net.safetensors", "the network")
    wanted = saved.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in found.state_dict().items())
    assert found[0].weight is found[3].weight


@pytest.mark.parametrize("name", ["0.weight", "2.weight", "3.weight"])
def test_any_one_name_of_a_tied_tensor_is_enough(name: str) -> None:
    model, bias = tied(), torch.zeros(4)
    set_weights(model, {name: torch.eye(4), "2.bias": bias}, "a file", "the network")
    assert torch.equal(model[0].weight, torch.eye(4))


def test_a_module_used_twice_is_stored_once(tmp_path: Path) -> None:
    layer = nn.BatchNorm1d(3)
    save_weights(nn.ModuleList([layer, layer]), tmp_path / "net.safetensors")
    assert all(name.startswith("0.") for name in load_file(tmp_path / "net.safetensors"))


def test_safetensors_own_loader_reads_the_file_too(tmp_path: Path) -> None:
    saved, found = tied(), tied()
    save_weights(saved, tmp_path / "net.safetensors", {"said": "so"})
    load_model(found, str(tmp_path / "net.safetensors"))
    assert torch.equal(found[3].weight, saved[3].weight)
    with safe_open(tmp_path / "net.safetensors", "pt") as file:
        assert file.metadata() == {"said": "so"}


def test_layout_and_shared_memory_do_not_matter(tmp_path: Path) -> None:
    model = nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
    memory = torch.arange(6.0)
    model.register_buffer("part", memory[2:4])
    model.register_buffer("turned", memory.view(2, 3).t())
    save_weights(model, tmp_path / "net.safetensors")
    found = load_file(tmp_path / "net.safetensors")
    wanted = model.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


@pytest.mark.parametrize(
    ("state", "difference"),
    [
        ({}, "it has no '0.weight'"),
        ({"0.weight": torch.ones(4, 4)}, "it has no '0.bias'"),
        (
            {"3.weight": torch.ones(2, 4), "0.bias": torch.ones(4)},
            r"'0.weight' is \(2, 4\) there where the network has \(4, 4\)",
        ),
        ({"0.weight": torch.ones(4, 4), "0.bias": torch.ones(4), "x": torch.ones(1)}, "has 'x'"),
    ],
)
def test_the_first_difference_is_named(state: dict[str, torch.Tensor], difference: str) -> None:
    with pytest.raises(ValueError, match=f"^file.safetensors does not fit mine: .*{difference}"):
        set_weights(tied(), state, "file.safetensors", "mine")


def test_a_network_that_ties_nothing_is_not_filled_from_half_a_file(tmp_path: Path) -> None:
    save_weights(tied(), tmp_path / "net.safetensors")
    state, _ = read_weights(tmp_path / "net.safetensors")
    free = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 4, bias=False))
    with pytest.raises(ValueError, match=r"it has no '2\.weight'"):
        set_weights(free, state, "net.safetensors", "the network")


def test_what_is_no_file_of_tensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no weights at .*nothing\.safetensors"):
        read_weights(tmp_path / "nothing.safetensors")
    (tmp_path / "trap.safetensors").write_bytes(pickle.dumps(print))
    with pytest.raises(ValueError, match=r"trap\.safetensors: not a safetensors file"):
        read_weights(tmp_path / "trap.safetensors")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_file_is_for_whom_the_user_lets_read_files(tmp_path: Path) -> None:
    save_weights(tied(), tmp_path / "net.safetensors")
    (tmp_path / "other").touch()
    modes = [(tmp_path / name).stat().st_mode for name in ("net.safetensors", "other")]
    assert modes[0] == modes[1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_with_the_file_s_name() -> None:
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        save_weights(tied(), Path("/dev/full"))


def test_a_module_that_asks_for_its_version_gets_todays(tmp_path: Path) -> None:
    class Versioned(nn.Linear):
        _version = 2

        def _load_from_state_dict(
            self, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *others: Any
        ) -> None:
            if local_metadata.get("version") != 2:
                raise ValueError(f"version is {local_metadata.get('version')}")
            super()._load_from_state_dict(state, prefix, local_metadata, *others)

    saved, found = nn.Sequential(Versioned(3, 4)), nn.Sequential(Versioned(3, 4))
    save_weights(saved, tmp_path / "net.safetensors")
    state, _ = read_weights(tmp_path / "net.safetensors")
    set_weights(found, state, "net.safetensors", "this network")
    assert torch.equal(found[0].weight, saved[0].weight)
