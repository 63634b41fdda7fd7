"""The rooms of the project and the one direction in which imports run between them.

The files are read, not run: an import inside a function or under `if TYPE_CHECKING` counts as well.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]

# Each room with the other rooms it may import.
ROOMS = {
    "amc": (),
    "netadapt": ("amc",),
    "envs": ("amc",),
    "agents": ("envs", "amc"),
    "experiments": ("agents", "envs", "netadapt", "amc"),
}

# What stands in amc/ and in experiments/: a file or folder imports only what stands above it here.
ORDER = {
    "amc": (
        "parsing",
        "side_by_side",
        "journal",
        "weights",
        "devices",
        "granularity",
        "graph",
        "policy",
        "modules",
        "tasks",
        "refit",
        "criteria",
        "costs",
        "evaluation",
        "surgery",
        "tracing",
        "pruning",
        "finetuning",
        "history",
        "earlier",
        "evaluator",
        "workers",
        "problem",
        "rules",
        "strategies",
        "export",
        "one_call",
    ),
    "experiments": (
        "disk",
        "statistics",
        "terminal",
        "settings",
        "zoo",
        "runs",
        "report",
        "latency",
        "cluster",
        "search",
        "commands",
        "studies",
        "cli",
        "demo",
        "__main__",
    ),
}

# The only places that may import these libraries.
OWNERS = {
    "gymnasium": ("envs/", "agents/"),
    "stable_baselines3": ("agents/",),
}


def breaches(path: str, source: str) -> list[str]:
    """Every rule that the file at `path` (from the root, with slashes) breaks, one line each."""
    found = [] if _is_listed(path) else [f"{path}: add it to ORDER, below all it imports"]
    for line, name in _imports(path, source):
        reason = next(filter(None, (rule(path, name) for rule in RULES)), None)
        if reason:
            found.append(f"{path}:{line}: imports {name}, but {reason}")
    return found


def _imports(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of each import, down to the name taken from a module."""
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*_package(path, node.level), *filter(None, [node.module])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _package(path: str, level: int) -> tuple[str, ...]:
    """What `level` leading dots mean in the file at `path`."""
    parts = PurePosixPath(path).parts
    return parts[: len(parts) - level] if level else ()


def _library(path: str, name: str) -> str | None:
    library = name.split(".")[0]
    owners = OWNERS.get(library)
    if owners is None or path.startswith(owners):
        return None
    return f"only {' and '.join(owners)} may import {library}"


def _room(path: str, name: str) -> str | None:
    here, there = path.split("/")[0], name.split(".")[0]
    if there not in ROOMS or there == here or there in ROOMS[here]:
        return None
    return f"{here}/ sees nothing of {there}/"


def _order(path: str, name: str) -> str | None:
    room, parts = path.split("/")[0], name.split(".")
    here, order = _place(path), ORDER.get(room, ())
    if here is None or parts[0] != room:
        return None
    there = parts[1] if len(parts) > 1 else ""
    if there not in order:
        return f"a file of {room}/ names the file or folder it needs, not the package"
    if here == there or order.index(there) < order.index(here):
        return None
    return f"{there} does not stand above {here}"


def _inside(path: str, name: str) -> str | None:
    """Past the front door of another folder, into one of its files."""
    here, parts = path.split("/"), name.split(".")
    depth = 2 if parts[0] in ORDER else 1
    door = parts[:depth]
    if parts[0] not in ROOMS or here[:depth] == door or not ROOT.joinpath(*door).is_dir():
        return None
    file = next((at for at in range(depth + 1, len(parts) + 1) if _is_file(parts[:at])), None)
    if file is None or (file == len(parts) and parts[-1] in _shown(parts[:-1])):
        return None
    return f"{'/'.join(door)}/ is imported from as a folder, not from files inside"


def _is_file(parts: list[str]) -> bool:
    return ROOT.joinpath(*parts).with_suffix(".py").is_file()


def _shown(folder: list[str]) -> set[str]:
    """What a folder's front door names in `__all__`."""
    body = ast.parse(ROOT.joinpath(*folder, "__init__.py").read_text("utf-8")).body
    lists = (
        n.value for n in body if isinstance(n, ast.Assign) and ast.unparse(n).startswith("__all__")
    )
    return {name for one in lists for name in ast.literal_eval(one)}


def _place(path: str) -> str | None:
    """The entry of ORDER that `path` should have; None elsewhere and for a front door."""
    parts = PurePosixPath(path).with_suffix("").parts
    return parts[1] if parts[0] in ORDER and parts[1] != "__init__" else None


def _is_listed(path: str) -> bool:
    place = _place(path)
    return place is None or place in ORDER[path.split("/")[0]]


RULES = (_library, _room, _order, _inside)


def test_imports_run_in_one_direction() -> None:
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    assert {file.relative_to(ROOT).parts[0] for file in files} == set(ROOMS)
    found = [
        breach
        for file in files
        for breach in breaches(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("experiments/cli.py", "import agents, envs, netadapt, amc"),
        ("agents/ddpg.py", "import gymnasium, stable_baselines3\nfrom envs import PruningEnv"),
        ("envs/rewards.py", "from gymnasium import spaces\nfrom amc import Policy"),
        ("netadapt/loop.py", "from amc.problem import Problem\nfrom . import proposals"),
        ("amc/__init__.py", "from amc.export import save\nfrom .graph import trace"),
        ("amc/tracing/build.py", "import torch\nfrom amc import tracing"),
        ("amc/surgery/cutting.py", "from .costs.macs import MACs\nimport amc.modules.kinds"),
        ("amc/costs/macs.py", "from amc.costs.base import Cost\nfrom ..graph import Layer"),
        ("amc/costs/__init__.py", "from . import macs"),
        ("amc/problem.py", "import torch, numpy.linalg\nfrom amcx import y"),
    ],
)
def test_what_the_rules_allow(path: str, source: str) -> None:
    assert breaches(path, source) == []


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("netadapt/loop.py", "from envs import PruningEnv", "netadapt/ sees nothing of envs/"),
        ("netadapt/loop.py", "import agents.ddpg", "netadapt/ sees nothing of agents/"),
        ("envs/features.py", "import agents", "envs/ sees nothing of agents/"),
        ("envs/features.py", "import netadapt", "envs/ sees nothing of netadapt/"),
        ("agents/ddpg.py", "import experiments.cli", "agents/ sees nothing of experiments/"),
        ("agents/ddpg.py", "import netadapt", "agents/ sees nothing of netadapt/"),
        ("amc/rules.py", "from netadapt import x", "amc/ sees nothing of netadapt/"),
        ("amc/__init__.py", "from envs import PruningEnv", "amc/ sees nothing of envs/"),
        ("amc/policy.py", "from amc.costs import x", "costs does not stand above policy"),
        ("amc/policy.py", "from .costs import x", "costs does not stand above policy"),
        ("amc/policy.py", "from . import costs", "costs does not stand above policy"),
        ("amc/policy.py", "from amc import costs as c", "costs does not stand above policy"),
        ("amc/policy.py", "import os, amc.problem", "problem does not stand above policy"),
        ("amc/criteria/x.py", "from amc.refit.moments import Moments", "amc/refit/ is imported"),
        ("amc/criteria/x.py", "from amc.refit import moments", "not from files inside"),
        ("agents/x.py", "from envs.rewards import REWARDS", "envs/ is imported from as a folder"),
        ("agents/x.py", "from amc.rules.depth import depths", "amc/rules/ is imported from"),
        (
            "experiments/cli.py",
            "from experiments.disk.locking import lock",
            "experiments/disk/ is imported from as a folder",
        ),
        (
            "experiments/zoo/x.py",
            "from experiments.search import y",
            "search does not stand above zoo",
        ),
        ("amc/costs/macs.py", "from ..surgery import prune", "surgery does not stand above costs"),
        ("amc/criteria.py", "from .costs import macs", "costs does not stand above criteria"),
        ("amc/rules.py", "import amc", "names the file or folder it needs"),
        ("amc/rules.py", "from amc import Problem", "names the file or folder it needs"),
        ("amc/rules.py", "from . import *", "names the file or folder it needs"),
        ("amc/problem.py", "import gymnasium.spaces", "only envs/ and agents/ may"),
        ("experiments/cli.py", "import gymnasium", "only envs/ and agents/ may"),
        ("envs/rewards.py", "import stable_baselines3", "only agents/ may import"),
        ("amc/policy.py", "def f():\n    import amc.problem", ":2: imports amc.problem"),
        ("envs/x.py", "if TYPE_CHECKING:\n    import agents", ":2: imports agents"),
        ("amc/extra.py", "", "add it to ORDER"),
        ("amc/extra/__init__.py", "", "add it to ORDER"),
    ],
)
def test_what_the_rules_refuse(path: str, source: str, reason: str) -> None:
    (breach,) = breaches(path, source)
    assert breach.startswith(path)
    assert reason in breach


def _run_without_the_search_libraries(code: str) -> subprocess.CompletedProcess[str]:
    # None in sys.modules makes Python treat a library as not installed.
    block = "import sys; sys.modules.update(gymnasium=None, stable_baselines3=None)"
    return subprocess.run(
        [sys.executable, "-c", f"{block}\n{code}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_every_name_of_amc_comes_without_gymnasium_and_stable_baselines3() -> None:
    code = "import amc\nassert amc.__all__\nfor name in amc.__all__: getattr(amc, name)"
    done = _run_without_the_search_libraries(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("library", ["gymnasium", "stable_baselines3"])
def test_the_search_libraries_are_really_out_of_reach_there(library: str) -> None:
    done = _run_without_the_search_libraries(f"import {library}")
    assert "ModuleNotFoundError" in done.stderr
