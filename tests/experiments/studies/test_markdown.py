"""Tables in Markdown, by hand."""

from experiments.studies.markdown import markdown


def test_a_table_by_hand() -> None:
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
