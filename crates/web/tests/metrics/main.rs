//! `/metrics`: golden outputs, completeness, the documentation, and the route.
//!
//! `deploy/monitoring/check.sh` runs `promtool check metrics` over the golden outputs.

mod complete;
mod documented;
mod reports;
mod route;

use windrow_spec::Pipeline;
use windrow_web::InstanceReport;

fn shipped_pipeline() -> Pipeline {
    windrow_spec::parse("ecommerce.toml", windrow_spec::SHIPPED_PIPELINE, &[]).expect("the shipped pipeline is valid")
}

fn render_report(report: &InstanceReport) -> String {
    windrow_web::metrics::render_metrics(report, &shipped_pipeline()).expect("every report can be written")
}

#[test]
fn a_report_with_everything_in_it() {
    insta::assert_snapshot!("full", render_report(&reports::full_report()));
}

#[test]
fn a_report_with_nothing_in_it() {
    insta::assert_snapshot!("empty", render_report(&InstanceReport::default()));
}

#[test]
fn hostile_names_stay_within_their_label() {
    let text = render_report(&reports::full_report());
    for line in text.lines() {
        let name_ends = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        assert!(
            line.starts_with("# ") || (line.starts_with("windrow_") && name_ends.is_some()),
            "a label's value began a line of its own: {line}"
        );
    }
    assert!(text.contains(r#"host="rack\"7\\a\nwindrow_dependency_up 0""#), "{text}");
    assert!(text.contains(r#"feature_view="<script>alert(1)</script>{}\" 1\n""#), "{text}");
}

#[test]
fn what_is_not_known_has_no_sample() {
    let mut report = reports::full_report();
    report.owned_partitions[0].watermark_ms = None;
    report.owned_partitions[0].lag = None;
    let text = render_report(&report);
    for name in ["windrow_partition_watermark_timestamp_seconds", "windrow_partition_lag_records"] {
        assert!(!text.contains(&format!("{name}{{partition=\"0\"}}")), "{text}");
        assert!(text.contains(&format!("{name}{{partition=\"7\"}}")), "{text}");
    }
}

#[test]
fn buckets_hold_everything_up_to_their_bound() {
    let text = render_report(&reports::full_report());
    let buckets: Vec<_> =
        text.lines().filter(|line| line.starts_with("windrow_freshness_event_time_seconds_")).collect();
    assert_eq!(
        buckets,
        [
            r#"windrow_freshness_event_time_seconds_bucket{le="0.5"} 1"#,
            r#"windrow_freshness_event_time_seconds_bucket{le="10"} 3"#,
            r#"windrow_freshness_event_time_seconds_bucket{le="60"} 3"#,
            r#"windrow_freshness_event_time_seconds_bucket{le="+Inf"} 7"#,
            "windrow_freshness_event_time_seconds_sum 321.5",
            "windrow_freshness_event_time_seconds_count 7",
        ]
    );
}

/// Metrics of a partition that is no longer owned would never change again.
#[test]
fn partitions_that_are_gone_have_no_samples() {
    let mut report = reports::full_report();
    report.owned_partitions.retain(|one| one.partition != 0);
    assert!(!render_report(&report).contains("partition=\"0\""));
}

/// Two samples with the same labels would make Prometheus refuse the whole answer.
#[test]
fn a_partition_on_its_way_between_workers_is_there_once() {
    let mut report = reports::full_report();
    let mut new = report.owned_partitions[0].clone();
    (new.epoch, new.worker_index, new.next_offset) = (new.epoch + 1, 0, Some(4_321));
    report.owned_partitions.insert(0, new);
    let text = render_report(&report);
    let of_it: Vec<_> =
        text.lines().filter(|line| line.starts_with("windrow_partition_offset{partition=\"0\"}")).collect();
    assert_eq!(of_it, ["windrow_partition_offset{partition=\"0\"} 4321"]);
    let mut series: Vec<_> = text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series).collect();
    series.retain(|series| !series.starts_with('#'));
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all);
}
