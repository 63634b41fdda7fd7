"""Looking a short name up in a table."""

import pytest

from amc.parsing.names import look_up

TABLE = {"resnet20": 20, "MobileNet": 1}


def test_a_known_name_gives_its_entry() -> None:
    assert look_up(TABLE, "resnet20", "model") == 20


def test_a_misspelt_name_is_answered_with_the_closest_one() -> None:
    with pytest.raises(LookupError) as raised:
        look_up(TABLE, "resnt20", "model")
    assert str(raised.value) == (
        "unknown model 'resnt20'; did you mean 'resnet20'? known: resnet20, MobileNet"
    )


def test_a_name_in_other_letter_case_is_recognised_as_a_slip() -> None:
    with pytest.raises(LookupError, match="did you mean 'MobileNet'"):
        look_up(TABLE, "MOBILENET", "model")


def test_a_name_like_no_other_gets_the_list_without_a_guess() -> None:
    with pytest.raises(LookupError) as raised:
        look_up(TABLE, "zzz", "data set")
    assert str(raised.value) == "unknown data set 'zzz'; known: resnet20, MobileNet"


def test_an_empty_table_says_that_nothing_is_known() -> None:
    with pytest.raises(LookupError, match="known: none"):
        look_up({}, "zzz", "model")
