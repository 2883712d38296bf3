#!/usr/bin/env python3
"""Draws identifiers, comments or messages from the Rust sources, for a reader who judges them without their context.

usage: dev/draw-names.py [--seed N] [--count N] [--what identifiers|comments|messages]

The same seed draws the same lines from the same tree. Each line gives the file and what was drawn. A reader says what each
identifier is or does from that alone; CONTRIBUTING.md says what is done about a wrong guess.
"""

import argparse
import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFINITION = re.compile(
    r"^\s*(?:pub(?:\([a-z: ]+\))? )?(?:const |async |unsafe )*(struct|enum|trait|type|fn|const|static|mod) ([A-Za-z_]\w*)"
)
FIELD = re.compile(r"^\s+pub(?:\([a-z: ]+\))? ([a-z_]\w*): ")
COMMENT = re.compile(r"^\s*//[/!]? (.+)$")
MESSAGE = re.compile(r'(?:error|warn|info|debug)!\(.*?"([^"]{12,})"|#\[error\("([^"]{12,})"|format!\(\s*"([^"]{30,})"')


def sources():
    return sorted(path for path in ROOT.glob("crates/*/src/**/*.rs"))


def identifiers(path, lines):
    for line in lines:
        if line.startswith("#[cfg(test)]"):
            return
        if found := DEFINITION.match(line):
            kind, name = found.groups()
            if name not in ("main", "new", "default", "fmt", "from", "drop", "tests", "deref"):
                yield f"{path}: {kind} {name}"
        elif found := FIELD.match(line):
            yield f"{path}: field {found.group(1)}"


def comments(path, lines):
    """Whole comments: lines that follow each other are one."""
    block = []
    for line in [*lines, ""]:
        if found := COMMENT.match(line):
            block.append(found.group(1))
        elif block:
            text = " ".join(block)
            if len(text) > 40:
                yield f"{path}: {text}"
            block = []


def messages(path, lines):
    for found in MESSAGE.finditer("\n".join(lines)):
        text = next(group for group in found.groups() if group)
        yield f"{path}: {' '.join(text.split())}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--what", choices=["identifiers", "comments", "messages"], default="identifiers")
    options = parser.parse_args()
    draw = {"identifiers": identifiers, "comments": comments, "messages": messages}[options.what]
    drawn = []
    for path in sources():
        drawn.extend(draw(path.relative_to(ROOT), path.read_text(encoding="utf-8").split("\n")))
    drawn = sorted(set(drawn))
    print(f"seed {options.seed}, {options.count} of {len(drawn)} {options.what}", file=sys.stderr)
    for line in random.Random(options.seed).sample(drawn, min(options.count, len(drawn))):
        print(line)


if __name__ == "__main__":
    main()
