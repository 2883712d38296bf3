//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets};

/// An empty table with this head, as wide as it needs to be and no wider than the terminal.
pub(crate) fn with_head<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head);
    table
}
