"""Modules that have another place now: whoever imports the old one is told the new one."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from types import ModuleType


@dataclass(frozen=True)
class _Moved(MetaPathFinder):
    package: str
    places: Mapping[str, str]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        package, _, name = fullname.partition(".")
        if package == self.package and name in self.places:
            # Not a ModuleNotFoundError, which `from package import name` would swallow.
            raise ImportError(f"{fullname} is now {self.places[name]}", name=fullname)


def tell_moved(package: str, places: Mapping[str, str]) -> None:
    """Answer imports of modules that a package no longer has; those that it has are not touched.

    Args:
        package: Its name.
        places: Where to look now, by the module's name in the package.
    """
    finder = _Moved(package, places)
    if finder not in sys.meta_path:
        sys.meta_path.append(finder)
