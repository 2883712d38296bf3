//! `windrow check`: checks a pipeline file and prints its plan or its mistakes, or compares it with stored state.

mod against;

use std::fmt::Write;

use serde_json::json;
use windrow_core::{EmptyWindowPolicy, EpochUnit, WindowKind, pane_size_ms};
use windrow_spec::login_redaction::redact_url_credentials_and_query;
use windrow_spec::{
    EventSpec, GroupProtocol, IdleTimeoutSpec, KafkaSourceSpec, LostOffsetPolicy, PartitionFaultSetting, Pipeline,
    RejectDestination, StartPosition,
};

use crate::cli::CheckArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_count_with_noun, format_duration_ms, format_window};
use crate::pipeline_file::{self, PipelineText};
use crate::pipeline_plan::{self, condition_sql, feature_default_as_json};
use crate::process_secrets::ProcessSecrets;
use crate::{print, table};

pub(crate) fn run(args: &CheckArgs) -> Result<ExitStatus, CommandFailure> {
    let pipeline = load_or_print_mistakes(args)?;
    if let Some(location) = &args.compared_state_location {
        return against::run(args, location, &pipeline);
    }
    if args.json {
        print::write_stdout(&format!("{:#}\n", pipeline_plan::plan_as_json(&pipeline)))?;
    } else {
        print::write_stdout(&format_plan(&pipeline))?;
    }
    Ok(ExitStatus::Success)
}

/// Loads the pipeline. With `--json`, prints the mistakes also as JSON.
fn load_or_print_mistakes(args: &CheckArgs) -> Result<Pipeline, CommandFailure> {
    let (path, overrides) = (args.pipeline_args.pipeline_path.as_deref(), &args.pipeline_args.override_args.overrides);
    if !args.json {
        return pipeline_file::load(path, overrides);
    }
    let PipelineText { display_name: name, toml_text: text } = pipeline_file::read_pipeline_text(path)?;
    match windrow_spec::parse_with_secrets(&name, &text, overrides, &ProcessSecrets) {
        Ok(pipeline) => Ok(pipeline),
        Err(mistakes) => {
            let listed: Vec<_> = mistakes.iter().map(mistake_as_json).collect();
            print::write_stdout(&format!("{:#}\n", json!({ "file": name, "mistakes": listed })))?;
            Err(CommandFailure::new(ExitStatus::Pipeline, pipeline_file::render_mistakes(&mistakes)))
        }
    }
}

fn format_plan(pipeline: &Pipeline) -> String {
    let (source, schema) = (pipeline.source.kafka(), &pipeline.event.schema);
    let start = match source.start_position {
        StartPosition::Earliest => "earliest",
        StartPosition::Latest => "latest",
    };
    let declared = schema.fields()[1..].iter().map(|field| format!("{} {}", field.name, field.field_type.type_name()));
    let format_destination = |destination: &Option<RejectDestination>| match destination {
        None => "counted only".to_owned(),
        Some(RejectDestination::Topic(topic)) => format!("to topic {topic}"),
        Some(RejectDestination::File(path)) => format!("to {}", path.display()),
    };
    let lines = [
        ("pipeline", pipeline.name.clone()),
        ("source", format!("topic {} on {}", source.topic, source.brokers)),
        ("", format!("group {}; starts at {start} without a checkpoint", source.consumer_group)),
        ("", format_group_and_fault_settings(source)),
        (
            "event",
            format!("entity key {}, event time {}", schema.entity_key_name(), describe_event_time(&pipeline.event)),
        ),
        ("", declared.collect::<Vec<_>>().join(", ")),
        ("", format_note_about_dotted_names(pipeline)),
        (
            "watermark",
            format!("{} behind the latest event", format_duration_ms(pipeline.watermark.max_out_of_orderness_ms)),
        ),
        ("", describe_idle_timeout(pipeline.watermark.idle_timeout)),
        ("", describe_max_future(pipeline.watermark.future_limit.max_future_ms())),
        (
            "checkpoint",
            format!(
                "every {} in {}, {} kept",
                format_duration_ms(pipeline.checkpoint.checkpoint_interval_ms),
                pipeline.checkpoint.checkpoint_store_url,
                format_count_with_noun(pipeline.checkpoint.kept_generation_count as u64, "generation")
            ),
        ),
        ("sink", format!("Redis at {}", redact_url_credentials_and_query(&pipeline.sink.redis().redis_url))),
        ("dead letters", format_destination(&pipeline.dead_letters)),
        ("late events", format_destination(&pipeline.late_events)),
        ("tests", format_test_count(pipeline)),
    ];
    let mut out = String::new();
    for (name, what) in lines.iter().filter(|(_, what)| !what.is_empty()) {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{name:<13} {what}");
    }
    for (view, redis) in pipeline.views_with_redis_specs() {
        let _ = writeln!(out, "\nfeature view {}", view.name);
        let _ = writeln!(out, "{:<13} {}", "  window", format_window_with_panes(view.window));
        if view.allowed_lateness_ms > 0 {
            let _ = writeln!(out, "{:<13} {}", "  lateness", format_duration_ms(view.allowed_lateness_ms));
        }
        match view.empty_window_policy {
            EmptyWindowPolicy::KeepRow => {}
            EmptyWindowPolicy::WriteZeros => out.push_str("  when empty  zeros are written\n"),
            EmptyWindowPolicy::DeleteRow => out.push_str("  when empty  the row is deleted\n"),
        }
        let _ = writeln!(out, "{:<13} {}", "  key", redis.key_template);
        let _ = writeln!(out, "{:<13} {}", "  ttl", format_duration_ms(redis.ttl_ms));
        let mut features = table::create_borderless_table(["  feature", "aggregate", "where", "default"]);
        for feature in &view.features {
            features.add_row([
                format!("  {}", feature.name),
                feature.aggregate.format_aggregate_as_sql(schema),
                condition_sql(feature, schema).unwrap_or_default(),
                feature_default_as_json(feature).map(|value| value.to_string()).unwrap_or_default(),
            ]);
        }
        let _ = writeln!(out, "{features}");
    }
    out
}

fn format_test_count(pipeline: &Pipeline) -> String {
    match pipeline.tests.len() {
        0 => String::new(),
        count => format!("{count}; windrow test runs them"),
    }
}

/// Returns a note if a member of the event has a dot in its name, because the dot may be meant as a path.
fn format_note_about_dotted_names(pipeline: &Pipeline) -> String {
    let fields = pipeline.event.schema.fields().iter().map(|field| &*field.name);
    let dotted: Vec<String> = fields
        .chain([&*pipeline.event.time_field])
        .filter(|name| name.contains('.'))
        .map(|name| format!("`{name}`"))
        .collect();
    match dotted.as_slice() {
        [] => String::new(),
        [name] => format!("{name} is one member whose name contains a dot, not a path into an object"),
        names => format!("{} are members whose names contain dots, not paths into objects", names.join(", ")),
    }
}

fn format_group_and_fault_settings(source: &KafkaSourceSpec) -> String {
    let protocol = match source.group_protocol {
        GroupProtocol::Classic { session_timeout_ms } => {
            format!("session timeout {}", format_duration_ms(session_timeout_ms))
        }
        GroupProtocol::Consumer => "group protocol consumer, session timeout of the broker".to_owned(),
    };
    let fault = match source.partition_fault_setting {
        PartitionFaultSetting::Park => "park it",
        PartitionFaultSetting::Halt => "halt",
    };
    let lost = match source.lost_offset_policy {
        LostOffsetPolicy::Halt => fault,
        LostOffsetPolicy::Earliest => "continue at the earliest",
    };
    format!("{protocol}; on a fault of one partition: {fault}; on a lost offset: {lost}")
}

fn format_window_with_panes(window: WindowKind) -> String {
    match window {
        WindowKind::Sliding { size_ms, slide_ms } => {
            let pane_ms = pane_size_ms(size_ms, slide_ms);
            format!(
                "{}, {} of {} per user",
                format_window(window),
                format_count_with_noun(size_ms.unsigned_abs() / pane_ms.unsigned_abs(), "pane"),
                format_duration_ms(pane_ms)
            )
        }
        WindowKind::Session { .. } => format_window(window),
    }
}

fn mistake_as_json(mistake: &windrow_spec::Diagnostic) -> serde_json::Value {
    let place = match &mistake.place {
        windrow_spec::DiagnosticPlace::File { line, column } => json!({ "line": line, "column": column }),
        windrow_spec::DiagnosticPlace::Override { path } => json!({ "set": path }),
    };
    json!({
        "code": mistake.code.as_str(),
        "message": mistake.message,
        "place": place,
        "expected": mistake.expected,
        "hint": mistake.hint,
    })
}

fn describe_event_time(event: &EventSpec) -> String {
    let unit = match event.time_number_unit {
        None | Some(EpochUnit::Milliseconds) => String::new(),
        Some(unit) => format!(" in {}", unit.noun()),
    };
    let format = event.time_text_format.as_ref().map(|format| format!(" as {format:?}")).unwrap_or_default();
    format!("{}{unit}{format} (time zone: {})", event.time_field, event.time_zone_name())
}

fn describe_idle_timeout(idle_timeout: IdleTimeoutSpec) -> String {
    match idle_timeout {
        IdleTimeoutSpec::Off => "follows events alone; windows of an idle partition stay open".to_owned(),
        IdleTimeoutSpec::AllPartitions { timeout_ms } => {
            format!("follows the wall clock after {} without a record", format_duration_ms(timeout_ms))
        }
        IdleTimeoutSpec::LivePartitions { timeout_ms } => format!(
            "follows the wall clock after {} without a record, unless events are more than a day old",
            format_duration_ms(timeout_ms)
        ),
    }
}

fn describe_max_future(max_future_ms: Option<i64>) -> String {
    match max_future_ms {
        None => "accepts events of any time".to_owned(),
        Some(ms) => format!("refuses events more than {} later than the wall clock", format_duration_ms(ms)),
    }
}
