"""Settings of the agent that make no sense are refused where they enter."""

from typing import Any

import pytest

from agents import AgentSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("warmup", 1.1),
        ("sigma", 0.0),
        ("final_sigma", 0.2),
        ("returns", "n-step"),
        ("actor_lr", -1.0),
        ("critic_lr", float("nan")),
        ("updates", -3),
        ("hidden", 0),
        ("batch_size", 0),
        ("tau", 7.0),
        ("buffer_size", -1),
        ("longest_warmup", -1),
        ("proposals", -1),
        ("imitation", -1),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^agent: {name} is .*; it must be "):
        AgentSettings(**{name: value})
