//! `[watermark]`: how far the event times of a partition may be out of order.

use windrow_core::MAX_WINDOW_MS;

use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::WatermarkSpec;
use crate::read::duration::DurationRange;
use crate::read::section::{SectionDefinition, SettingDefinition};
use crate::read::table_reader::TableReader;

pub(super) static WATERMARK: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "watermark",
    "[watermark]",
    &SectionDefinition { expected: "a table: `[watermark]`", alternatives: &[], settings: &[&MAX_OUT_OF_ORDERNESS] },
    "How far the event times of a partition may be out of order.",
);
static MAX_OUT_OF_ORDERNESS: SettingDefinition<DurationRange> = SettingDefinition::required(
    "max_out_of_orderness",
    "max_out_of_orderness = \"10s\"",
    DurationRange::required(0, MAX_WINDOW_MS),
    "How much older than the latest event an event may be without being late. Windows fire that much later.",
);

pub(super) fn read_watermark(
    root: &mut TableReader<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<WatermarkSpec> {
    let mut watermark = root.read_setting(&WATERMARK, mistakes)?;
    let bound = watermark.read_setting(&MAX_OUT_OF_ORDERNESS, mistakes);
    watermark.report_unknown_and_missing_fields(mistakes);
    Some(WatermarkSpec { max_out_of_orderness_ms: bound? })
}
