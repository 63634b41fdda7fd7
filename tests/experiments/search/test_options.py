"""What a person types, as the types that strategies take."""

from dataclasses import dataclass, field

import pytest

from experiments.search.options import convert, plain_fields

KNOWN = {"share": 0.5, "count": 3, "fast": True, "kind": "l1"}


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("share", "0.2", 0.2),
        ("share", "1e-4", 0.0001),
        ("share", 1, 1.0),
        ("count", "7", 7),
        ("count", 7.0, 7),
        ("fast", "false", False),
        ("fast", True, True),
        ("kind", "l2", "l2"),
        ("kind", 2, "2"),
    ],
)
def test_values_become_what_their_default_is(name, given, taken):
    made = convert(KNOWN, {name: given}, "mine")[name]
    assert made == taken
    assert type(made) is type(KNOWN[name])


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        *(("share", bad, "a number") for bad in ("wide", None, True, "nan", "inf", [1])),
        *(("count", bad, "a whole number") for bad in (2.5, "2.5", "x", False, 1e400)),
        *(("fast", bad, "true or false") for bad in ("maybe", 1, None)),
        *(("kind", bad, "a word") for bad in (None, [1], {})),
    ],
)
def test_others_are_refused_with_what_is_wanted(name, given, wanted):
    with pytest.raises(ValueError, match=rf"^--options\.{name} is .*; mine needs {wanted} there$"):
        convert(KNOWN, {name: given}, "mine")


def test_unknown_names_are_refused():
    with pytest.raises(LookupError, match="unknown option of mine 'shar'; did you mean 'share'"):
        convert(KNOWN, {"shar": 1}, "mine")


def test_what_was_not_given_is_left_to_the_strategy():
    assert convert(KNOWN, {}, "mine") == {}


@dataclass
class Mixed:
    share: float = 0.5
    names: tuple[str, ...] = ()
    inner: object = field(default_factory=object)
    fast: bool = False


def test_only_fields_that_can_be_typed_are_plain():
    assert plain_fields(Mixed()) == {"share": 0.5, "fast": False}
