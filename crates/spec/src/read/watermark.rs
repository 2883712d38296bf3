//! `[watermark]`: how far the event times of a partition may be out of order, and what the wall clock decides.

use windrow_core::MAX_WINDOW_MS;

use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::{FutureLimitSpec, IdleTimeoutSpec, WatermarkSpec};
use crate::read::duration::DurationRange;
use crate::read::duration_or_word::DurationOrWord;
use crate::read::section::{SectionDefinition, SettingDefinition};
use crate::read::table_reader::TableReader;

/// The shortest idle timeout. A partition is idle only after the broker has answered, which takes part of a second.
const MIN_IDLE_TIMEOUT_MS: i64 = 1_000;
const AUTO_IDLE_TIMEOUT_MS: i64 = 30_000;
const DEFAULT_MAX_FUTURE_MS: i64 = 3_600_000;

pub(super) static WATERMARK: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "watermark",
    "[watermark]",
    &SectionDefinition {
        expected: "a table: `[watermark]`",
        alternatives: &[],
        settings: &[&MAX_OUT_OF_ORDERNESS, &IDLE_TIMEOUT, &MAX_FUTURE],
    },
    "How far the event times of a partition may be out of order, and what the wall clock decides.",
);
static MAX_OUT_OF_ORDERNESS: SettingDefinition<DurationRange> = SettingDefinition::required(
    "max_out_of_orderness",
    "max_out_of_orderness = \"10s\"",
    DurationRange::required(0, MAX_WINDOW_MS),
    "How much older than the latest event an event may be without being late. Windows fire that much later.",
);
static IDLE_TIMEOUT: SettingDefinition<DurationOrWord<IdleTimeoutSpec>> = SettingDefinition::optional(
    "idle_timeout",
    DurationOrWord {
        range: DurationRange {
            min_ms: MIN_IDLE_TIMEOUT_MS,
            max_ms: MAX_WINDOW_MS,
            default_ms: None,
            other_values: ", \"auto\" or \"off\"",
        },
        words: &[
            ("auto", IdleTimeoutSpec::LivePartitions { timeout_ms: AUTO_IDLE_TIMEOUT_MS }),
            ("off", IdleTimeoutSpec::Off),
        ],
        default_word: Some("auto"),
        meaning_of_duration: |timeout_ms| IdleTimeoutSpec::AllPartitions { timeout_ms },
    },
    "A partition that was read to its end is idle after this time without a record. Then its watermark follows the wall \
     clock, and its windows fire without a next event. With \"auto\", the time is 30 s, and partitions whose events are more \
     than a day old are never idle.",
);
static MAX_FUTURE: SettingDefinition<DurationOrWord<FutureLimitSpec>> = SettingDefinition::optional(
    "max_future",
    DurationOrWord {
        range: DurationRange {
            min_ms: 0,
            max_ms: MAX_WINDOW_MS,
            default_ms: Some(DEFAULT_MAX_FUTURE_MS),
            other_values: ", or \"off\"",
        },
        words: &[("off", FutureLimitSpec::Off)],
        default_word: None,
        meaning_of_duration: |max_future_ms| FutureLimitSpec::Within { max_future_ms },
    },
    "How much later than the wall clock the time of an event may be. A later event is a dead letter.",
);

pub(super) fn read_watermark(
    root: &mut TableReader<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<WatermarkSpec> {
    let mut watermark = root.read_setting(&WATERMARK, mistakes)?;
    let bound = watermark.read_setting(&MAX_OUT_OF_ORDERNESS, mistakes);
    let idle_timeout = watermark.read_setting(&IDLE_TIMEOUT, mistakes);
    let future_limit = watermark.read_setting(&MAX_FUTURE, mistakes);
    watermark.report_unknown_and_missing_fields(mistakes);
    Some(WatermarkSpec { max_out_of_orderness_ms: bound?, idle_timeout: idle_timeout?, future_limit: future_limit? })
}
