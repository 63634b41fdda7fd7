"""What the machine does well, and where a network is."""

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_networks import samples, tiny
from torch import nn

from amc.devices import (
    PREPARED,
    bfloat16_is_fast,
    device_of,
    evaluating,
    give_back_memory,
    lay_out,
    on_all_cores,
    one_thread,
    own_generators,
    right_gradients,
    training_layout,
    trains_in_half,
)
from experiments.studies.accuracies import accuracy


@pytest.mark.parametrize(
    ("have", "fast"),
    [
        ({}, False),
        ({"avx512_f": True, "amx_bf16": False}, False),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": True}, True),
        ({"bf16": True}, True),
    ],
)
def test_bfloat16_is_fast_where_the_processor_has_it(
    have: dict[str, bool], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: have)
    assert bfloat16_is_fast() is fast
    assert bfloat16_is_fast(torch.device("cpu")) is fast


def test_bfloat16_is_not_promised_on_other_devices() -> None:
    assert not bfloat16_is_fast("meta")


def test_what_is_seeded_within_leaves_no_trace() -> None:
    before, on_gpus = torch.get_rng_state(), torch.cuda.get_rng_state_all()
    with own_generators():
        torch.manual_seed(7)
        torch.rand(3)
        assert not torch.equal(torch.get_rng_state(), before)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, torch.cuda.get_rng_state_all(), on_gpus))


def test_a_network_is_where_its_first_tensor_is() -> None:
    assert device_of(nn.Linear(2, 2)) == torch.device("cpu")
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert device_of(nn.BatchNorm2d(2, affine=False, device="meta")) == torch.device("meta")
    assert device_of(nn.ReLU()) == torch.device("cpu")


def test_a_layout_changes_no_number() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    for layout in (torch.channels_last, torch.contiguous_format):
        lay_out(net, layout)
        assert net[0].weight.is_contiguous(memory_format=layout)
        assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())


@pytest.mark.parametrize(
    ("convolution", "layout"),
    [
        (nn.Conv2d(15, 8, 1, stride=2), torch.contiguous_format),
        (nn.Conv2d(15, 8, 1, stride=(1, 2)), torch.contiguous_format),
        (nn.Conv2d(32, 8, 1, stride=2, groups=4), torch.contiguous_format),
        (nn.Conv2d(16, 8, 1, stride=2), torch.channels_last),
        (nn.Conv2d(4, 8, 1), torch.channels_last),
        (nn.Conv2d(4, 8, 3, stride=2), torch.channels_last),
    ],
)
def test_narrow_strided_pointwise_convolutions_are_not_trained_with_channels_last(
    convolution: nn.Module, layout: torch.memory_format
) -> None:
    assert training_layout(nn.Sequential(nn.ReLU(), nn.Sequential(convolution))) == layout


def test_evaluation_mode_lasts_as_long_as_the_block() -> None:
    net = nn.Sequential(nn.Dropout(), nn.Dropout()).train()
    net[1].eval()
    with evaluating(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == [True, True, False]


def test_evaluation_mode_ends_with_an_error() -> None:
    net = nn.Dropout().train()
    with pytest.raises(KeyError), evaluating(net):
        raise KeyError
    assert net.training


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("lasting", [False, True])
def test_items_run_side_by_side_on_one_thread_each_and_keep_their_order(lasting: bool) -> None:
    together = threading.Barrier(2, timeout=20)

    def seen(item: int) -> tuple[int, int]:
        together.wait()
        return item, torch.get_num_threads()

    found = on_all_cores(seen, [3, 1, 4, 1], torch.device("cpu"), lasting=lasting)
    assert found == [(3, 1), (1, 1), (4, 1), (1, 1)]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("lasting", [False, True])
def test_an_error_in_one_item_is_raised_and_the_threads_are_as_before(lasting: bool) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            on_all_cores(lambda item: 1 // item, [1, 0, 2], torch.device("cpu"), lasting=lasting)
        assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("batch_size", [7, 30])
def test_accuracy_does_not_depend_on_the_threads(batch_size: int) -> None:
    model, data = tiny("residual"), samples(90)
    side_by_side = accuracy(model, data, batch_size=batch_size)
    with one_thread():
        assert accuracy(model, data, batch_size=batch_size) == side_by_side


FORKING = """
import os, torch
from amc.devices import on_all_cores
torch.set_num_threads(2)
assert on_all_cores(str, [1, 2, 3], lasting=True) == ["1", "2", "3"]
child = os.fork()
if not child:
    os._exit(on_all_cores(str, [4, 5], lasting=True) != ["4", "5"])
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(("own", "wanted"), [(None, "512"), ("77", "77")])
def test_what_the_user_says_of_prepared_convolutions_holds(own: str | None, wanted: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != PREPARED}
    environment |= {} if own is None else {PREPARED: own}
    code = f"import amc.devices, os; print(os.environ[{PREPARED!r}])"
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    assert told.stdout.strip() == wanted


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    subprocess.run([sys.executable, "-c", FORKING], check=True, timeout=60)


def resident() -> int:
    """Bytes of this process in memory; Linux tells."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not GNU's C library")
def test_freed_memory_is_given_back() -> None:
    """What is still in use behind it keeps the library from giving it back by itself."""
    freed = [torch.ones(16_000) for _ in range(2000)]
    in_use = torch.ones(16_000)
    freed.clear()
    before = resident()
    give_back_memory()
    assert resident() < before - 2000 * 16_000 * 4 / 2
    assert in_use.sum() == 16_000


def test_careful_gradients_change_nothing_that_is_computed_afterwards() -> None:
    narrow = torch.nn.Conv2d(4, 8, 1, stride=2)
    assert training_layout(narrow) is torch.contiguous_format
    inputs, other = torch.randn(4, 16, 33, 33), torch.nn.Conv2d(16, 50, 3)
    with torch.no_grad():
        before = other(inputs)
        with right_gradients(narrow):
            assert not torch.backends.mkldnn.enabled
        assert torch.backends.mkldnn.enabled
        assert torch.equal(other(inputs), before)


@pytest.mark.parametrize(("channels", "places", "fast"), [(1024, 64, False), (128, 64, True)])
def test_long_lines_of_many_channels_are_not_trained_in_bfloat16(
    channels: int, places: int, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    model = nn.Sequential(nn.Conv2d(channels, 8, (places, 1)))
    assert trains_in_half(model) is fast
