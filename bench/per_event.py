#!/usr/bin/env python3
"""Reads callgrind_annotate's list from stdin and prints it per event: a table of functions and their instructions.

callgrind_annotate has a line for every file whose code was inlined into a function. A function's own instructions are
the sum of these lines. With --inclusive the largest line counts, because it contains the called functions.
"""

import argparse
import re
import sys
from collections import defaultdict

LINE = re.compile(r"^\s*([\d,]+)\s+\(\s*[\d.]+%\)\s+(.*)$")
FILE = re.compile(r"^\S+?:(?=[^:])")
HASH = re.compile(r"::h[0-9a-f]{16}\b")
LONGEST_NAME = 110


def name_of(text: str) -> str:
    """The function without its file, its hash and the binary's path."""
    name = HASH.sub("", FILE.sub("", text.split(" [", 1)[0]))
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, required=True, help="events that were replayed")
    parser.add_argument("--top", type=int, required=True, help="functions to show")
    parser.add_argument("--inclusive", action="store_true", help="the list counts called functions too")
    arguments = parser.parse_args()

    total, functions = 0, defaultdict(int)
    combine = max if arguments.inclusive else int.__add__
    for line in sys.stdin:
        if match := LINE.match(line):
            instructions, text = int(match[1].replace(",", "")), match[2]
            if text.startswith("PROGRAM TOTALS"):
                total = instructions
            else:
                name = name_of(text)
                functions[name] = combine(functions[name], instructions)
    if total == 0:
        sys.exit("error: no callgrind_annotate output on stdin")

    print(f"{total / arguments.events:,.0f} instructions per event ({arguments.events:,} events)\n")
    print(f"{'per event':>10}  {'share':>6}  function")
    print("-" * 60)
    for name, instructions in sorted(functions.items(), key=lambda item: -item[1])[: arguments.top]:
        print(f"{instructions / arguments.events:>10,.1f}  {instructions / total:>6.1%}  {name}")


if __name__ == "__main__":
    main()
