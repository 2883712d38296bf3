//! Spans and windows as people say them.

use windrow_core::WindowKind;

/// `1 h 30 min`, `10 min`, `12 s`, `300 ms`; at most two units.
pub(crate) fn format_time_span(ms: i64) -> String {
    const UNITS: [(i64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    let ms = ms.max(0);
    let Some(first) = UNITS.iter().position(|(unit, _)| ms >= *unit) else { return "0 s".to_owned() };
    let (unit, name) = UNITS[first];
    let whole = format!("{} {name}", ms / unit);
    // Milliseconds say nothing beside seconds.
    match UNITS.get(first + 1).filter(|(smaller, _)| *smaller > 1 && ms % unit >= *smaller) {
        Some((smaller, smaller_name)) => format!("{whole} {} {smaller_name}", ms % unit / smaller),
        None => whole,
    }
}

pub(crate) fn format_window(window: WindowKind) -> String {
    match window {
        WindowKind::Sliding { size_ms, slide_ms } if size_ms == slide_ms => {
            format!("tumbling {}", format_time_span(size_ms))
        }
        WindowKind::Sliding { size_ms, slide_ms } => {
            format!("sliding {} every {}", format_time_span(size_ms), format_time_span(slide_ms))
        }
        WindowKind::Session { gap_ms } => format!("session, gap {}", format_time_span(gap_ms)),
    }
}

pub(crate) fn format_count(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_shortly() {
        for (ms, said) in [
            (0, "0 s"),
            (300, "300 ms"),
            (12_345, "12 s"),
            (90_000, "1 min 30 s"),
            (600_000, "10 min"),
            (3_600_000, "1 h"),
        ] {
            assert_eq!(format_time_span(ms), said);
        }
    }
}
