//! `windrow state verify`: checks that everything in a savepoint or a job's folder can be used.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use windrow_engine::checkpoint::UnusableObject;
use windrow_engine::checkpoint::inspect::{
    self, ComparedView, FolderKind, StateObjectReader, StoredCheckpoint, ViewCompatibility, compare_views,
};

use super::{StateFolder, store_unavailable};
use crate::cli::StateVerifyArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::format::{format_byte_size, format_plural};
use crate::state_finding::StateFinding;
use crate::{pipeline_file, print, progress_bar};

/// A checkpoint, and its objects that cannot be used.
struct CheckpointVerdict<'a> {
    found: &'a StoredCheckpoint,
    unusable: Vec<UnusableObject>,
}

impl CheckpointVerdict<'_> {
    fn code(&self) -> &'static str {
        match &*self.unusable {
            [] => "ok",
            unusable if unusable.iter().all(UnusableObject::is_newer) => "newer",
            _ => "damaged",
        }
    }
}

/// How a pipeline would use the state.
struct PipelineCompatibility {
    /// Why the state is of another pipeline or topic.
    mismatch: Option<String>,
    views: Vec<ComparedView>,
}

pub(crate) fn run(args: &StateVerifyArgs) -> Result<ExitStatus, CommandFailure> {
    let folder = StateFolder::open(&args.path, args.partition)?;
    let verdicts = verify_checkpoints(&folder)?;
    let plan = args.pipeline.as_deref().map(|path| check_compatibility(path, &folder)).transpose()?;
    let outcome = overall_outcome(&folder, &verdicts, plan.as_ref());
    if args.json {
        print::write_stdout(&format!("{:#}\n", as_json(&folder, &verdicts, plan.as_ref(), outcome.is_ok())))?;
    } else {
        print::write_stdout(&format_text(&folder, &verdicts, plan.as_ref()))?;
    }
    outcome.map(|()| ExitStatus::Success).map_err(CommandFailure::from)
}

fn verify_checkpoints(folder: &StateFolder) -> Result<Vec<CheckpointVerdict<'_>>, CommandFailure> {
    let readable = folder.found.iter().filter_map(|found| found.manifest.as_ref().ok());
    let total: u64 = readable.map(windrow_engine::checkpoint::CheckpointManifest::bytes).sum();
    let bar = progress_bar::create_progress_bar(total, "{bar:40} {binary_bytes}/{binary_total_bytes} verified {eta}");
    let mut objects = StateObjectReader::new(&*folder.store);
    let mut verdicts = Vec::with_capacity(folder.found.len());
    for found in &folder.found {
        let unusable = match &found.manifest {
            Err(reason) => vec![reason.clone()],
            Ok(manifest) => objects.read(manifest, |part| bar.inc(part.bytes)).map_err(store_unavailable)?.unusable,
        };
        // A running job deletes its older checkpoints meanwhile.
        if !unusable.is_empty() && !inspect::checkpoint_exists(&*folder.store, found).map_err(store_unavailable)? {
            continue;
        }
        verdicts.push(CheckpointVerdict { found, unusable });
    }
    bar.finish_and_clear();
    Ok(verdicts)
}

fn check_compatibility(path: &Path, folder: &StateFolder) -> Result<PipelineCompatibility, CommandFailure> {
    let pipeline = pipeline_file::load(Some(path), &[])?;
    let views = pipeline_file::feature_views(&pipeline);
    let mut plan = PipelineCompatibility { mismatch: None, views: Vec::new() };
    for manifest in folder.newest_manifests() {
        let (name, topic) = (&pipeline.name, &pipeline.source.kafka().topic);
        if (name, topic) != (&manifest.pipeline, &manifest.topic) {
            plan.mismatch = Some(format!(
                "the state is of pipeline `{}` over topic `{}`, not of `{name}` over `{topic}`",
                manifest.pipeline, manifest.topic
            ));
        }
        for view in compare_views(&views, &pipeline.event.schema, manifest) {
            if !plan.views.contains(&view) {
                plan.views.push(view);
            }
        }
    }
    Ok(plan)
}

/// Returns the most severe reason why a job cannot use the state.
fn overall_outcome(
    folder: &StateFolder,
    verdicts: &[CheckpointVerdict<'_>],
    plan: Option<&PipelineCompatibility>,
) -> Result<(), StateFinding> {
    let place = folder.store.place().to_owned();
    let count = |code: &str| verdicts.iter().filter(|verdict| verdict.code() == code).count();
    let (damaged, newer, missing) = (count("damaged"), count("newer"), folder.missing_partitions());
    match &folder.kind {
        FolderKind::UnreadableSavepoint(object) => {
            return Err(StateFinding::UnusableSavepoint { place, object: object.clone() });
        }
        FolderKind::IncompleteSavepoint => return Err(StateFinding::IncompleteSavepoint { place }),
        FolderKind::Savepoint(_) | FolderKind::Job { .. } | FolderKind::Nothing => {}
    }
    if damaged > 0 || !missing.is_empty() {
        return Err(StateFinding::Damaged { place, checkpoints: verdicts.len(), damaged, missing });
    }
    if newer > 0 {
        return Err(StateFinding::Newer { place, checkpoints: newer });
    }
    let Some(plan) = plan else { return Ok(()) };
    if let Some(reason) = &plan.mismatch {
        return Err(StateFinding::OtherJob { reason: reason.clone() });
    }
    let dropped = plan.views.iter().filter(|view| view.compatibility.needs_drop_state());
    let views: Vec<String> = dropped.map(|view| view.name.clone()).collect();
    if views.is_empty() { Ok(()) } else { Err(StateFinding::ChangedViews { views }) }
}

fn format_text(
    folder: &StateFolder,
    verdicts: &[CheckpointVerdict<'_>],
    plan: Option<&PipelineCompatibility>,
) -> String {
    let mut out = format!("{} in {}\n", folder.kind_name(), folder.store.place());
    for verdict in verdicts {
        let found = verdict.found;
        let size = found.manifest.as_ref().map_or_else(
            |_| String::new(),
            |manifest| {
                let objects = manifest.layers.iter().map(|layer| layer.parts.len() as u64).sum();
                format!(": {}, {}", format_plural(objects, "object"), format_byte_size(manifest.bytes()))
            },
        );
        // Writing to a string does not fail.
        let _ = writeln!(out, "{:<8} partition {}, checkpoint {}{size}", verdict.code(), found.partition, found.id);
        for reason in &verdict.unusable {
            let _ = writeln!(out, "         {reason}");
        }
    }
    for partition in folder.missing_partitions() {
        let _ = writeln!(out, "missing  partition {partition}");
    }
    for ComparedView { name: view, compatibility } in plan.iter().flat_map(|plan| &plan.views) {
        let _ = match compatibility {
            ViewCompatibility::Kept => writeln!(out, "kept     feature view {view}"),
            ViewCompatibility::Changed { stored_definition: was, pipeline_definition: is } => {
                writeln!(out, "changed  feature view {view}\n         was {was}\n         is  {is}")
            }
            ViewCompatibility::Removed => writeln!(out, "gone     feature view {view}"),
            ViewCompatibility::New => writeln!(out, "new      feature view {view}: its windows start empty"),
        };
    }
    out
}

fn as_json(
    folder: &StateFolder,
    verdicts: &[CheckpointVerdict<'_>],
    plan: Option<&PipelineCompatibility>,
    usable: bool,
) -> Value {
    let verdict = |verdict: &CheckpointVerdict<'_>| {
        let unusable =
            |unusable: &UnusableObject| json!({ "object": unusable.object, "reason": unusable.fault.to_string() });
        json!({
            "partition": verdict.found.partition,
            "number": verdict.found.id.number,
            "epoch": verdict.found.id.epoch,
            "verdict": verdict.code(),
            "bytes": verdict.found.manifest.as_ref().ok().map(windrow_engine::checkpoint::CheckpointManifest::bytes),
            "unusable": verdict.unusable.iter().map(unusable).collect::<Vec<_>>(),
        })
    };
    let view = |ComparedView { name, compatibility }: &ComparedView| {
        let word = match compatibility {
            ViewCompatibility::Kept => "kept",
            ViewCompatibility::Changed { .. } => "changed",
            ViewCompatibility::Removed => "gone",
            ViewCompatibility::New => "new",
        };
        json!({ "name": name, "state": word, "needs_drop_state": compatibility.needs_drop_state() })
    };
    let views = plan.map(|plan| plan.views.iter().map(view).collect::<Vec<_>>());
    json!({
        "kind": folder.kind_code(),
        "place": folder.store.place(),
        "usable": usable,
        "checkpoints": verdicts.iter().map(verdict).collect::<Vec<_>>(),
        "missing_partitions": folder.missing_partitions(),
        "other_pipeline": plan.and_then(|plan| plan.mismatch.as_ref()),
        "views": views,
    })
}
