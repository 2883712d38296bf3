#!/usr/bin/env python3
"""Runs commands and measures their cost: CPU time, wall time, largest resident set, lines and bytes written.

Owns: measuring and printing. Does not own: what is measured (the scripts beside it).
CPU time is the user and system time of a child process with all its threads. The resident set is the child's peak.
wait4 reports both for each child separately, so runs do not add up.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    user_s: float
    system_s: float
    wall_s: float
    resident_bytes: int

    @property
    def cpu_s(self) -> float:
        return self.user_s + self.system_s


def run_once(command: list[str], started: Callable[[int], None] = lambda pid: None) -> Run:
    """Runs a command to its end, after `started` has its process id; a failure ends the benchmark with its stderr."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    started(child.pid)
    # The summary on stderr is a few lines: it fits the pipe, so reading after the end cannot block the child.
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.monotonic() - began
    stderr = child.stderr.read() if child.stderr else ""
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with {child.returncode}\n{stderr}")
    return Run(usage.ru_utime, usage.ru_stime, wall_s, usage.ru_maxrss * 1024)


def lines_and_bytes(path: Path) -> tuple[int, int]:
    lines = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
    return lines, path.stat().st_size


def measure(name: str, output: Path, command: list[str], runs: int, events: int) -> dict:
    measured = []
    for number in range(1, runs + 1):
        if sys.stderr.isatty():
            print(f"\r{name}: run {number} of {runs} …", end="", file=sys.stderr, flush=True)
        measured.append(run_once(command))
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    lines, written = lines_and_bytes(output)
    rates = [events / run.cpu_s for run in measured]
    return {
        "command": name,
        "runs": runs,
        "events": events,
        "events_per_cpu_second": round(statistics.median(rates)),
        "events_per_cpu_second_lowest": round(min(rates)),
        "events_per_cpu_second_highest": round(max(rates)),
        "cpu_us_per_event": round(statistics.median(run.cpu_s for run in measured) / events * 1e6, 3),
        "user_s": round(statistics.median(run.user_s for run in measured), 3),
        "system_s": round(statistics.median(run.system_s for run in measured), 3),
        "wall_s": round(statistics.median(run.wall_s for run in measured), 3),
        "events_per_second": round(events / statistics.median(run.wall_s for run in measured)),
        "resident_bytes": max(run.resident_bytes for run in measured),
        "lines_written": lines,
        "bytes_written": written,
    }


def table(results: list[dict]) -> str:
    def spread(result: dict) -> str:
        low, high = result["events_per_cpu_second_lowest"], result["events_per_cpu_second_highest"]
        return f"{low:,} – {high:,}"

    rows = [
        ("", [result["command"] for result in results]),
        ("events", [f"{result['events']:,}" for result in results]),
        ("events per CPU-second (median)", [f"{result['events_per_cpu_second']:,}" for result in results]),
        ("  lowest – highest run", [spread(result) for result in results]),
        ("CPU per event", [f"{result['cpu_us_per_event']:.2f} µs" for result in results]),
        ("CPU time, user + system", [f"{result['user_s']:.2f} + {result['system_s']:.2f} s" for result in results]),
        ("wall time", [f"{result['wall_s']:.2f} s" for result in results]),
        ("events per second of wall time", [f"{result['events_per_second']:,}" for result in results]),
        ("largest resident set", [f"{result['resident_bytes'] / 1e6:.0f} MB" for result in results]),
        ("lines written", [f"{result['lines_written']:,}" for result in results]),
        ("bytes written", [f"{result['bytes_written'] / 1e6:.0f} MB" for result in results]),
    ]
    label = max(len(name) for name, _ in rows)
    widths = [max(len(cells[column]) for _, cells in rows) for column in range(len(results))]
    lines = []
    for name, cells in rows:
        padded = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{name.ljust(label)}  {padded}")
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


def split_commands(arguments: list[str]) -> tuple[list[str], list[list[str]]]:
    """Everything before the first --command, and the words after each of them."""
    options: list[str] = []
    commands: list[list[str]] = []
    for argument in arguments:
        if argument == "--command":
            commands.append([])
        elif commands:
            commands[-1].append(argument)
        else:
            options.append(argument)
    return options, commands


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        usage="%(prog)s [--json] --runs N --events N --command NAME OUTPUT WORD… [--command …]",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--runs", type=int, required=True, help="how often each command runs")
    parser.add_argument("--events", type=int, required=True, help="events that a command reads or writes")
    options, commands = split_commands(sys.argv[1:])
    arguments = parser.parse_args(options)
    if not commands or any(len(words) < 3 for words in commands):
        parser.error("every --command needs a name, the file it writes and the words of the command")
    if arguments.runs < 1 or arguments.events < 1:
        parser.error("--runs and --events must be at least 1")

    results = [
        measure(name, Path(output), words, arguments.runs, arguments.events) for name, output, *words in commands
    ]
    machine = f"{os.cpu_count()} cores, {os.uname().machine}"
    if arguments.json:
        print(json.dumps({"machine": machine, "results": results}, indent=2))
    else:
        print(f"{machine}, {arguments.runs} runs each\n\n{table(results)}")


if __name__ == "__main__":
    main()
