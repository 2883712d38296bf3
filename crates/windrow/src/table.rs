//! Tables for the terminal.

use comfy_table::{ContentArrangement, Table, presets};

/// Creates an empty table with the header `head`. The table is at most as wide as the terminal.
pub(crate) fn create_table_with_header<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head);
    table
}

/// Creates an empty table with the header `head` and without border lines, for lists within other text.
pub(crate) fn create_borderless_table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = create_table_with_header(head);
    table.load_style(presets::NOTHING);
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table
}
