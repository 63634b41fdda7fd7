"""Numbers and names as people read them."""

import pytest

from experiments.terminal import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00123, "0.00123"),
        (12, "12"),
        (999, "999"),
        (999.6, "1.00k"),
        (1000, "1.00k"),
        (9994, "9.99k"),
        (9996, "10.0k"),
        (99_960, "100k"),
        (999_600, "1.00M"),
        (31_000_000, "31.0M"),
        (4.1e9, "4.10G"),
        (2e15, "2000T"),
    ],
)
def test_amounts_have_three_digits_and_a_suffix(value: float, text: str) -> None:
    assert formats.amount(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.42, "0.42 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (119.4, "119 s"),
        (119.6, "2 min 0 s"),
        (725, "12 min 5 s"),
        (7199, "119 min 59 s"),
        (12_000, "3 h 20 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (31_000_000, "MACs", "31.0M"),
        (1_094_000, "bytes", "1.09 MB"),
        (12, "bytes", "12 B"),
        (0.000286, "joules", "286 µJ"),
        (0.0029, "joules", "2.90 mJ"),
        (0.0015, "seconds", "1.50 ms"),
        (0.00099996, "seconds", "1.00 ms"),
        (12, "seconds", "12.0 s"),
        (0, "joules", "0.00 J"),
        (12, "units of one's own", "12"),
    ],
)
def test_costs_have_a_unit_that_suits_them(value: float, unit: str, text: str) -> None:
    assert formats.measure(value, unit) == text


def test_costs_of_one_unit_are_told_apart_by_name() -> None:
    assert formats.cost_name("size") == "stored size"
    assert formats.cost_name("memory") == "peak memory"
    assert formats.cost_name("one's\nown") == "one's own"


def test_counts_have_their_plural() -> None:
    assert formats.count(1, "evaluation") == "1 evaluation"
    assert formats.count(1200, "evaluation") == "1,200 evaluations"
    assert formats.count(0, "evaluation") == "0 evaluations"


def test_words_in_a_row() -> None:
    assert formats.join_words([]) == ""
    assert formats.join_words(["a"]) == "a"
    assert formats.join_words(["a", "b", "c"]) == "a, b and c"


def test_a_long_name_loses_its_middle() -> None:
    assert formats.shorten("stages.0.conv1", 14) == "stages.0.conv1"
    assert formats.shorten("backbone.layers.10.mlp.fc1", 16) == "backb…10.mlp.fc1"
