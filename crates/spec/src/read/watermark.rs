//! `[watermark]`: how event time moves on.

use windrow_core::MAX_WINDOW_MS;

use super::{Fields, duration};
use crate::{Watermark, diagnostics::Mistakes};

pub(super) fn read(root: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> Option<Watermark> {
    let mut watermark = root.required_table("watermark", "[watermark]", mistakes)?;
    let bound = watermark.required("max_out_of_orderness", "max_out_of_orderness = \"10s\"");
    let bound = bound.and_then(|setting| duration::read(&setting, 0, MAX_WINDOW_MS, mistakes));
    watermark.finish(mistakes);
    Some(Watermark { max_out_of_orderness_ms: bound? })
}
