"""The page as people see it: in headless Chromium, on a phone, on a desktop and on paper."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, executable
from PIL import Image

from amc.history import Outcome
from experiments.commands.watch import HERE, _Page
from experiments.report import render
from experiments.report.exports import Exported
from experiments.runs import JOURNAL_FILE, SO_FAR
from experiments.runs.results import Correlation, CostChange, RunResult, Tried, Trust

Made = Callable[..., RunResult]

PHONE, SMALLEST, TABLET, DESKTOP = 390, 320, 800, 1280

OVERFLOWING = """
(() => {
  document.querySelectorAll('details').forEach(one => one.open = true);
  const wide = [...document.querySelectorAll('main, main *')].filter(one =>
    one.getBoundingClientRect().right > innerWidth + 1
    || (one.closest('svg') === null && getComputedStyle(one).clipPath === 'none'
        && one.closest('thead') === null && one.scrollWidth > one.clientWidth + 1
        && one.clientWidth > 0));
  const told = wide.map(one => `${one.tagName} ${one.textContent.trim().slice(0, 60)}`);
  if (document.documentElement.scrollWidth > innerWidth) told.push('the page itself');
  return told;
})()
"""

COLLIDING = """
[...document.querySelectorAll('svg[role=img]')].flatMap(picture => {
  const texts = [...picture.querySelectorAll('text')];
  const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
  const told = boxes.filter(([_, box]) => box.left < -1).map(([text]) => `${text} is cut`);
  boxes.forEach(([text, a], at) => boxes.slice(at + 1).forEach(([other, b]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1 && down > 3) told.push(`${text} and ${other}`);
  }));
  return told;
})
"""

FAINT = """
(() => {
  const parts = colour => colour.match(/[0-9.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = parts(colour).slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = one => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const told = new Set();
  for (const one of document.querySelectorAll('main *')) {
    const own = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own) continue;
    const style = getComputedStyle(one);
    const colour = one.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(colour), light(behind(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) told.add(`${one.tagName} ${colour} on ${behind(one)}`);
  }
  return [...told];
})()
"""


@dataclass(frozen=True)
class Shown:
    """A browser and the page that it is to show."""

    browser: Browser
    page: Path

    def at(self, width: int, dark: bool = False) -> Browser:
        """The browser with the page open."""
        self.browser.open(self.page, width, dark=dark)
        return self.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, one for all tests here; without it they are skipped.

    With AMC_REQUIRE_BROWSER set they fail instead.
    """
    program = executable()
    if program is None:
        missing = "chromium is not on this machine: apt-get install chromium"
        if os.environ.get("AMC_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    running = Browser(program, tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


def walk(length: int, left: float) -> tuple[Outcome, ...]:
    """Candidates that come closer to each other, ever better."""
    return tuple(
        Outcome(
            number=at,
            kept=(8 + at % 3, round(32 * left), round(64 * left)),
            score=0.9 - 0.3 / (at + 1),
            costs={"macs": 1e6 * (left - 0.2 * (at % 7) / 7), "params": 4e4 * left},
            seconds=float(at),
        )
        for at in range(length)
    )


LONG = "own.package_with_a_long_name.networks:make_the_third_variant"
COSTS = {
    "macs": CostChange("MACs", 123_456_789.0, 61_000_000.0),
    "params": CostChange("parameters", 4e6, 2e6),
    "size": CostChange("bytes", 16e6, 8e6),
    "memory": CostChange("bytes", 3.3e6, 1e6),
    "energy": CostChange("J", 6.86e-5, 2e-5),
}

TRIED = tuple(Tried(at, (8, 16, 32), 0.8 + at / 100, {"refit": 0.8}, 0.9) for at in range(3))
TRUST = Trust(
    TRIED,
    (Correlation("no refit", 0.4, -0.1, 0.8), Correlation("refit", 0.8, 0.6, 0.9)),
    "refit",
    {"recipe": {"epochs": 1}, "train_samples": 500, "judged_samples": 10_000},
    60.0,
)


def several(made: Made) -> str:
    """Six runs with all that a report can hold, and names as long as people give them."""
    exported = Exported(1.25e-3, 0.7e-3, (1.6, 1.79, 1.9), 6.1e7, 2e6, "a device")
    names = ("stem.0", "features.denseblock3.denselayer12.conv1", "stages.2.0.conv2")
    strategies = ("gp-rollout", "netadapt", "uniform", "manual", "cma-es", LONG)
    results = [
        made(
            strategy,
            evaluations=walk(60, 0.5),
            names=names,
            costs=COSTS,
            tuned_steps=180 * (strategy == "netadapt"),
            most_evaluations=60,
            trust=TRUST if strategy == "gp-rollout" else None,
            samples={"search": 2000, "holdout": 10_000, "test": 10_000},
            config={"out": f"/home/somebody/experiments/{strategy}/2026/run-0001", "episodes": 60},
        )
        for strategy in strategies
    ]
    return render(results, exports=[exported] * len(results))


@pytest.fixture(scope="module", params=["six runs", "one run"])
def shown(
    request: pytest.FixtureRequest,
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
    make_result: Made,
) -> Shown:
    """A comparison with everything in it, and a run about which little is known."""
    page = tmp_path_factory.mktemp("page") / "report.html"
    full = request.param == "six runs"
    page.write_text(several(make_result) if full else render([make_result()]), encoding="utf-8")
    return Shown(browser, page)


def test_it_asks_for_nothing_and_has_nothing_to_complain_of(shown: Shown) -> None:
    browser = shown.at(DESKTOP)
    assert browser.run("document.querySelectorAll('section').length") == 7
    assert browser.requests == [shown.page.resolve().as_uri()]
    assert browser.complaints == []


def test_a_screen_reader_is_told_of_every_picture(shown: Shown) -> None:
    browser = shown.at(PHONE)
    pictures = browser.run("document.querySelectorAll('svg[role=img]').length")
    silent = "svg:not([role=img]):not([aria-hidden=true]), img:not([alt])"
    assert browser.run(f"document.querySelectorAll('{silent}').length") == 0
    heard = [name for role, name in browser.accessible() if role in ("image", "img")]
    assert len(heard) == pictures >= 3
    assert all(len(name) > 40 for name in heard)


def test_a_screen_reader_still_meets_tables_on_a_phone(shown: Shown) -> None:
    roles = [role for role, _ in shown.at(PHONE).accessible()]
    assert {"table", "row", "rowheader", "cell"} <= set(roles)


@pytest.mark.parametrize("width", [SMALLEST, PHONE, TABLET, DESKTOP])
def test_nothing_is_wider_than_the_screen(shown: Shown, width: int) -> None:
    assert shown.at(width).run(OVERFLOWING) == []


@pytest.mark.parametrize(("width", "dark"), [(PHONE, True), (DESKTOP, False)])
def test_a_picture_of_the_page_is_as_wide_as_the_screen_and_full_from_top_to_bottom(
    shown: Shown, width: int, dark: bool, tmp_path: Path
) -> None:
    browser = shown.at(width, dark)
    browser.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        seen = np.asarray(picture.convert("L"), dtype=int)
    assert seen.shape == (browser.run("document.documentElement.scrollHeight"), width)
    paper = int(np.bincount(seen.ravel()).argmax())
    assert (paper < 128) == dark
    # Gaps between sections are narrower than this, so ink is wherever one looks.
    bands = np.array_split(seen, max(1, len(seen) // 200))
    assert all((abs(band - paper) > 60).any() for band in bands)
    margins = np.concatenate([seen[:, :4], seen[:, -4:]], axis=1)
    assert (abs(margins - paper) < 60).all()  # Nothing runs out of the page at its sides.


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_no_text_of_a_picture_covers_another(shown: Shown, width: int) -> None:
    assert shown.at(width).run(COLLIDING) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(shown: Shown, dark: bool) -> None:
    browser = shown.at(DESKTOP, dark)
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 128) == dark
    assert browser.run(FAINT) == []


def test_on_paper_everything_is_open_and_black_on_white(shown: Shown, tmp_path: Path) -> None:
    browser = shown.at(720, dark=True)
    browser.media(dark=True, printed=True)
    closed = "[...document.querySelectorAll('details table')].filter(t => !t.offsetHeight).length"
    assert browser.run(closed) == 0
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    browser.pdf(tmp_path / "page.pdf")
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes()))
    assert 2 <= pages <= 16


def test_the_browser_does_see_what_these_tests_look_for(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<main><p style='width: 3000px; color: #ccc'>wide</p><img src='missing.png'>"
        "<svg role='img'><text x='9' y='20'>one</text><text x='9' y='21'>two</text></svg>"
        "</main><script>console.error('wrong')</script>"
    )
    browser.open(page, DESKTOP)
    assert any("wrong" in complaint for complaint in browser.complaints)
    assert any(address.endswith("missing.png") for address in browser.requests)
    assert "the page itself" in browser.run(OVERFLOWING)
    assert browser.run(COLLIDING) == ["one and two"]
    assert browser.run(FAINT) == ["P rgb(204, 204, 204) on rgb(255, 255, 255)"]


def test_the_page_of_a_run_that_goes_on_renews_itself(
    browser: Browser, made: Made, tmp_path: Path
) -> None:
    (tmp_path / JOURNAL_FILE).write_text("")
    so_far = tmp_path / SO_FAR

    def told() -> str:
        return str(browser.run("document.querySelector('[role=status]')?.textContent ?? ''"))

    made("random", (0.7, 0.75, 0.8)).save(so_far)
    with ThreadingHTTPServer((HERE, 0), partial(_Page, (tmp_path,))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open(f"http://{HERE}:{server.server_port}/")
        assert "random: 3 " in told()
        made("random", (0.7, 0.75, 0.8, 0.82, 0.84)).save(so_far)
        end = time.monotonic() + 20
        while "random: 5 " not in told() and time.monotonic() < end:
            time.sleep(0.2)
        assert "random: 5 " in told()
        assert not browser.complaints
        server.shutdown()
