"""What a user names as `package.module:function`."""

from __future__ import annotations

from importlib import import_module


def import_named(name: str, kind: str) -> object:
    """The object called `package.module:function`.

    Args:
        name: A module that can be imported, a colon, a name in it.
        kind: What it is to be ("data set"), for messages.

    Raises:
        LookupError: if there is no such module, or nothing of that name in it, or it cannot be
            imported.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = import_module(module_name)
    except (ModuleNotFoundError, ValueError, TypeError) as error:
        raise LookupError(
            f"{kind} {name!r}: cannot import {module_name!r} ({error}); "
            "write package.module:function, with the package installed or on PYTHONPATH"
        ) from error
    except (Exception, SystemExit) as error:
        raise LookupError(
            f"{kind} {name!r}: module {module_name!r} fails when it is imported "
            f"({type(error).__name__}: {error}); see that `import {module_name}` works in Python"
        ) from error
    if not hasattr(module, attribute):
        raise LookupError(
            f"{kind} {name!r}: module {module_name!r} has no {attribute!r}; "
            "name a function that it holds"
        )
    found: object = getattr(module, attribute)
    return found
