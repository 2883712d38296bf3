//! The newest of what happens one by one, over all workers.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use windrow_engine::{
    CheckpointEvent, CheckpointState, Kept, LateEvent, MarkKind, RestoredEvent, Unfit, WorkerMetrics,
};
use windrow_web::report::{
    Bytes, CheckpointReport, CheckpointStatus, DeadLetterReport, LateEventReport, Mark, RestoredReport,
};

use super::millis;

/// How many of each are shown.
const SHOWN: usize = 50;

/// The newest of all workers' lists, newest first.
fn newest<T>(
    workers: &[Arc<WorkerMetrics>],
    list: impl Fn(&WorkerMetrics) -> Vec<T>,
    at_ms: impl Fn(&T) -> i64,
) -> Vec<T> {
    let mut all: Vec<T> = workers.iter().flat_map(|worker| list(worker)).collect();
    all.sort_by_key(|item| Reverse(at_ms(item)));
    all.truncate(SHOWN);
    all
}

pub(super) fn checkpoints(workers: &[Arc<WorkerMetrics>]) -> Vec<CheckpointReport> {
    let events = newest(workers, |worker| worker.checkpoints.events(), |event| event.began_at_ms);
    events.into_iter().map(checkpoint).collect()
}

fn checkpoint(event: CheckpointEvent) -> CheckpointReport {
    let (status, bytes, failure) = match event.state {
        CheckpointState::UnderWay => (CheckpointStatus::InProgress, (0, 0), None),
        CheckpointState::Complete { added_bytes, state_bytes } => {
            (CheckpointStatus::Completed, (added_bytes, state_bytes), None)
        }
        CheckpointState::Failed(reason) => (CheckpointStatus::Failed, (0, 0), Some(reason)),
    };
    CheckpointReport {
        partition: event.partition,
        epoch: event.epoch,
        number: event.number.unwrap_or(0),
        savepoint: event.savepoint,
        status,
        began_at_ms: event.began_at_ms,
        ended_at_ms: event.ended_at_ms,
        offset: event.offset,
        added_bytes: bytes.0,
        state_bytes: bytes.1,
        failure,
        place: event.place,
    }
}

pub(super) fn restored(workers: &[Arc<WorkerMetrics>]) -> Vec<RestoredReport> {
    let report = |event: RestoredEvent| RestoredReport {
        partition: event.partition,
        epoch: event.id.epoch,
        number: event.id.number,
        at_ms: event.at_ms,
        took_ms: millis(event.took),
        savepoint: event.from,
        offset: event.offset,
    };
    let events = newest(workers, |worker| worker.checkpoints.restored_lately(), |event| event.at_ms);
    events.into_iter().map(report).collect()
}

/// Marks of all workers, and `started`.
pub(super) fn marks(workers: &[Arc<WorkerMetrics>], started: Mark) -> Vec<Mark> {
    let mut savepoints = BTreeSet::new();
    let mut marks = Vec::new();
    for mark in newest(workers, |worker| worker.notes.marks(), |mark| mark.at_ms) {
        // Every partition is saved by itself: the last of them stands for all.
        if mark.kind == MarkKind::Savepoint && !savepoints.insert(mark.text.clone()) {
            continue;
        }
        let kind = match mark.kind {
            MarkKind::Assigned => "assigned",
            MarkKind::Revoked => "revoked",
            MarkKind::Savepoint => "savepoint",
            MarkKind::CheckpointFailed => "checkpoint_failed",
        };
        marks.push(Mark { at_ms: mark.at_ms, kind: kind.to_owned(), text: mark.text });
    }
    marks.push(started);
    marks
}

pub(super) fn late_events(workers: &[Arc<WorkerMetrics>], views: &[String]) -> Vec<LateEventReport> {
    let report = |event: LateEvent| LateEventReport {
        at_ms: event.at_ms,
        feature_views: event.views.iter().filter_map(|view| views.get(view.0)).cloned().collect(),
        key: event.key,
        event_time_ms: event.event_time_ms,
        watermark_ms: event.watermark_ms,
        partition: event.partition,
        offset: event.offset,
        record: bytes(&event.record),
    };
    let events = newest(workers, |worker| worker.notes.late_events(), |event| event.at_ms);
    events.into_iter().map(report).collect()
}

pub(super) fn dead_letters(workers: &[Arc<WorkerMetrics>]) -> Vec<DeadLetterReport> {
    let report = |letter: Unfit| match letter {
        Unfit::Record { at_ms, reason, partition, offset, key, record } => DeadLetterReport {
            at_ms,
            kind: "record".to_owned(),
            reason,
            partition: Some(partition),
            offset: Some(offset),
            key: key.as_ref().map(bytes),
            record: record.as_ref().map(bytes),
        },
        Unfit::Row { at_ms, reason, key } => DeadLetterReport {
            at_ms,
            kind: "row".to_owned(),
            reason,
            partition: None,
            offset: None,
            key: Some(bytes(&key)),
            record: None,
        },
    };
    newest(workers, |worker| worker.notes.dead_letters(), Unfit::at_ms).into_iter().map(report).collect()
}

fn bytes(kept: &Kept) -> Bytes {
    let length = kept.length as u64;
    match std::str::from_utf8(&kept.bytes) {
        Ok(text) => Bytes { text: text.to_owned(), utf8: true, bytes: length },
        // Cut in the middle of a character.
        Err(error) if error.error_len().is_none() && kept.length > kept.bytes.len() => {
            let text = String::from_utf8_lossy(&kept.bytes[..error.valid_up_to()]).into_owned();
            Bytes { text, utf8: true, bytes: length }
        }
        Err(_) => Bytes { text: String::from_utf8_lossy(&kept.bytes).into_owned(), utf8: false, bytes: length },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_also_where_they_are_cut_or_no_text() {
        let of = |kept: &[u8], length| bytes(&Kept { bytes: kept.to_vec(), length });
        assert_eq!(of("한".as_bytes(), 3), Bytes { text: "한".to_owned(), utf8: true, bytes: 3 });
        assert_eq!(of(&"a한".as_bytes()[..2], 900), Bytes { text: "a".to_owned(), utf8: true, bytes: 900 });
        assert_eq!(of(b"a\xff", 2), Bytes { text: "a\u{fffd}".to_owned(), utf8: false, bytes: 2 });
        assert_eq!(of(&"a한".as_bytes()[..2], 2), Bytes { text: "a\u{fffd}".to_owned(), utf8: false, bytes: 2 });
    }
}
