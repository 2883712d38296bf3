//! Metrics that describe the instance: version, pipeline, state, and the times of its start and its report.

use windrow_spec::Pipeline;

use super::families::{MetricFamilies, MetricSample, ms_as_seconds};
use crate::report::{InstanceReport, InstanceState};

pub(super) fn add_instance_metrics(families: &mut MetricFamilies, report: &InstanceReport, pipeline: &Pipeline) {
    families.add_gauge(
        "windrow_build_info",
        "1; the label holds the version of Windrow.",
        [MetricSample::new([("version", report.version.clone())], 1u64)],
    );
    families.add_gauge(
        "windrow_pipeline_info",
        "1; the labels hold the pipeline, its topic and its consumer group.",
        [MetricSample::new(
            [
                ("pipeline", pipeline.name.clone()),
                ("topic", pipeline.source.kafka().topic.clone()),
                ("group", pipeline.source.kafka().consumer_group.clone()),
            ],
            1u64,
        )],
    );
    families.add_gauge(
        "windrow_instance_info",
        "1; the labels hold the id of the instance, its process and the address of its pages.",
        [MetricSample::new(
            [
                ("id", report.instance_id.clone()),
                ("host", report.host.clone()),
                ("pid", report.pid.to_string()),
                ("listen", report.listen_address.clone()),
            ],
            1u64,
        )],
    );
    let states = [
        ("starting", InstanceState::Starting),
        ("running", InstanceState::Running),
        ("stopping", InstanceState::Stopping),
    ];
    families.add_gauge(
        "windrow_instance_state",
        "1 for the state of the instance, 0 for all other states.",
        states.map(|(name, state)| MetricSample::new([("state", name.to_owned())], u64::from(report.state == state))),
    );
    families.add_gauge(
        "windrow_start_timestamp_seconds",
        "When the instance started, as Unix time.",
        [ms_as_seconds(report.started_at_ms).into()],
    );
    families.add_gauge(
        "windrow_report_timestamp_seconds",
        "When the instance measured these values, as Unix time.",
        [ms_as_seconds(report.reported_at_ms).into()],
    );
}
