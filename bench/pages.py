#!/usr/bin/env python3
"""Runs a pipeline to the end of its topic without a web server, with one, and with pages open; says what each costs.

Owns: the three kinds of runs, whoever looks meanwhile, and the comparison. Does not own: the servers and the topic
(pages.sh), measuring one run (measure.py). Runs of a round are compared with each other only: what else the machine does
changes from round to round.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Run, run_once

PAGES = ("overview", "partitions", "checkpoints", "problems", "features")
KINDS = ("no server", "nobody looks", "five pages")
USER = "u1"
SCRAPE_EVERY_S = 5.0


class Looking:
    """Five browsers and a Prometheus, from when the server answers until it goes."""

    def __init__(self, listen: str, directory: Path) -> None:
        self.listen, self.directory = listen, directory
        self.over = threading.Event()
        self.scrapes = 0
        self.thread = threading.Thread(target=self.look)

    def look(self) -> None:
        host, port = self.listen.rsplit(":", 1)
        while not self.over.is_set():
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                break
            except OSError:
                self.over.wait(0.02)
        pages = [self.curl(f"api/{page}/live" + (f"?user={USER}" if page == "features" else ""), page) for page in PAGES]
        while not self.over.wait(SCRAPE_EVERY_S):
            if self.curl("metrics", "metrics").wait() == 0:
                self.scrapes += 1
        for page in pages:
            page.wait()

    def curl(self, path: str, name: str) -> subprocess.Popen:
        command = ["curl", "-sSfN", f"http://{self.listen}/{path}"]
        with (self.directory / name).open("wb") as output:
            return subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)

    def messages(self) -> dict[str, int]:
        return {page: (self.directory / page).read_bytes().count(b"data:") for page in PAGES}


@contextmanager
def looking(listen: str, directory: Path) -> Iterator[Looking]:
    directory.mkdir()
    visitors = Looking(listen, directory)
    visitors.thread.start()
    try:
        yield visitors
    finally:
        visitors.over.set()
        visitors.thread.join()


def one_run(kind: str, number: int, arguments: argparse.Namespace) -> tuple[Run, dict[str, int]]:
    """A run in a group of its own, which leaves nothing behind for the next."""
    store = arguments.dir / f"checkpoints-{number}"
    subprocess.run(["redis-cli", "-p", str(arguments.redis), "flushall"], check=True, stdout=subprocess.DEVNULL)
    command = [*arguments.command, "--set", f"source.kafka.group=pages-{number}", "--set", f"checkpoint.store=file:{store}"]
    command += ["--listen", "off" if kind == KINDS[0] else arguments.listen]
    seen: dict[str, int] = {}
    if kind == KINDS[2]:
        with looking(arguments.listen, arguments.dir / f"pages-{number}") as visitors:
            run = run_once(command)
        seen = visitors.messages() | {"metrics": visitors.scrapes}
        if blind := [page for page in PAGES if seen[page] < run.wall_s / 2]:
            sys.exit(f"error: in {run.wall_s:.0f} s these pages said less than every other second: {blind} of {seen}")
    else:
        run = run_once(command)
    shutil.rmtree(store, ignore_errors=True)
    return run, seen


def measure(arguments: argparse.Namespace) -> tuple[dict[str, list[Run]], dict[str, int]]:
    runs: dict[str, list[Run]] = {kind: [] for kind in KINDS}
    seen: dict[str, int] = {}
    # The first to read finds a cold broker: it does not count.
    one_run(KINDS[0], arguments.rounds * len(KINDS), arguments)
    for round_number in range(arguments.rounds):
        # Each kind comes first, second and last equally often.
        for turn in range(len(KINDS)):
            kind = KINDS[(round_number + turn) % len(KINDS)]
            run, messages = one_run(kind, round_number * len(KINDS) + turn, arguments)
            runs[kind].append(run)
            seen = messages or seen
            print(f"round {round_number + 1}, {kind}: {run.cpu_s:.2f} s CPU, {run.wall_s:.2f} s", file=sys.stderr)
    return runs, seen


def compared(kind: str, runs: dict[str, list[Run]], events: int) -> dict:
    mine, without = runs[kind], runs[KINDS[0]]
    cpu = [run.cpu_s / events * 1e6 for run in mine]
    rates = [events / run.wall_s for run in mine]
    pairs = list(zip(mine, without, strict=True))
    return {
        "kind": kind,
        "cpu_s_per_million_events": round(statistics.median(cpu), 3),
        "cpu_s_per_million_events_lowest": round(min(cpu), 3),
        "cpu_s_per_million_events_highest": round(max(cpu), 3),
        "events_per_second": round(statistics.median(rates)),
        "events_per_second_lowest": round(min(rates)),
        "events_per_second_highest": round(max(rates)),
        "cpu_of_that_without": round(statistics.median(with_.cpu_s / off.cpu_s for with_, off in pairs), 4),
        "throughput_of_that_without": round(statistics.median(off.wall_s / with_.wall_s for with_, off in pairs), 4),
        "resident_bytes": max(run.resident_bytes for run in mine),
    }


def table(results: list[dict]) -> str:
    def spread(result: dict, name: str, form: str) -> str:
        return f"{result[name + '_lowest']:{form}} – {result[name + '_highest']:{form}}"

    rows = [
        ("", [result["kind"] for result in results]),
        ("CPU per million events (median)", [f"{result['cpu_s_per_million_events']:.3f} s" for result in results]),
        ("  lowest – highest", [spread(result, "cpu_s_per_million_events", ".3f") for result in results]),
        ("  of the run without, same round", [f"{result['cpu_of_that_without']:.1%}" for result in results]),
        ("events per second (median)", [f"{result['events_per_second']:,}" for result in results]),
        ("  lowest – highest", [spread(result, "events_per_second", ",") for result in results]),
        ("  of the run without, same round", [f"{result['throughput_of_that_without']:.1%}" for result in results]),
        ("largest resident set", [f"{result['resident_bytes'] / 1e6:.0f} MB" for result in results]),
    ]
    label = max(len(name) for name, _ in rows)
    widths = [max(len(cells[column]) for _, cells in rows) for column in range(len(results))]
    lines = [
        f"{name.ljust(label)}  " + "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        for name, cells in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, required=True, help="runs of each kind")
    parser.add_argument("--events", type=int, required=True, help="events in the topic")
    parser.add_argument("--listen", required=True, help="where the server is to listen")
    parser.add_argument("--redis", type=int, required=True, help="the port of a Redis that may be emptied")
    parser.add_argument("--dir", type=Path, required=True, help="a folder for checkpoints and answers")
    parser.add_argument("command", nargs="+", help="the words of the command, without --listen")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.events < 1:
        parser.error("--rounds and --events must be at least 1")

    began = os.getloadavg()[0]
    runs, seen = measure(arguments)
    results = [compared(kind, runs, arguments.events) for kind in KINDS]
    machine = f"{os.cpu_count()} cores, {os.uname().machine}"
    if arguments.json:
        figures = {"machine": machine, "rounds": arguments.rounds, "events": arguments.events, "load_before": began}
        print(json.dumps(figures | {"messages": seen, "results": results}, indent=2))
    else:
        print(f"{machine}, load {began:.1f} before, {arguments.rounds} rounds of {arguments.events:,} events\n")
        print(table(results))
        print(f"\nmessages in the last run with pages: {', '.join(f'{page} {count}' for page, count in seen.items())}")


if __name__ == "__main__":
    main()
