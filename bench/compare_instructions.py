#!/usr/bin/env python3
"""Compares two outputs of bench/callgrind.sh. Fails if the second has more instructions per event than the limit allows."""

import argparse
import re
import sys
from pathlib import Path

TOTAL = re.compile(r"^([\d,]+) instructions per event ", re.MULTILINE)
FUNCTION = re.compile(r"^ *([\d,.]+) +[\d.]+% +(.+)$", re.MULTILINE)


def number(text: str) -> float:
    return float(text.replace(",", ""))


def read(path: Path) -> tuple[float, dict[str, float]]:
    """Returns the instructions per event, in total and by function."""
    text = path.read_text()
    if not (total := TOTAL.search(text)):
        sys.exit(f"error: {path} is not an output of bench/callgrind.sh")
    return number(total[1]), {name: number(instructions) for instructions, name in FUNCTION.findall(text)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="the output at the base commit")
    parser.add_argument("here", type=Path, help="the output of this tree")
    parser.add_argument("--limit", type=float, default=2, help="the growth in percent that passes (2)")
    parser.add_argument("--top", type=int, default=10, help="functions shown (10)")
    arguments = parser.parse_args()

    (base, base_functions), (here, here_functions) = read(arguments.base), read(arguments.here)
    growth = (here / base - 1) * 100
    names = base_functions.keys() | here_functions.keys()
    changes = {name: here_functions.get(name, 0) - base_functions.get(name, 0) for name in names}
    largest = sorted(changes.items(), key=lambda change: (-abs(change[1]), change[0]))[: arguments.top]

    print(f"instructions per event: {base:,.0f} at the base, {here:,.0f} here ({growth:+.1f} %)")
    for name, change in largest:
        if change:
            print(f"{change:>+10,.1f}  {name}")
    if growth > arguments.limit:
        sys.exit(
            f"FAILED: {growth:+.1f} % is above the limit of +{arguments.limit:g} %. Find the cause in the list above."
        )


if __name__ == "__main__":
    main()
