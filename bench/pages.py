#!/usr/bin/env python3
"""Runs a pipeline to the end of its topic without and with a web server, opens pages in turns, and prints their cost.

Owns: the kinds of runs, the pages that are open meanwhile, and the comparison. Does not own: the servers and the topic
(pages.sh), measuring one run (measure.py).

Other load changes from run to run by more than the cost of pages. So pages are opened and closed in turns within one run,
and only neighbouring turns are compared: two seconds without pages, four with, two without. The kernel counts the time of
the server's threads. Redis counts the time of the commands that only pages send.
"""

import argparse
import json
import os
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Run, run_once

NO_SERVER, NO_PAGES, IN_TURNS = KINDS = ("no server", "no open page", "pages in turns")
PAGES = ("overview", "partitions", "checkpoints", "problems", "features")
USER = "u1"
# Threads that serve pages: connections, requests that wait for Redis or the store, other instances, the last hour.
THREADS = ("http", "http-waiting", "peers", "sampler")
# Commands that only pages send to Redis.
COMMANDS = ("scan", "type", "pttl", "hgetall")
TURN_S = 2.0


class Threads:
    """CPU seconds of a process' threads by name, also of those that have ended."""

    def __init__(self, pid: int) -> None:
        self.tasks = Path(f"/proc/{pid}/task")
        self.seen: dict[str, tuple[str, float]] = {}

    def read_times(self) -> None:
        try:
            for task in self.tasks.iterdir():
                name = (task / "comm").read_text().strip()
                self.seen[task.name] = (name, int((task / "schedstat").read_text().split()[0]) / 1e9)
        except OSError:
            pass  # a thread or the process has ended

    def seconds_of_pages(self) -> float:
        return sum(seconds for name, seconds in self.seen.values() if name in THREADS)


class Visitor:
    """Opens and closes five pages in turns, and notes how fast the job reads meanwhile, until the server goes."""

    def __init__(self, listen: str, directory: Path) -> None:
        self.listen, self.directory = listen, directory
        # Whether pages were open, records read a second, share of a CPU that the server's threads took; a turn each.
        self.turns: list[tuple[bool, float, float]] = []
        self.messages = dict.fromkeys(PAGES, 0)
        self.open_s = 0.0

    def visit(self, threads: Threads) -> None:
        while self.records() in (None, 0):  # it has not begun
            time.sleep(0.05)
        time.sleep(TURN_S)
        for number in range(10_000):
            looking = number % 4 in (1, 2)
            before = self.mark(threads)
            with self.pages() if looking else self.no_pages():
                time.sleep(TURN_S)
                after = self.mark(threads)
            if before is None or after is None:
                return
            (t0, records0, cpu0), (t1, records1, cpu1) = before, after
            self.turns.append((looking, (records1 - records0) / (t1 - t0), (cpu1 - cpu0) / (t1 - t0)))

    def mark(self, threads: Threads) -> tuple[float, int, float] | None:
        records = self.records()
        threads.read_times()
        return None if records is None else (time.monotonic(), records, threads.seconds_of_pages())

    def records(self) -> int | None:
        try:
            with urllib.request.urlopen(f"http://{self.listen}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        return int(sum(float(n) for n in re.findall(r"^windrow_worker_records_total\{.*\} (.*)$", text, re.MULTILINE)))

    @contextmanager
    def no_pages(self) -> Iterator[None]:
        yield

    @contextmanager
    def pages(self) -> Iterator[None]:
        # One thread that is mostly asleep: the cost of browsers is not part of the measurement.
        host, port = self.listen.rsplit(":", 1)
        sockets = selectors.DefaultSelector()
        for page in PAGES:
            path = f"/api/{page}/live" + (f"?user={USER}" if page == "features" else "")
            stream = socket.create_connection((host, int(port)), timeout=5)
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.listen}\r\n\r\n".encode())
            sockets.register(stream, selectors.EVENT_READ, page)
        over, began = threading.Event(), time.monotonic()

        def read() -> None:
            while not over.is_set():
                for key, _ in sockets.select(timeout=0.5):
                    received = key.fileobj.recv(1 << 20)
                    self.messages[key.data] += received.count(b"data:")
                    if not received:
                        sockets.unregister(key.fileobj)
                if not sockets.get_map():
                    return

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield
        finally:
            over.set()
            reader.join()
            self.open_s += time.monotonic() - began
            for key in list(sockets.get_map().values()):
                key.fileobj.close()

    def quads(self) -> Iterator[tuple[float, float, float]]:
        """Reading with pages, of that without, and the threads' share of a CPU without and with, per four turns."""
        # The last turn may have seen the end of the topic.
        turns = self.turns[:-1]
        for first in range(0, len(turns) - 3, 4):
            off1, on1, on2, off2 = turns[first : first + 4]
            ratio = (on1[1] + on2[1]) / (off1[1] + off2[1])
            yield ratio, (off1[2] + off2[2]) / 2, (on1[2] + on2[2]) / 2


def redis(port: int, *words: str) -> str:
    return subprocess.run(["redis-cli", "-p", str(port), *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def redis_seconds(port: int) -> float:
    """What Redis has spent on pages."""
    spent = dict(re.findall(r"^cmdstat_(\w+):calls=\d+,usec=(\d+)", redis(port, "info", "commandstats"), re.MULTILINE))
    return sum(int(spent.get(command, 0)) for command in COMMANDS) / 1e6


def one_run(kind: str, number: int, arguments: argparse.Namespace) -> tuple[Run, Threads | None, Visitor | None]:
    """A run in a group of its own, which leaves nothing behind for the next."""
    store = arguments.dir / f"checkpoints-{number}"
    redis(arguments.redis, "flushall")
    redis(arguments.redis, "config", "resetstat")
    command = [
        *arguments.command,
        "--set",
        f"source.kafka.group=pages-{number}",
        "--set",
        f"checkpoint.store=file:{store}",
    ]
    command += ["--listen", "off" if kind == NO_SERVER else arguments.listen]
    visitor = Visitor(arguments.listen, arguments.dir) if kind == IN_TURNS else None
    noted: list[Threads] = []
    beside: list[threading.Thread] = []

    def started(pid: int) -> None:
        threads = Threads(pid)
        noted.append(threads)
        watch = threading.Thread(target=visitor.visit if visitor else watch_threads, args=(threads,))
        beside.append(watch)
        watch.start()

    def watch_threads(threads: Threads) -> None:
        while threads.tasks.exists():
            threads.read_times()
            time.sleep(0.25)

    run = run_once(command, started)
    beside[0].join()
    shutil.rmtree(store, ignore_errors=True)
    return run, noted[0], visitor


def measure(arguments: argparse.Namespace) -> dict:
    runs: dict[str, list[Run]] = {kind: [] for kind in KINDS}
    shares: list[float] = []
    quads: list[tuple[float, float, float]] = []
    of_redis: list[float] = []
    messages = dict.fromkeys(PAGES, 0)
    # The first run reads from a cold broker: it does not count.
    one_run(NO_SERVER, arguments.rounds * len(KINDS), arguments)
    for round_number in range(arguments.rounds):
        # Each kind comes first, second and last equally often.
        for turn in range(len(KINDS)):
            kind = KINDS[(round_number + turn) % len(KINDS)]
            run, threads, visitor = one_run(kind, round_number * len(KINDS) + turn, arguments)
            runs[kind].append(run)
            if kind == NO_PAGES:
                shares.append(threads.seconds_of_pages() / run.cpu_s)
            if visitor:
                quads += visitor.quads()
                of_redis.append(redis_seconds(arguments.redis) / visitor.open_s)
                messages = {page: messages[page] + visitor.messages[page] for page in PAGES}
            print(f"round {round_number + 1}, {kind}: {run.cpu_s:.2f} s CPU, {run.wall_s:.2f} s", file=sys.stderr)
    if not quads:
        sys.exit("error: no run was long enough for four turns; take more events (--count)")
    if blind := [page for page, count in messages.items() if count < len(quads) * TURN_S]:
        sys.exit(f"error: these open pages had less than a message every two seconds: {blind} of {messages}")
    return {
        "runs": [whole(kind, runs, arguments.events) for kind in (NO_SERVER, NO_PAGES)],
        "cpu_share_of_pages_threads_while_nobody_looks": spread(shares),
        "reading_with_five_pages_of_that_without": spread([quad[0] for quad in quads]),
        "cores_of_pages_threads_without_and_with": [spread([quad[i] for quad in quads]) for i in (1, 2)],
        "redis_time_for_five_pages": spread(of_redis),
        "quads": len(quads),
        "messages": messages,
    }


def spread(values: list[float]) -> dict:
    """Median, and what the middle half lies between."""
    quarters = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {
        "median": round(statistics.median(values), 5),
        "middle_half": [round(quarters[0], 5), round(quarters[2], 5)],
    }


def whole(kind: str, runs: dict[str, list[Run]], events: int) -> dict:
    mine, without = runs[kind], runs[NO_SERVER]
    pairs = list(zip(mine, without, strict=True))
    return {
        "kind": kind,
        "cpu_s_per_million_events": spread([run.cpu_s / events * 1e6 for run in mine]),
        "events_per_second": spread([events / run.wall_s for run in mine]),
        "cpu_of_that_without": spread([with_.cpu_s / off.cpu_s for with_, off in pairs]),
        "throughput_of_that_without": spread([off.wall_s / with_.wall_s for with_, off in pairs]),
        "resident_bytes": max(run.resident_bytes for run in mine),
    }


def text(figures: dict) -> str:
    def format_spread(value: dict, form: str) -> str:
        low, high = value["middle_half"]
        return f"{value['median']:{form}}  ({low:{form}} – {high:{form}})"

    lines = ["medians, with the bounds of the middle half", ""]
    for run in figures["runs"]:
        lines += [
            f"{run['kind']}, whole runs",
            f"  CPU per million events, s    {format_spread(run['cpu_s_per_million_events'], '.3f')}",
            f"  events per second            {format_spread(run['events_per_second'], ',.0f')}",
            f"  CPU, of a run without        {format_spread(run['cpu_of_that_without'], '.1%')}",
            f"  throughput, of a run without {format_spread(run['throughput_of_that_without'], '.1%')}",
            f"  largest resident set         {run['resident_bytes'] / 1e6:.0f} MB",
            "",
        ]
    without, with_ = figures["cores_of_pages_threads_without_and_with"]
    lines += [
        "threads that serve pages",
        f"  no open page, of the CPU     {format_spread(figures['cpu_share_of_pages_threads_while_nobody_looks'], '.3%')}",
        f"  in turns, no page, cores     {format_spread(without, '.4f')}",
        f"  in turns, five pages, cores  {format_spread(with_, '.4f')}",
        "",
        f"five pages, in {figures['quads']} times four turns within runs",
        f"  reading, of that without     {format_spread(figures['reading_with_five_pages_of_that_without'], '.1%')}",
        f"  of Redis' time               {format_spread(figures['redis_time_for_five_pages'], '.3%')}",
        f"  messages                     {', '.join(f'{page} {count}' for page, count in figures['messages'].items())}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
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
    figures = measure(arguments)
    machine = f"{os.cpu_count()} cores, {os.uname().machine}"
    if arguments.json:
        about = {"machine": machine, "rounds": arguments.rounds, "events": arguments.events, "load_before": began}
        print(json.dumps(about | figures, indent=2))
    else:
        print(f"{machine}, load {began:.1f} before, {arguments.rounds} rounds of {arguments.events:,} events\n")
        print(text(figures))


if __name__ == "__main__":
    main()
