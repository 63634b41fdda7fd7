"""`amc report`: several finished runs on one page."""

import shutil

import pytest

from experiments.commands.report import report
from experiments.settings import ReportSettings


def test_runs_stand_side_by_side(amc, uniform_run, ddpg_run, tmp_path):
    out = tmp_path / "new" / "both.html"
    said = amc.good("report", uniform_run, ddpg_run, "--out", out)
    assert said == f"report: {out}\n"
    page = out.read_text()
    assert "uniform" in page
    assert "gp-rollout" in page


def test_a_folder_of_runs_is_reported_whole_beside_a_trained_network(
    uniform_run, ddpg_run, trained, tmp_path
):
    for name, run in (("a", uniform_run), ("b", ddpg_run), ("trained", trained)):
        shutil.copytree(run, tmp_path / name)
    path = report(ReportSettings((str(tmp_path),)))
    assert path == tmp_path / "report.html"
    both = ReportSettings(
        (
            str(uniform_run),
            str(ddpg_run),
        ),
        str(tmp_path / "both.html"),
    )
    assert path.read_text() == report(both).read_text()


def test_a_run_can_be_reported_again_after_its_page_is_lost(uniform_run, tmp_path):
    shutil.copytree(uniform_run, tmp_path / "run")
    page = tmp_path / "run" / "report.html"
    before = page.read_text()
    page.unlink()
    assert report(ReportSettings((str(tmp_path / "run"),))) == page
    assert page.read_text() == before


def test_one_bad_run_among_good_ones_is_named_and_no_page_is_written(uniform_run, tmp_path):
    shutil.copytree(uniform_run, tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text("{}")
    with pytest.raises(ValueError, match=r"run/result\.json: not the result"):
        report(
            ReportSettings(
                (
                    str(uniform_run),
                    str(tmp_path / "run"),
                ),
                str(tmp_path / "x.html"),
            )
        )
    assert not (tmp_path / "x.html").exists()
