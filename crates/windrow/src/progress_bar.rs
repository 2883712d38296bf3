//! Progress bars on stderr. They are hidden unless stderr is a terminal.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Creates a progress bar for `length` units of work. `template` describes its appearance in the syntax of the crate
/// `indicatif`.
pub(crate) fn create_progress_bar(length: u64, template: &str) -> ProgressBar {
    create_hidden_unless_terminal(|| ProgressBar::new(length), template)
}

/// Creates a spinner for work whose amount is unknown. `template` describes its appearance in the syntax of the crate
/// `indicatif`.
pub(crate) fn create_spinner(template: &str) -> ProgressBar {
    create_hidden_unless_terminal(ProgressBar::no_length, template)
}

fn create_hidden_unless_terminal(create: impl FnOnce() -> ProgressBar, template: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => create().with_style(style),
        Err(_) => create(),
    }
}
