//! Progress bars on stderr; hidden unless stderr is a terminal.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Creates a bar of `length`, drawn by `template`.
pub(crate) fn create_progress_bar(length: u64, template: &str) -> ProgressBar {
    show_on_terminal(|| ProgressBar::new(length), template)
}

/// Creates a display of progress towards an unknown end, drawn by `template`.
pub(crate) fn create_spinner(template: &str) -> ProgressBar {
    show_on_terminal(ProgressBar::no_length, template)
}

fn show_on_terminal(create: impl FnOnce() -> ProgressBar, template: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => create().with_style(style),
        Err(_) => create(),
    }
}
