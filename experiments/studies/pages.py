"""Tables put into a page of the documentation, between two comments that mark their place."""

from __future__ import annotations

from pathlib import Path

from experiments.disk import write_whole


def put(page: Path, mark: str, text: str) -> None:
    """Replace what stands between `<!-- mark -->` and `<!-- end of mark -->`.

    Raises:
        ValueError: if the page does not have both, in this order.
    """
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{page}: has no place for the {mark}; write {begin.strip()} and {end}")
    write_whole(page, f"{before}{begin}\n{text}\n\n{end}{after}")
