//! The newest checkpoints, restores, chart marks, late events and dead letters of all workers, for the report.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windrow_engine::{
    CheckpointRecord, CheckpointState, DeadLetterRecord, InputProblem, InputProblemKind, LateEventRecord,
    MissingRowsRecord, RestoreRecord, TimelineMarkKind, TruncatedBytes, WorkerMetrics,
};
use windrow_web::report::{
    ChartMark, CheckpointReport, CheckpointStatus, DeadLetterReport, InputProblemReport, LateEventReport,
    MissingRowsReport, RecordExcerpt, ReportedProblemKind, RestoreReport,
};

use crate::number_conversions::whole_milliseconds;

/// The largest number of entries in each list of the report.
const MAX_EVENTS_PER_LIST: usize = 50;

/// Merges the lists that `list` returns for the workers into one list, newest first. Omits the oldest entries if the
/// list would have more than `MAX_EVENTS_PER_LIST` entries.
fn merge_newest<T>(
    workers: &[Arc<WorkerMetrics>],
    list: impl Fn(&WorkerMetrics) -> Vec<T>,
    at_ms: impl Fn(&T) -> i64,
) -> Vec<T> {
    let mut all: Vec<T> = workers.iter().flat_map(|worker| list(worker)).collect();
    all.sort_by_key(|item| Reverse(at_ms(item)));
    all.truncate(MAX_EVENTS_PER_LIST);
    all
}

pub(super) fn recent_checkpoints(workers: &[Arc<WorkerMetrics>]) -> Vec<CheckpointReport> {
    let events =
        merge_newest(workers, |worker| worker.checkpoint_metrics.recent_checkpoints(), |event| event.started_at_ms);
    events.into_iter().map(build_checkpoint_report).collect()
}

fn build_checkpoint_report(event: CheckpointRecord) -> CheckpointReport {
    let mut report = CheckpointReport {
        partition: event.partition,
        epoch: event.epoch,
        checkpoint_number: event.checkpoint_number.unwrap_or(0),
        savepoint_id: event.savepoint_id,
        status: CheckpointStatus::InProgress,
        began_at_ms: event.started_at_ms,
        ended_at_ms: event.ended_at_ms,
        offset: event.offset,
        added_bytes: 0,
        all_layers_bytes: 0,
        failure: None,
        location: event.store_place,
    };
    match event.state {
        CheckpointState::InProgress => {}
        CheckpointState::Complete { added_bytes, state_bytes } => {
            report.status = CheckpointStatus::Completed;
            (report.added_bytes, report.all_layers_bytes) = (added_bytes, state_bytes);
        }
        CheckpointState::Failed(reason) => {
            report.status = CheckpointStatus::Failed;
            report.failure = Some(reason);
        }
    }
    report
}

pub(super) fn recent_restores(workers: &[Arc<WorkerMetrics>]) -> Vec<RestoreReport> {
    let report = |event: RestoreRecord| RestoreReport {
        partition: event.partition,
        checkpoint_epoch: event.restored_checkpoint_id.epoch,
        checkpoint_number: event.restored_checkpoint_id.checkpoint_number,
        restored_at_ms: event.restored_at_ms,
        restore_duration_ms: whole_milliseconds(event.restore_duration),
        origin_savepoint_location: event.origin_savepoint_place,
        resume_offset: event.start_offset,
    };
    let events =
        merge_newest(workers, |worker| worker.checkpoint_metrics.recent_restores(), |event| event.restored_at_ms);
    events.into_iter().map(report).collect()
}

/// Returns the rows that Redis has lost and that no worker can write again, newest first.
pub(super) fn missing_rows(workers: &[Arc<WorkerMetrics>]) -> Vec<MissingRowsReport> {
    let report = |MissingRowsRecord { noticed_at_ms, missing_rows }: MissingRowsRecord| MissingRowsReport {
        noticed_at_ms,
        partition: missing_rows.partition,
        view_name: missing_rows.view_name.clone(),
        row_count: missing_rows.row_count(),
        description: missing_rows.to_string(),
    };
    let records = merge_newest(workers, |worker| worker.missing_rows.recent_records(), |record| record.noticed_at_ms);
    records.into_iter().map(report).collect()
}

/// Returns the chart marks of all workers, newest first. The last element is `started`, the mark for the start of this
/// process.
pub(super) fn recent_chart_marks(workers: &[Arc<WorkerMetrics>], started: ChartMark) -> Vec<ChartMark> {
    let mut savepoints = BTreeSet::new();
    let mut marks = Vec::new();
    for mark in merge_newest(workers, |worker| worker.recent_events.timeline_marks(), |mark| mark.marked_at_ms) {
        // The worker of each partition adds a mark for the same savepoint. The chart shows only the newest of these
        // marks.
        if mark.kind == TimelineMarkKind::Savepoint && !savepoints.insert(mark.label.clone()) {
            continue;
        }
        let kind = match mark.kind {
            TimelineMarkKind::Assigned => "assigned",
            TimelineMarkKind::Revoked => "revoked",
            TimelineMarkKind::Savepoint => "savepoint",
            TimelineMarkKind::CheckpointFailed => "checkpoint_failed",
        };
        marks.push(ChartMark { occurred_at_ms: mark.marked_at_ms, mark_kind: kind.to_owned(), mark_label: mark.label });
    }
    marks.push(started);
    marks
}

pub(super) fn recent_late_events(workers: &[Arc<WorkerMetrics>], views: &[String]) -> Vec<LateEventReport> {
    let report = |event: LateEventRecord| LateEventReport {
        processed_at_ms: event.processed_at_ms,
        late_for_views: event.late_views.iter().filter_map(|view| views.get(view.0)).cloned().collect(),
        entity_key: event.entity_key,
        event_time_ms: event.event_time_ms,
        watermark_ms: event.watermark_ms,
        partition: event.partition,
        offset: event.offset,
        record_excerpt: build_record_excerpt(&event.record_payload),
    };
    let events = merge_newest(workers, |worker| worker.recent_events.late_events(), |event| event.processed_at_ms);
    events.into_iter().map(report).collect()
}

/// Returns the newest input problem of each kind, for overflows of each feature, over all workers.
pub(super) fn recent_input_problems(workers: &[Arc<WorkerMetrics>]) -> Vec<InputProblemReport> {
    let mut newest_by_kind = BTreeMap::new();
    for problem in workers.iter().flat_map(|worker| worker.recent_events.input_problems()) {
        let newest = newest_by_kind.entry(problem.kind).or_insert_with(|| problem.clone());
        if problem.found_at_ms > newest.found_at_ms {
            *newest = problem;
        }
    }
    let report = |problem: InputProblem| InputProblemReport {
        found_at_ms: problem.found_at_ms,
        problem_kind: match problem.kind {
            InputProblemKind::MisplacedRecord => ReportedProblemKind::MisplacedRecord,
            InputProblemKind::MisreadEventTime => ReportedProblemKind::MisreadEventTime,
            InputProblemKind::FeatureOverflow { .. } => ReportedProblemKind::Overflow,
        },
        problem: problem.description,
        remedy: problem.remedy,
    };
    newest_by_kind.into_values().map(report).collect()
}

pub(super) fn recent_dead_letters(workers: &[Arc<WorkerMetrics>]) -> Vec<DeadLetterReport> {
    let report = |letter: DeadLetterRecord| match letter {
        DeadLetterRecord::Record { at_ms, reason, partition, offset, key, record } => DeadLetterReport {
            refused_at_ms: at_ms,
            dead_letter_kind: "record".to_owned(),
            refusal_reason: reason,
            partition: Some(partition),
            offset: Some(offset),
            record_or_redis_key: key.as_ref().map(build_record_excerpt),
            record_excerpt: record.as_ref().map(build_record_excerpt),
        },
        DeadLetterRecord::RefusedRow { at_ms, reason, key } => DeadLetterReport {
            refused_at_ms: at_ms,
            dead_letter_kind: "row".to_owned(),
            refusal_reason: reason,
            partition: None,
            offset: None,
            record_or_redis_key: Some(build_record_excerpt(&key)),
            record_excerpt: None,
        },
    };
    merge_newest(workers, |worker| worker.recent_events.dead_letters(), DeadLetterRecord::recorded_at_ms)
        .into_iter()
        .map(report)
        .collect()
}

fn build_record_excerpt(kept: &TruncatedBytes) -> RecordExcerpt {
    let length = kept.full_byte_count as u64;
    match std::str::from_utf8(&kept.kept_bytes) {
        Ok(text) => RecordExcerpt { excerpt_text: text.to_owned(), is_valid_utf8: true, full_size_bytes: length },
        // Only the first bytes of the text were kept, and the cut is within a character. So remove the incomplete
        // character.
        Err(error) if error.error_len().is_none() && kept.full_byte_count > kept.kept_bytes.len() => {
            let text = String::from_utf8_lossy(&kept.kept_bytes[..error.valid_up_to()]).into_owned();
            RecordExcerpt { excerpt_text: text, is_valid_utf8: true, full_size_bytes: length }
        }
        Err(_) => RecordExcerpt {
            excerpt_text: String::from_utf8_lossy(&kept.kept_bytes).into_owned(),
            is_valid_utf8: false,
            full_size_bytes: length,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_also_where_they_are_cut_or_no_text() {
        let of = |kept: &[u8], length| {
            build_record_excerpt(&TruncatedBytes { kept_bytes: kept.to_vec(), full_byte_count: length })
        };
        assert_eq!(
            of("한".as_bytes(), 3),
            RecordExcerpt { excerpt_text: "한".to_owned(), is_valid_utf8: true, full_size_bytes: 3 }
        );
        assert_eq!(
            of(&"a한".as_bytes()[..2], 900),
            RecordExcerpt { excerpt_text: "a".to_owned(), is_valid_utf8: true, full_size_bytes: 900 }
        );
        assert_eq!(
            of(b"a\xff", 2),
            RecordExcerpt { excerpt_text: "a\u{fffd}".to_owned(), is_valid_utf8: false, full_size_bytes: 2 }
        );
        assert_eq!(
            of(&"a한".as_bytes()[..2], 2),
            RecordExcerpt { excerpt_text: "a\u{fffd}".to_owned(), is_valid_utf8: false, full_size_bytes: 2 }
        );
    }
}
