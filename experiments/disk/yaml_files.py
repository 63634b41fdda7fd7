"""YAML files that may come from anywhere: plain data, of a size and depth that people write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1_000_000


class Plain(yaml.SafeLoader):
    """Reads plain data, without references: a few lines of these can stand for billions."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As ever, but for `*name`, which is refused."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="references such as *name are not read",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        return super().compose_node(parent, index)


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; nothing in it is executed.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is not such a file; gives the reason, without the file's name.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("too large for settings")
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Plain)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"line {mark.line + 1}" if mark else ""
        told = problem if isinstance(problem, str) and "*name" in problem else ""
        about = ": ".join(filter(None, (where, told)))
        raise ValueError(f"not valid YAML ({about})" if about else "not valid YAML") from None
