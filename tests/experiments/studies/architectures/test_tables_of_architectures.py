"""What the table of networks says, and what it holds against them."""

from dataclasses import replace

from experiments.studies.architectures.measuring import Row
from experiments.studies.architectures.tables import failures, summary, table

GOOD = Row(
    "tv.one",
    params=2_500_000,
    macs=3e9,
    seen=1.0,
    free=0.95,
    branches=3,
    seconds=0.1,
    traced=1.25,
    left=0.6,
    off=0.0,
    whole=(("it is an output", 0.2), ("a trifle", 0.01)),
)


def test_a_line_has_what_was_found_and_the_large_reasons() -> None:
    line = table([GOOD]).splitlines()[-1]
    assert line == (
        "| tv.one | 2.5M | 3.00G | 1.000 | 0.950 | 3 | 0.600 | 1.2 s | 0.31 | 20% it is an output |"
    )


def test_the_peer_has_a_column_where_it_was_tried() -> None:
    rows = [replace(GOOD, peer=0.26), replace(GOOD, name="tv.two", peer_error="it fails")]
    heads, _, one, two = table(rows).splitlines()
    assert "torch-pruning" in heads
    assert "| 0.260 |" in one
    assert "| – |" in two


def test_what_is_miscounted_or_fails_is_told() -> None:
    rows = [
        GOOD,
        replace(GOOD, name="short", seen=0.9),
        replace(GOOD, name="off", off=0.02),
        replace(GOOD, name="broken", error="trace: it fails"),
    ]
    assert failures(rows) == [
        "broken: trace: it fails",
        "short: 0.900 of the MACs are seen",
        "off: after pruning the count is off by 0.020",
    ]


def test_the_summary_counts_what_keeps_to_the_promise() -> None:
    rows = [
        GOOD,
        replace(GOOD, name="tv.two", free=0.5, traced=9.0),
        replace(GOOD, name="tv.three", seen=0.9),
        Row("tv.four", error="took more than 9 s"),
    ]
    said = summary(rows)
    assert said.startswith("Of 4 networks 2 are counted exactly")
    assert "Of 2 at least nine tenths" in said
    assert "2 are traced in 2 s and" in said
    assert "the median is 1.2 s, the slowest are tv.two 9 s" in said
    assert summary(rows[-1:]) == "No network could be traced."
