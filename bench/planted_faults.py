#!/usr/bin/env python3
"""Plants faults in a copy of the tree, one after the other, and shows which seed of the simulation finds each.

Each fault replaces a text that must occur exactly once in its file. If a text has changed, the script ends before it
builds anything, and names the fault: write it anew for the new code. The exit code is 1 if a fault is not found.
"""

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENGINE = "crates/engine/src"
REDIS = "crates/connectors/src/redis"
FAILED_SEED = re.compile(r"^seed (\d+): Some\((.*?)\) SimulationCounts", re.MULTILINE)


@dataclass
class PlantedFault:
    name: str
    file: str
    correct: str
    planted: str


FAULTS = [
    PlantedFault(
        "the comparison with the stored fence is skipped",
        f"{REDIS}/fence/granted.rs",
        "Some(stored) if stored == fence.last_acknowledged_text.as_bytes() || is_unconfirmed(stored) => {",
        "Some(stored) if !stored.is_empty() || is_unconfirmed(stored) => {",
    ),
    PlantedFault(
        "a checkpoint completes before its rows are acknowledged",
        f"{ENGINE}/worker/snapshots.rs",
        "snapshot.stage == SnapshotStage::WaitingForRows && snapshot.flush_ticket <= acknowledged",
        "snapshot.stage == SnapshotStage::WaitingForRows && (snapshot.flush_ticket <= acknowledged || true)",
    ),
    PlantedFault(
        "a checkpoint completes before its dead letters are stored",
        f"{ENGINE}/worker/snapshots.rs",
        "self.write_refused_rows_as_dead_letters()?;\n        self.dead_letter_sink.flush()?;\n",
        "",
    ),
    PlantedFault(
        "a revoked partition is answered and not released",
        f"{ENGINE}/worker/run_loop.rs",
        "self.pending_partition_changes.push_back(PendingPartitionChange::Release(partitions));",
        "self.source.release_partitions(&partitions)?;",
    ),
    PlantedFault(
        "a lost partition is not dropped",
        f"{ENGINE}/worker/run_loop.rs",
        "PollOutcome::Lost(partitions) => self.drop_lost_partitions(&partitions)?,",
        "PollOutcome::Lost(partitions) => self.source.release_partitions(&partitions)?,",
    ),
    PlantedFault(
        "a partition whose next records were deleted is parked without a last checkpoint",
        f"{ENGINE}/worker/parking.rs",
        "(policy, running, lost.has_lost_read_records()) else {",
        "(policy, running, true) else {",
    ),
    PlantedFault(
        "a manifest has the row numbering of its completion, not of its cut",
        f"{ENGINE}/worker/snapshots.rs",
        "row_numbering_fingerprints: snapshot.row_numbering_fingerprints.clone(),\n"
        "                rows_before_numbering: snapshot.rows_before_numbering.clone(),",
        "row_numbering_fingerprints: owned.row_numbering.row_numbering_fingerprints.clone(),\n"
        "                rows_before_numbering: owned.row_numbering.rows_before_numbering.clone(),",
    ),
    PlantedFault(
        "retention deletes objects of a kept checkpoint",
        f"{ENGINE}/checkpoint/retention.rs",
        "let needed: BTreeSet<&str> = kept\n        .iter()",
        "let needed: BTreeSet<&str> = kept\n        .iter()\n        .skip(1)",
    ),
    PlantedFault(
        "an offset is committed before its checkpoint",
        f"{ENGINE}/worker/snapshots.rs",
        "let offsets = PartitionOffsets::from([(partition, snapshot.cut_offset)]);",
        "let offsets = PartitionOffsets::from([(partition, owned.next_offset.unwrap_or(snapshot.cut_offset))]);",
    ),
    PlantedFault(
        "lost rows do not lead back to an older checkpoint",
        f"{ENGINE}/checkpoint/claim_partition.rs",
        "missing_rows_policy: MissingRowsPolicy::RefuseClaim,",
        "missing_rows_policy: MissingRowsPolicy::GrantClaim,",
    ),
    PlantedFault(
        "rows lost by a failover amid a wait are not reported",
        f"{REDIS}/delivery/writer_thread.rs",
        "AttemptOutcome::Done(lost_partitions) => self.record_losses_of_written_rows(lost_partitions),",
        "AttemptOutcome::Done(_) => {}",
    ),
    PlantedFault(
        "a new connection waits without having written the fences again",
        f"{REDIS}/delivery/writer_thread.rs",
        "self.must_write_fences_again = !self.unacknowledged.is_empty();",
        "self.must_write_fences_again = false;",
    ),
    PlantedFault(
        "a wait that replicas have not confirmed counts",
        f"{REDIS}/delivery/acknowledgement.rs",
        "if confirmed < required {",
        "if confirmed > required {",
    ),
    PlantedFault(
        "a partition is confirmed for a savepoint that does not contain it",
        f"{ENGINE}/checkpoint/checkpoint_thread.rs",
        "if !create_or_compare_object(self.choose_snapshot_store(&completion.snapshot_purpose), &object, &bytes)? {",
        "if matches!(completion.snapshot_purpose, SnapshotPurpose::Checkpoint)\n"
        "            && !create_or_compare_object(self.choose_snapshot_store(&completion.snapshot_purpose), &object, &bytes)?\n"
        "        {",
    ),
    PlantedFault(
        "the snapshot for a savepoint has only the latest changes",
        f"{ENGINE}/worker/snapshots.rs",
        "(BaseOrDelta::Base, Some(request.savepoint_id.clone()), request.target_store.place())",
        "(BaseOrDelta::Delta, Some(request.savepoint_id.clone()), request.target_store.place())",
    ),
    PlantedFault(
        "changes in a savepoint are missing in the next checkpoint",
        f"{ENGINE}/worker/snapshots.rs",
        "owned.shard.end_snapshot(SnapshotStorageOutcome::Discarded);\n"
        "                owned.snapshot_schedule.last_completed_savepoint_id",
        "owned.shard.end_snapshot(SnapshotStorageOutcome::Stored);\n"
        "                owned.snapshot_schedule.last_completed_savepoint_id",
    ),
    PlantedFault(
        "an overtaken checkpoint counts",
        f"{ENGINE}/checkpoint/find_checkpoint.rs",
        "ids.iter().copied().filter(|id| !overtaken.contains(id)).collect();",
        "ids.iter().copied().filter(|id| !overtaken.contains(id) || true).collect();",
    ),
    PlantedFault(
        "the epoch is not read again after the manifest",
        f"{ENGINE}/checkpoint/checkpoint_thread.rs",
        "find_largest_listed_epoch(&listed).filter(|newest| *newest > epoch)",
        "find_largest_listed_epoch(&listed).filter(|newest| *newest > epoch && false)",
    ),
]


def copy_tree(copy: Path) -> None:
    """Copies the tracked files that a build needs. Files with the same content keep their time, so that builds are short."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    names = {name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()}
    for name in names:
        content, target = (ROOT / name).read_bytes(), copy / name
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    for stale in [path for path in (copy / "crates").rglob("*.rs") if str(path.relative_to(copy)) not in names]:
        stale.unlink()


def plant(fault: PlantedFault) -> str:
    """Returns the content of the fault's file with the fault."""
    content = (ROOT / fault.file).read_text()
    if (count := content.count(fault.correct)) != 1:
        sys.exit(f"error: {fault.file} has {count} places for the fault: {fault.name}\n{fault.correct}")
    return content.replace(fault.correct, fault.planted)


def find_seed(copy: Path, target: Path, profile: str, first: int, count: int) -> tuple[str, str] | None:
    """Builds the copy and simulates seeds. Returns the seed that has found the fault, and what was wrong."""
    command = ["cargo", "build", "--quiet", "--profile", profile, "-p", "windrow-simulation", "--example", "simulate"]
    environment = os.environ | {"CARGO_TARGET_DIR": str(target)}
    # The warnings of planted faults mean nothing.
    build = subprocess.run(command, cwd=copy, env=environment, check=False, capture_output=True, text=True)
    if build.returncode != 0:
        sys.exit(f"error: the fault does not compile\n{build.stderr}")
    simulate = target / ("debug" if profile == "dev" else profile) / "examples" / "simulate"
    command = [simulate, str(first), str(count)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    if run.returncode == 0:
        return None
    if not (failed := FAILED_SEED.search(run.stdout)):
        sys.exit(f"error: the simulation ended with {run.returncode}: {run.stderr[-2000:]}")
    return failed[1], failed[2].strip('"').replace("\\", "").replace("|", "/")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench/planted_faults.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="only faults whose names have one of these words")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first seed (1)")
    parser.add_argument(
        "--count", type=int, default=10_000, metavar="SEEDS", help="the most seeds for a fault (10,000)"
    )
    parser.add_argument("--profile", default="dev", help="the profile of the builds (dev, the quickest in total)")
    parser.add_argument("--check", action="store_true", help="only check that each fault has its place")
    arguments = parser.parse_args()

    faults = [fault for fault in FAULTS if not arguments.words or any(word in fault.name for word in arguments.words)]
    contents = [plant(fault) for fault in faults]
    if arguments.check:
        return
    # The copy has its own target folder: in a shared one, Cargo would take crates with a fault for those of this tree.
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "planted-faults"
    copy, target = folder / "tree", folder / "target"
    copy_tree(copy)
    print("| planted fault | first seed | what the oracle said |\n|---|---|---|", flush=True)
    unfound = 0
    for fault, content in zip(faults, contents, strict=True):
        place = copy / fault.file
        correct = place.read_text()
        place.write_text(content)
        try:
            found = find_seed(copy, target, arguments.profile, arguments.first, arguments.count)
        finally:
            place.write_text(correct)
        seed, violation = found or (f"none in {arguments.count:,}", "NOT FOUND")
        print(f"| {fault.name} | {seed} | {violation} |", flush=True)
        unfound += not found
    if unfound:
        sys.exit(f"error: {unfound} of {len(faults)} planted faults were not found")


if __name__ == "__main__":
    main()
