"""Amounts as people read them; budgets show how they are typed."""

import pytest

from amc.parsing.quantities import readable, scale


@pytest.mark.parametrize(
    ("value", "unit", "number", "name"),
    [
        (0.0015, "seconds", 1.5, "ms"),
        (2.5, "seconds", 2.5, "s"),
        (250, "seconds", 250, "s"),
        (2.5e-4, "joules", 250, "µJ"),
        (3e-13, "joules", 0.3, "pJ"),
        (9.998e-4, "joules", 0.9998, "mJ"),  # three digits would make 1000 of it
        (0, "joules", 0, "J"),
        (1234, "bytes", 1234, "bytes"),
    ],
)
def test_amounts_far_from_one_get_a_unit_that_suits_them(
    value: float, unit: str, number: float, name: str
) -> None:
    found, called = scale(value, unit)
    assert called == name
    assert found == pytest.approx(number)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234567, "MACs", "1,234,567 MACs"),
        (12, "parameters", "12 parameters"),
        (0.25, "watts", "0.25 watts"),
        (0.00123, "seconds", "1.23 ms"),
    ],
)
def test_amounts_in_a_sentence(value: float, unit: str, text: str) -> None:
    assert readable(value, unit) == text
