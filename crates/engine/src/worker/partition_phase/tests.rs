use std::collections::BTreeSet;
use std::sync::Arc;

use windrow_core::{BaseOrDelta, EventSchema};

use super::*;
use crate::checkpoint::SnapshotPurpose;
use crate::halt::ErrorChain;
use crate::worker::clock_reading::ClockReading;
use crate::{DecodeRules, EventDecoder, FenceToken, FlushTicket, JobDefinition, RecordPlacementRules};

const ALL_PHASES: [PhaseName; 9] = [
    PhaseName::Assigned,
    PhaseName::Opening,
    PhaseName::Claiming,
    PhaseName::Running,
    PhaseName::Snapshotting,
    PhaseName::Draining,
    PhaseName::Released,
    PhaseName::Fenced,
    PhaseName::Parked,
];

/// All legal transitions. Every other transition is illegal.
const LEGAL_TRANSITIONS: [(PhaseName, PhaseName); 31] = [
    (PhaseName::Assigned, PhaseName::Opening),
    (PhaseName::Assigned, PhaseName::Running),
    (PhaseName::Assigned, PhaseName::Released),
    (PhaseName::Opening, PhaseName::Claiming),
    (PhaseName::Opening, PhaseName::Released),
    (PhaseName::Claiming, PhaseName::Running),
    (PhaseName::Claiming, PhaseName::Opening),
    (PhaseName::Claiming, PhaseName::Fenced),
    (PhaseName::Claiming, PhaseName::Released),
    (PhaseName::Running, PhaseName::Snapshotting),
    (PhaseName::Running, PhaseName::Draining),
    (PhaseName::Running, PhaseName::Released),
    (PhaseName::Running, PhaseName::Fenced),
    (PhaseName::Running, PhaseName::Assigned),
    (PhaseName::Snapshotting, PhaseName::Running),
    (PhaseName::Snapshotting, PhaseName::Draining),
    (PhaseName::Snapshotting, PhaseName::Released),
    (PhaseName::Snapshotting, PhaseName::Fenced),
    (PhaseName::Snapshotting, PhaseName::Assigned),
    (PhaseName::Draining, PhaseName::Released),
    (PhaseName::Draining, PhaseName::Fenced),
    (PhaseName::Draining, PhaseName::Assigned),
    (PhaseName::Draining, PhaseName::Parked),
    (PhaseName::Fenced, PhaseName::Assigned),
    (PhaseName::Fenced, PhaseName::Released),
    (PhaseName::Opening, PhaseName::Parked),
    (PhaseName::Claiming, PhaseName::Parked),
    (PhaseName::Running, PhaseName::Parked),
    (PhaseName::Snapshotting, PhaseName::Parked),
    (PhaseName::Parked, PhaseName::Assigned),
    (PhaseName::Parked, PhaseName::Released),
];

fn sample_owned_partition() -> Box<OwnedPartition> {
    let schema = EventSchema::new("user_id", []);
    let job = JobDefinition {
        views: Arc::new([]),
        decoder: EventDecoder::new(DecodeRules::new(schema.clone(), "at")),
        schema,
        max_out_of_orderness_ms: 0,
        clock_rules: crate::ClockRules::default(),
        topic: "events".into(),
        sip_hash_key: [0; 16],
        record_placement: RecordPlacementRules::SINGLE_PARTITION,
    };
    let fence_token = FenceToken { partition: 3, epoch: 1 };
    let clock = ClockReading { monotonic_now: Duration::ZERO, wall_now_ms: 0 };
    Box::new(OwnedPartition::new_without_checkpoints(job.new_shard(), fence_token, None, clock))
}

fn sample_snapshot() -> ActiveSnapshot {
    ActiveSnapshot {
        row_numbering_fingerprints: Vec::new(),
        rows_before_numbering: Vec::new(),
        snapshot_purpose: SnapshotPurpose::Checkpoint,
        base_or_delta: BaseOrDelta::Base,
        flush_ticket: FlushTicket(0),
        cut_offset: 7,
        cut_leader_epoch: None,
        shard_metadata: sample_owned_partition().shard.snapshot_metadata(),
        event_time_limit: None,
        cut_at_ms: 0,
        cut_at: Duration::ZERO,
        unsent_bytes: Vec::new(),
        stage: SnapshotStage::Saving,
    }
}

fn sample_phase(name: PhaseName) -> PartitionPhase {
    let reason = OpenReason::NewAssignment;
    match name {
        PhaseName::Assigned => PartitionPhase::Assigned { reason },
        PhaseName::Opening => {
            PartitionPhase::Opening { reason, opening: PartitionOpening::without_thread(), restored: None }
        }
        PhaseName::Claiming => {
            PartitionPhase::Claiming { reason, opening: PartitionOpening::without_thread(), start_offset: None }
        }
        PhaseName::Running => PartitionPhase::Running(sample_owned_partition()),
        PhaseName::Snapshotting => PartitionPhase::Snapshotting(sample_owned_partition(), sample_snapshot()),
        PhaseName::Draining => PartitionPhase::Draining(sample_owned_partition(), PartitionDrain::default()),
        PhaseName::Released => PartitionPhase::Released,
        PhaseName::Fenced => PartitionPhase::Fenced { since: Duration::ZERO },
        PhaseName::Parked => PartitionPhase::Parked { retry_at: Duration::ZERO },
    }
}

fn tracked_partition_in(phase: PartitionPhase) -> TrackedPartition {
    TrackedPartition { phase, ..TrackedPartition::new_assigned(3, Duration::ZERO) }
}

#[test]
fn of_all_pairs_of_phases_exactly_the_legal_ones_are_entered() {
    let now = Duration::from_secs(5);
    for from in ALL_PHASES {
        for to in ALL_PHASES {
            let mut tracked = tracked_partition_in(sample_phase(from));
            let outcome = tracked.transition(to, now, |_| (sample_phase(to), ()));
            if LEGAL_TRANSITIONS.contains(&(from, to)) {
                assert_eq!(
                    (outcome, tracked.phase.name(), tracked.phase_entered_at),
                    (Ok(()), to, now),
                    "{from} to {to}"
                );
            } else {
                assert_eq!(outcome, Err(IllegalTransition { partition: 3, from, to }), "{from} to {to}");
                assert_eq!((tracked.phase.name(), tracked.phase_entered_at), (from, Duration::ZERO), "{from} to {to}");
            }
        }
    }
}

#[test]
fn the_diagram_in_architecture_md_shows_the_legal_transitions() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).expect("ARCHITECTURE.md can be read");
    let drawn: BTreeSet<(String, String)> = text
        .lines()
        .skip_while(|line| !line.starts_with("stateDiagram-v2"))
        .take_while(|line| !line.starts_with("```"))
        .filter_map(|line| line.split(':').next()?.split_once("-->"))
        .map(|(from, to)| (from.trim().to_owned(), to.trim().to_owned()))
        .collect();
    let mut legal: BTreeSet<(String, String)> =
        LEGAL_TRANSITIONS.iter().map(|(from, to)| (from.to_string(), to.to_string())).collect();
    legal.insert(("[*]".to_owned(), PhaseName::Assigned.to_string()));
    legal.insert((PhaseName::Released.to_string(), "[*]".to_owned()));
    assert_eq!(drawn, legal);
}

#[test]
fn an_illegal_transition_halts_the_worker() {
    let mut tracked = tracked_partition_in(PartitionPhase::Released);
    let illegal = tracked.start_draining(DrainGoal::Release, Duration::ZERO).expect_err("nothing follows");
    let halt = ErrorChain(&Halt::from(illegal)).to_string();
    assert!(halt.contains("partition 3 cannot change from phase released to phase draining"), "{halt}");
}

#[test]
fn a_snapshot_goes_on_while_its_partition_is_drained() {
    let mut tracked = tracked_partition_in(PartitionPhase::Running(sample_owned_partition()));
    let now = Duration::ZERO;
    tracked.start_snapshot(sample_snapshot(), now).expect("running");
    assert!(tracked.has_snapshot_in_stage(SnapshotStage::Saving) && tracked.running_partition_mut().is_some());
    tracked.start_draining(DrainGoal::Release, now).expect("snapshotting");
    assert!(tracked.has_snapshot_in_stage(SnapshotStage::Saving) && tracked.running_partition_mut().is_none());
    assert_eq!(tracked.end_snapshot(now).expect("draining").map(|ended| ended.cut_offset), Some(7));
    assert_eq!(tracked.phase.name(), PhaseName::Draining);
    assert!(tracked.release(now).expect("draining").is_some());
}

#[test]
fn a_partition_that_is_fenced_again_keeps_the_offset_that_can_be_confirmed() {
    let mut tracked = tracked_partition_in(PartitionPhase::Running(sample_owned_partition()));
    let now = Duration::ZERO;
    tracked.mark_fenced(Some(40), now).expect("running");
    tracked.assign_again(OpenReason::Restart, now).expect("fenced");
    tracked.start_opening(PartitionOpening::without_thread(), now).expect("assigned");
    tracked.start_claiming(None, now).expect("opening");
    tracked.mark_fenced(None, now).expect("claiming");
    assert_eq!((tracked.repeated_fencing.fence_count, tracked.repeated_fencing.ownership_check_offset), (2, Some(40)));
}

/// A partition that has completed a checkpoint begins with the shortest delay if it is parked later.
#[test]
fn a_parked_partition_is_opened_again_after_growing_delays() {
    let seconds = Duration::from_secs;
    let mut tracked = tracked_partition_in(PartitionPhase::Running(sample_owned_partition()));
    let mut delays = Vec::new();
    for _ in 0..8 {
        delays.push(tracked.park(seconds(7)).expect("running or opening"));
        tracked.assign_again(OpenReason::Restart, seconds(9)).expect("parked");
        tracked.start_opening(PartitionOpening::without_thread(), seconds(9)).expect("assigned");
    }
    assert_eq!(delays, [5, 10, 20, 40, 80, 160, 300, 300].map(seconds));
    tracked.start_claiming(None, seconds(9)).expect("opening");
    tracked.start_running(*sample_owned_partition(), seconds(9)).expect("claiming");
    tracked.reset_park_delay();
    assert_eq!(tracked.park(seconds(10)), Ok(seconds(5)));
    assert!(matches!(tracked.phase, PartitionPhase::Parked { retry_at } if retry_at == seconds(15)), "{tracked:?}");
}
