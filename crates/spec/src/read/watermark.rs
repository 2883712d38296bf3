//! `[watermark]`: how far the event times of a partition may be out of order.

use windrow_core::MAX_WINDOW_MS;

use crate::diagnostics::collector::DiagnosticCollector;
use crate::pipeline::WatermarkSpec;
use crate::read::duration::read_duration_ms;
use crate::read::table_reader::TableReader;

pub(super) fn read_watermark(
    root: &mut TableReader<'_>,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<WatermarkSpec> {
    let mut watermark = root.required_table("watermark", "[watermark]", mistakes)?;
    let bound = watermark.required_setting("max_out_of_orderness", "max_out_of_orderness = \"10s\"");
    let bound = bound.and_then(|setting| read_duration_ms(&setting, 0, MAX_WINDOW_MS, mistakes));
    watermark.report_unknown_and_missing_fields(mistakes);
    Some(WatermarkSpec { max_out_of_orderness_ms: bound? })
}
