"""The page as a browser gets it."""

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import pytest

from experiments.report import render
from experiments.runs.results import CostChange, RunResult, Scores

Made = Callable[..., RunResult]

VOID = {"meta", "br", "link", "img", "hr", "input"}
SECTIONS = ("result", "where", "search", "tradeoff", "trust", "use", "origin")


@dataclass
class Page(HTMLParser):
    """What a test asks of a page: whether tags close in order, and what there is in it."""

    source: str
    open: list[str] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str | None], str]] = field(default_factory=list)
    words: list[tuple[str, str]] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    section: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.section = dict(attrs).get("id") or "" if tag == "section" else self.section
        self.elements.append((tag, dict(attrs), self.section))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), self.section))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(f"</{tag}> in line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        self.words.append((self.section, data))

    def text(self, section: str) -> str:
        joined = " ".join(words for where, words in self.words if where == section)
        return " ".join(joined.split())

    def pictures(self, section: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for tag, attributes, where in self.elements
            if tag == "svg" and where == section and attributes.get("role") == "img"
        ]


def check(source: str) -> Page:
    """A page in which every tag closes in order and every id is its own."""
    page = Page(source)
    assert page.mistakes == []
    assert page.open == []
    ids = Counter(attributes["id"] for _, attributes, _ in page.elements if "id" in attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    return page


def test_the_page_is_well_formed_and_answers_in_the_order_people_ask(
    four: list[RunResult],
) -> None:
    page = check(render(four))
    assert tuple(a["id"] for tag, a, _ in page.elements if tag == "section") == SECTIONS


def test_every_strategy_and_every_group_is_named_where_it_counts(four: list[RunResult]) -> None:
    page = check(render(four))
    for result in four:
        assert result.strategy in page.text("result")
        assert result.strategy in page.text("where")
        assert result.strategy in page.text("search")
    for group in four[0].groups:
        # Once in the picture, once in the table.
        assert page.text("where").count(group.name) == 2


def test_the_table_gives_accuracy_cost_evaluations_and_time(made: Made) -> None:
    words = check(render([made()])).text("result")
    for number in ("0.9400", "0.9500", "0.8400", "0.8500", "0.9200", "0.9300"):
        assert number in words
    assert "unpruned 0.9400 0.9500 1.00M 40.0k gp-rollout" in words
    assert "50.0% 500k 50.0% 20.0k" in words
    assert "3 62 s" in words


def test_each_picture_has_a_text_alternative_and_a_legend(four: list[RunResult]) -> None:
    page = check(render(four))
    for section in ("where", "search", "tradeoff"):
        picture = page.pictures(section)[0]
        label = picture["aria-label"] or ""
        assert all(result.strategy in label for result in four)
        legends = [a for t, a, s in page.elements if (t, s) == ("ul", section)]
        assert {"class": "legend"} in legends
    assert (
        "gp-rollout keeps from 50.0% (stem.0) to 50.0%" in (page.pictures("where")[0]["aria-label"])
    )
    # All other drawings repeat what stands beside them, and say so.
    others = [a for t, a, _ in page.elements if t == "svg" and a.get("role") != "img"]
    assert all(attributes["aria-hidden"] == "true" for attributes in others)


def test_nothing_is_fetched_and_nothing_runs(four: list[RunResult]) -> None:
    source = render(four)
    page = check(source)
    assert "http" not in source
    assert "//" not in re.sub(r"<style>.*?</style>", "", source, flags=re.DOTALL)
    assert not re.search(r"@import|url\((?!#)", source)
    tags = {tag for tag, _, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed"})
    for _, attributes, _ in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name != "src"
            assert name not in ("href", "xlink:href") or (value or "").startswith("#")


def test_what_a_picture_refers_to_is_there(four: list[RunResult]) -> None:
    source = render(four)
    ids = set(re.findall(r' id="([^"]+)"', source))
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', source))
    assert used
    assert used <= ids


EVIL = '<script>alert("x")</script>'


@pytest.mark.parametrize(
    "name",
    [EVIL, "a & b", r"\1 \g<0>", "$x^2", "{{ 7*7 }}", "名前", "a\nb", "]]>", "-->", '" onx="'],
)
def test_foreign_names_are_text_wherever_they_stand(made: Made, name: str) -> None:
    groups = (name, "b" + name, "c")
    result = made(
        name,
        names=groups,
        model=name,
        dataset=name,
        config={name: name, "out": name, "nested": {name: [name]}},
        machine={name: name},
        costs={"macs": CostChange(name, 10.0, 5.0)},
        evaluations=(),
    )
    page = check(render([result], title=name))
    assert "script" not in {tag for tag, _, _ in page.elements}
    shown = " ".join(name.split())
    for section in ("result", "where", "tradeoff", "use", "origin"):
        assert shown in page.text(section).replace("'\"'\"'", "'")
    assert not any(a.startswith("on") for _, attributes, _ in page.elements for a in attributes)


def test_a_name_that_nobody_can_see_is_shown_as_such(made: Made) -> None:
    page = check(render([made("a\u202eb\x00c")]))
    assert "a?b?c" in page.text("result")


def test_the_same_results_give_the_same_page(four: list[RunResult]) -> None:
    assert render(four) == render(four)


def test_one_result_alone(made: Made) -> None:
    page = check(render([made()]))
    assert "gp-rollout" in page.text("result")
    assert "next best" not in page.text("result")
    assert "other runs" not in page.text("use")


def test_without_fine_tuning_there_is_no_column_for_it(made: Made) -> None:
    page = check(render([made(finetuned=None, finetune_steps=0)]))
    assert "after fine-tuning" not in page.text("result")
    assert "after fine-tuning" not in page.text("tradeoff")
    assert "without fine-tuning" in page.text("result")


def test_with_fine_tuning_of_some_the_others_have_a_dash(made: Made) -> None:
    words = check(render([made(), made("uniform", [0.8], finetuned=None)])).text("result")
    assert "uniform 0.7900 0.8000 – 50.0%" in words


def test_a_rule_with_one_evaluation(made: Made) -> None:
    page = check(render([made("uniform", [0.8])]))
    assert "1 evaluation, so a rule" in page.text("search")
    assert len(page.pictures("search")) == 1


def test_a_policy_from_a_file_has_no_search_to_show(made: Made) -> None:
    page = check(render([made("policy", evaluations=(), budgets=(), config={"policy": "p.json"})]))
    assert page.pictures("search") == []
    assert "nothing was searched" in page.text("search")
    assert len(page.pictures("tradeoff")) == 1
    assert "amc search" not in page.text("use")


def test_a_search_in_which_nothing_met_the_budget(made: Made) -> None:
    page = check(render([made(left=0.7, accuracies=[0.8, 0.9])]))
    assert "none of 2 evaluations met the budget" in page.text("search")
    assert "does not meet its budget macs=0.5" in page.text("result")
    assert "over the budget" in page.text("search")


def test_runs_of_several_networks_each_have_their_pictures(made: Made) -> None:
    page = check(render([made(), made(model="vgg-small"), made("uniform", [0.8])]))
    for section in ("where", "search", "tradeoff"):
        assert len(page.pictures(section)) == 2
        assert "vgg-small on digits" in page.text(section)


def test_every_budgeted_cost_has_its_trade_off(made: Made) -> None:
    page = check(render([made(budgets=("macs=0.5", "params=30k"))]))
    labels = [picture["aria-label"] or "" for picture in page.pictures("tradeoff")]
    assert ["MACs left" in labels[0], "parameters left" in labels[1]] == [True, True]


def test_a_cost_that_no_budget_names_is_drawn_where_there_is_no_other(made: Made) -> None:
    costs = {"seconds": CostChange("s", 0.2, 0.1)}
    page = check(render([made(costs=costs, budgets=())]))
    assert "s left" in page.text("tradeoff")


def test_the_title_can_be_chosen_and_else_says_what_was_pruned(made: Made) -> None:
    assert "<title>Mine &amp; yours</title>" in render([made()], title="Mine & yours")
    assert "<title>Pruning resnet8 on digits: gp-rollout</title>" in render([made()])
    two = [made(), made("uniform", [0.8])]
    assert "<title>Pruning resnet8 on digits: 2 runs compared</title>" in render(two)


def test_no_results_are_refused() -> None:
    with pytest.raises(ValueError, match="no results to report; name at least one run folder"):
        render([])


def test_long_searches_stay_quick_and_small(made: Made) -> None:
    accuracies = [0.6 + 0.3 * (at * 37 % 400) / 400 for at in range(400)]
    names = ("gp-rollout", "netadapt", "random", "tpe")
    results = [made(name, accuracies) for name in names]
    render(results[:1])  # the first picture of a process loads matplotlib and its fonts
    start = time.process_time()
    page = render(results)
    assert time.process_time() - start < 3
    assert len(page.encode()) < 1_500_000


def test_many_evaluations_are_thinned(made: Made) -> None:
    few, many = ([0.9 - 1e-6 * at for at in range(size)] for size in (1000, 20_000))
    assert len(render([made("gp-rollout", many)])) < 1.5 * len(render([made("gp-rollout", few)]))


def test_importing_the_report_does_not_import_matplotlib() -> None:
    code = "import sys, experiments.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_drawing_leaves_the_settings_of_matplotlib_alone(made: Made) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 31, "axes.grid": False}):
        theirs = dict(matplotlib.rcParams)
        page = render([made()])
        assert dict(matplotlib.rcParams) == theirs
    assert page == render([made()])


def test_accuracies_that_are_all_equal_can_be_drawn(made: Made) -> None:
    same = Scores(1.0, 1.0)
    result = made("uniform", [1.0])
    check(render([replace(result, unpruned=same, searched=same, finetuned=same)]))


def test_several_seeds_have_a_table_of_means_and_the_best_network_its_seed(made: Made) -> None:
    results = [
        made(name, seed=seed, finetuned=Scores(0.9 + seed / 100, 0.9 + seed / 100))
        for name in ("gp-rollout", "uniform")
        for seed in range(3)
    ]
    page = render(results)
    assert "Means over the seeds of resnet8 on digits" in page
    assert "0.9100±0.0248" in page
    assert "accuracy on test samples (seed 2)" in page
    assert "MACs left" in page
    assert "Means over the seeds" not in render(results[:1])
