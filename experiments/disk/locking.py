"""One process at a time in a folder."""

from __future__ import annotations

import errno
import sys
from typing import BinaryIO

TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
"""What the system answers where another process holds the lock."""


def lock(file: BinaryIO) -> bool:
    """Hold the file for this process until it is closed or the process ends, however it ends.

    Returns:
        False where another process holds it. True also where the file system knows no locks.
    """
    try:
        _take(file)
    except OSError as error:
        return error.errno not in TAKEN
    return True


if sys.platform == "win32":
    import msvcrt

    FAR = 2**30
    """A byte that nobody writes: on Windows, locked ones cannot be read either."""

    def _take(file: BinaryIO) -> None:
        at = file.tell()
        file.seek(FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        finally:
            file.seek(at)

else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
