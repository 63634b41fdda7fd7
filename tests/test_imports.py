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

# The files of amc/ (some of them folders): each imports only what stands above it.
CORE_ORDER = (
    "names",
    "checks",
    "json_text",
    "journal",
    "weights",
    "samples",
    "devices",
    "units",
    "policy",
    "structure",
    "inputs",
    "kinds",
    "attention",
    "granularity",
    "patches",
    "moments",
    "reconstruction",
    "criteria",
    "masks",
    "costs",
    "fusing",
    "surgery",
    "tracing",
    "graph",
    "evaluation",
    "pruning",
    "candidates",
    "racing",
    "narrowing",
    "finetuning",
    "problem",
    "projection",
    "rules",
    "export",
)

# The only places that may import these libraries.
OWNERS = {
    "gymnasium": ("envs/", "agents/"),
    "stable_baselines3": ("agents/",),
}


def breaches(path: str, source: str) -> list[str]:
    """Every rule that the file at `path` (from the root, with slashes) breaks, one line each."""
    found = [] if _is_listed(path) else [f"{path}: add it to CORE_ORDER, below all it imports"]
    for line, name in _imports(path, source):
        reason = _library(path, name) or _room(path, name) or _core(path, name)
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


def _core(path: str, name: str) -> str | None:
    here, parts = _core_name(path), name.split(".")
    if here not in CORE_ORDER or parts[0] != "amc":
        return None
    there = parts[1] if len(parts) > 1 else ""
    if there not in CORE_ORDER:
        return "a file of amc/ names the file it needs, not the package"
    if here == there or CORE_ORDER.index(there) < CORE_ORDER.index(here):
        return None
    return f"{there} does not stand above {here}"


def _core_name(path: str) -> str | None:
    """The entry of CORE_ORDER that `path` should have; None outside amc/ and for its front door."""
    parts = PurePosixPath(path).with_suffix("").parts
    return parts[1] if parts[0] == "amc" and parts[1] != "__init__" else None


def _is_listed(path: str) -> bool:
    return _core_name(path) in (None, *CORE_ORDER)


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
        ("amc/graph.py", "import torch\nfrom amc import tracing"),
        ("amc/surgery.py", "from .costs.macs import MACs\nimport amc.kinds"),
        ("amc/costs/macs.py", "from amc.costs.base import Cost\nfrom ..kinds import Unit"),
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
        ("amc/policy.py", "from amc.graph import trace", "graph does not stand above policy"),
        ("amc/policy.py", "from .graph import trace", "graph does not stand above policy"),
        ("amc/policy.py", "from . import graph", "graph does not stand above policy"),
        ("amc/policy.py", "from amc import graph as g", "graph does not stand above policy"),
        ("amc/policy.py", "import os, amc.graph", "graph does not stand above policy"),
        ("amc/costs/macs.py", "from ..surgery import prune", "surgery does not stand above costs"),
        ("amc/criteria.py", "from .costs import macs", "costs does not stand above criteria"),
        ("amc/rules.py", "import amc", "names the file it needs"),
        ("amc/rules.py", "from amc import Problem", "names the file it needs"),
        ("amc/rules.py", "from . import *", "names the file it needs"),
        ("amc/problem.py", "import gymnasium.spaces", "only envs/ and agents/ may"),
        ("experiments/cli.py", "import gymnasium", "only envs/ and agents/ may"),
        ("envs/rewards.py", "import stable_baselines3", "only agents/ may import"),
        ("amc/policy.py", "def f():\n    import amc.graph", ":2: imports amc.graph"),
        ("envs/x.py", "if TYPE_CHECKING:\n    import agents", ":2: imports agents"),
        ("amc/extra.py", "", "add it to CORE_ORDER"),
        ("amc/extra/__init__.py", "", "add it to CORE_ORDER"),
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
