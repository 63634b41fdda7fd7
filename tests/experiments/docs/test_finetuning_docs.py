"""What the page on fine-tuning shows works as it stands, and its defaults are the real ones."""

import re
from pathlib import Path

from torch import nn

from experiments.settings import ChoiceSettings, ScheduleSettings, TuningSettings, flat
from experiments.studies import finetuning as bench_finetuning
from experiments.studies.finetuning import NORMS, SCHEDULES, TEACHERS, Column, cell, main, tables

PAGE = (Path(__file__).parents[3] / "docs" / "fine-tuning.md").read_text(encoding="utf-8")


def test_its_code_runs_and_gives_a_smaller_network():
    names = {}
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    exec(compile(code, "fine-tuning.md", "exec"), names)
    widths = [layer.out_features for layer in names["smaller"] if isinstance(layer, nn.Linear)]
    assert widths == [12, 12, 5]


def test_its_table_has_every_setting_with_its_default():
    rows = re.findall(r"^\| `--([a-z-]+)` \| (\S+) \|", PAGE, re.MULTILINE)
    told = {flag.replace("-", "_"): default for flag, default in rows}
    real = {**flat(TuningSettings()), **flat(ChoiceSettings()), **flat(ScheduleSettings())}
    wanted = {
        name: "none" if value is None else f"{value:g}" if isinstance(value, float) else f"{value}"
        for name, value in real.items()
    }
    assert told == wanted


def test_the_measurement_behind_its_tables_runs(tmp_path, capsys, monkeypatch):
    wanted = {
        "Distillation": ({"half": TEACHERS["half from the teacher"]}, [Column("element", 0.05)]),
        "Schedule": ({"cubic": SCHEDULES["cubic, 4 stages"]}, [Column("channel", 0.1)]),
        "No fine-tuning": ({"both": NORMS["refit, then norms"]}, [Column("channel")]),
    }
    monkeypatch.setattr(bench_finetuning, "tables", lambda short, long: wanted)
    assert main(("--seeds", "1", "--epochs", "0.1", "--out", str(tmp_path))) == 0
    printed = (tmp_path / "tables.md").read_text()
    assert printed.strip() == capsys.readouterr().out.strip()
    for title, (rows, (column,)) in wanted.items():
        (name,) = rows
        assert f"| {title} | {column} |\n| --- | --- |\n| {name} | 0." in printed


def test_a_cell_is_the_mean_and_half_of_its_interval():
    # The t quantile of 2 degrees of freedom is 4.303, and the standard error 0.01.
    spread = 0.01 * 3**0.5
    assert cell([0.5 - spread, 0.5, 0.5 + spread]) == "0.500 ± 0.043"
    assert cell([0.5]) == "0.500 ± nan"


def test_its_tables_are_those_of_the_command():
    for title, (rows, columns) in tables(5, 20).items():
        header = "| " + " | ".join([title, *map(str, columns)]) + " |"
        after = PAGE.split(header + "\n")[1].split("\n\n")[0]
        assert re.findall(r"^\| ([^-|][^|]*) \|", after, re.MULTILINE) == list(rows)
