"""Numbers and names as people read them."""

from __future__ import annotations

from amc.parsing import scale

MISSING = "–"

COSTS = {
    "macs": "MACs",
    "params": "parameters",
    "size": "stored size",
    "memory": "peak memory",
    "energy": "energy",
    "latency": "latency",
}
"""What costs are called."""

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def scored(value: float | None, digits: int = 4) -> str:
    """A score: so many decimals of one up to 10, as many digits of more; a dash without any."""
    if value is None:
        return MISSING
    if abs(value) < 10:
        small = 0 < abs(value) < 10**-digits
        return f"{value:.{digits - 1}g}" if small else f"{value:.{digits}f}"
    return (
        f"{value:,.{max(0, digits - len(str(int(abs(value)))) + 1)}f}"
        if abs(value) < 1e6
        else f"{value:.3g}"
    )


def percent(fraction: float) -> str:
    """A fraction in [0, 1] as a percentage with one decimal."""
    return f"{100 * fraction:.1f}%"


def cost_name(name: str) -> str:
    """What a cost is called, by its short name; one that is not known is called that."""
    return COSTS.get(name) or printable(name)


def measure(value: float, unit: str) -> str:
    """A cost with its unit where that is not plain from its name: 31.0M, 1.09 MB, 286 µJ."""
    if unit == "bytes":
        text = amount(value)
        return f"{text.rstrip('kMGT')} {text.lstrip('0123456789.')}B"
    number, name = scale(value, unit)
    return f"{_three_digits(number)} {name}" if name != unit else amount(value)


def amount(value: float) -> str:
    """Three significant digits with a suffix: k, M, G, T are powers of 1000."""
    # 999.5 and more would round to 1000 of the smaller suffix.
    for size, suffix in _PREFIXES:
        if value >= size * 0.9995:
            return f"{_three_digits(value / size)}{suffix}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def milliseconds(seconds: float) -> str:
    """Three significant digits and more: 0.731 ms, 12.4 ms, 1,250 ms."""
    value = 1000 * seconds
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.42 s, 41 s, 12 min 5 s, 3 h 20 min."""
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: int, noun: str) -> str:
    """A number with its noun: 1 evaluation, 1,200 evaluations."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def join_words(words: list[str]) -> str:
    """Words as part of a sentence: a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def printable(text: str) -> str:
    """Foreign text on one line, with a question mark for each character that cannot be seen."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def shorten(text: str, most: int) -> str:
    """At most `most` characters: the middle gives way, as both ends tell names apart."""
    if len(text) <= most:
        return text
    tail = (most - 1) * 2 // 3
    return f"{text[: most - 1 - tail]}…{text[-tail:]}"
