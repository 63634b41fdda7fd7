"""Settings out of range, by hand."""

import pytest

from amc.parsing.checks import check


def test_what_is_good_passes() -> None:
    check("recipe", "lr", 0.1, True, "more than 0")


def test_what_is_not_names_owner_setting_value_and_range() -> None:
    with pytest.raises(ValueError, match=r"^recipe: lr is -1; it must be more than 0$"):
        check("recipe", "lr", -1, False, "more than 0")
