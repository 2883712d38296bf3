//! Windows, ages and counts as pages show them.

use std::time::Duration;

use windrow_core::WindowKind;
use windrow_core::text::format_duration;

/// Returns an age, from one second on in whole seconds: `12 s`, `1 min 30 s`.
pub(crate) fn format_age(age_ms: u64) -> String {
    let whole_ms = if age_ms < 1_000 { age_ms } else { age_ms / 1_000 * 1_000 };
    format_duration(Duration::from_millis(whole_ms))
}

/// Returns a window in words, such as `sliding 1 h every 10 min`.
pub(crate) fn format_window(window: WindowKind) -> String {
    let span = |ms: i64| format_duration(Duration::from_millis(ms.unsigned_abs()));
    match window {
        WindowKind::Sliding { size_ms, slide_ms } if size_ms == slide_ms => format!("tumbling {}", span(size_ms)),
        WindowKind::Sliding { size_ms, slide_ms } => format!("sliding {} every {}", span(size_ms), span(slide_ms)),
        WindowKind::Session { gap_ms } => format!("session, gap {}", span(gap_ms)),
    }
}
