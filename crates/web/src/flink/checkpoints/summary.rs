//! Renders the distribution of numbers under Flink's names (`min`, `max`, `avg`, `p50`, …).

use serde_json::{Value, json};

/// Renders the minimum, maximum, mean and quantiles of `values`. Without values, each of these numbers is 0.
pub(crate) fn render_distribution(values: &[u64]) -> Value {
    let mut values = values.to_vec();
    values.sort_unstable();
    let avg = values.iter().map(|value| u128::from(*value)).sum::<u128>() / values.len().max(1) as u128;
    json!({
        "min": values.first().copied().unwrap_or_default(),
        "max": values.last().copied().unwrap_or_default(),
        "avg": u64::try_from(avg).unwrap_or(u64::MAX),
        "p50": interpolate_quantile(&values, 0.5),
        "p90": interpolate_quantile(&values, 0.9),
        "p95": interpolate_quantile(&values, 0.95),
        "p99": interpolate_quantile(&values, 0.99),
        "p999": interpolate_quantile(&values, 0.999),
    })
}

/// Returns the quantile `share` of the values `sorted`, interpolated linearly between neighbours. The share 0.5 is the
/// median.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index in bounds")]
fn interpolate_quantile(sorted: &[u64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let position = share * last as f64;
    let below = position.floor() as usize;
    let (low, high) = (sorted[below] as f64, sorted[(below + 1).min(last)] as f64);
    low + (high - low) * (position - position.floor())
}
