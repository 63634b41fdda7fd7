"""Which samples a network is timed on."""

from __future__ import annotations

import pytest

from experiments.latency.profiling.planning import plan_for
from experiments.settings import NetworkSettings, ProfileSettings


def config(shape: str) -> ProfileSettings:
    network = NetworkSettings("resnet8", "digits", 0.5)
    return ProfileSettings(network, round_to=4, batch_size=2, input_shape=shape)


def test_one_that_is_given_goes_before_that_of_the_images() -> None:
    plan = plan_for(config("1,12,10"))
    assert list(plan.template.program.inputs.values()) == [(2, 1, 12, 10)]
    assert plan.template.graph.layers[0].in_size == (12, 10)


@pytest.mark.parametrize("shape", ["1,12,-3", "1,x", "1,0,8", "28 x 28"])
def test_what_is_no_shape_is_refused(shape: str) -> None:
    with pytest.raises(ValueError, match=r"--input-shape is .*; it must be whole numbers above 0"):
        config(shape)


@pytest.mark.parametrize("shape", ["3,8,8", "9"])
def test_one_that_the_network_does_not_take_is_refused_with_one_that_it_does(shape: str) -> None:
    with pytest.raises(ValueError, match=r"model resnet8 fails .* takes, 1,8,8 for example$"):
        plan_for(config(shape))


@pytest.mark.parametrize("flag", ["prepare", "timings"])
def test_a_command_needs_no_carrying(flag: str) -> None:
    with pytest.raises(ValueError, match=f"--{flag} is for a device that nothing here reaches"):
        ProfileSettings(runtime="command:bench {onnx}", **{flag: "somewhere"})  # type: ignore[arg-type]
