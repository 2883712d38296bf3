//! `windrow state verify`: can everything in a savepoint or a job's folder be used?

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use windrow_engine::Halt;
use windrow_engine::checkpoint::inspect::{self, Fate, Found, Kind, StateObjects, Unusable, fates};

use super::{Folder, unanswered};
use crate::cli::StateVerifyArgs;
use crate::exit::{Exit, Failure};
use crate::status::{bytes, plural};
use crate::{pipeline_file, print, progress};

/// A checkpoint, and what of it cannot be used.
struct Verdict<'a> {
    found: &'a Found,
    unusable: Vec<Unusable>,
}

impl Verdict<'_> {
    fn word(&self) -> &'static str {
        match &*self.unusable {
            [] => "ok",
            unusable if unusable.iter().all(Unusable::is_newer) => "newer",
            _ => "damaged",
        }
    }
}

/// What a pipeline would do with the state.
struct Plan {
    /// The state is of another pipeline or topic, for this reason.
    foreign: Option<String>,
    fates: Vec<(String, Fate)>,
}

pub(crate) fn run(args: &StateVerifyArgs) -> Result<Exit, Failure> {
    let folder = Folder::open(&args.path, args.partition)?;
    let verdicts = verdicts(&folder)?;
    let plan = args.pipeline.as_deref().map(|path| plan(path, &folder)).transpose()?;
    let outcome = outcome(&folder, &verdicts, plan.as_ref());
    if args.json {
        print::data(&format!("{:#}\n", as_json(&folder, &verdicts, plan.as_ref(), outcome.is_ok())))?;
    } else {
        print::data(&as_text(&folder, &verdicts, plan.as_ref()))?;
    }
    outcome.map(|()| Exit::Success).map_err(Failure::from)
}

fn verdicts(folder: &Folder) -> Result<Vec<Verdict<'_>>, Failure> {
    let readable = folder.found.iter().filter_map(|found| found.manifest.as_ref().ok());
    let total: u64 = readable.map(windrow_engine::checkpoint::Manifest::bytes).sum();
    let bar = progress::bar(total, "{bar:40} {binary_bytes}/{binary_total_bytes} verified {eta}");
    let mut objects = StateObjects::new(&*folder.store);
    let mut verdicts = Vec::with_capacity(folder.found.len());
    for found in &folder.found {
        let unusable = match &found.manifest {
            Err(reason) => vec![reason.clone()],
            Ok(manifest) => {
                objects.read(manifest, |part| bar.inc(part.bytes)).map_err(|fault| unanswered(&fault))?.unusable
            }
        };
        // A job that is running deletes its older checkpoints meanwhile.
        if !unusable.is_empty() && !inspect::is_there(&*folder.store, found).map_err(|fault| unanswered(&fault))? {
            continue;
        }
        verdicts.push(Verdict { found, unusable });
    }
    bar.finish_and_clear();
    Ok(verdicts)
}

fn plan(path: &Path, folder: &Folder) -> Result<Plan, Failure> {
    let pipeline = pipeline_file::load(Some(path), &[])?;
    let views = pipeline_file::feature_views(&pipeline);
    let mut plan = Plan { foreign: None, fates: Vec::new() };
    for manifest in folder.newest() {
        let (name, topic) = (&pipeline.name, &pipeline.source.topic);
        if (name, topic) != (&manifest.pipeline, &manifest.topic) {
            plan.foreign = Some(format!(
                "the state is of pipeline `{}` over topic `{}`, not of `{name}` over `{topic}`",
                manifest.pipeline, manifest.topic
            ));
        }
        for fate in fates(&views, &pipeline.event.schema, manifest) {
            if !plan.fates.contains(&fate) {
                plan.fates.push(fate);
            }
        }
    }
    Ok(plan)
}

/// `Err` is what keeps a job from using it, the worst first.
fn outcome(folder: &Folder, verdicts: &[Verdict<'_>], plan: Option<&Plan>) -> Result<(), Halt> {
    let place = folder.store.place();
    let many = |word: &str| verdicts.iter().filter(|verdict| verdict.word() == word).count();
    let (damaged, newer, missing) = (many("damaged"), many("newer"), folder.missing());
    match &folder.kind {
        Err(reason) if reason.is_newer() => return Err(Halt::NewerState(format!("{place}: {reason}"))),
        Err(reason) => return Err(Halt::DamagedState(format!("{place}: {reason}"))),
        Ok(Kind::IncompleteSavepoint) => {
            return Err(Halt::DamagedState(format!(
                "the savepoint in {place} is incomplete: it has no object `savepoint`, which is created last. Take another"
            )));
        }
        Ok(_) => {}
    }
    if damaged > 0 || !missing.is_empty() {
        let missing =
            if missing.is_empty() { String::new() } else { format!(", and partitions {missing:?} are missing") };
        let all = plural(verdicts.len() as u64, "checkpoint");
        return Err(Halt::DamagedState(format!("of {all} in {place}, {damaged} cannot be used{missing}")));
    }
    if newer > 0 {
        return Err(Halt::NewerState(format!(
            "{} in {place} can be read only by a newer version of Windrow",
            plural(newer as u64, "checkpoint")
        )));
    }
    let Some(plan) = plan else { return Ok(()) };
    if let Some(reason) = &plan.foreign {
        return Err(Halt::ForeignState(reason.clone()));
    }
    let flags: Vec<_> = plan
        .fates
        .iter()
        .filter(|(_, fate)| fate.needs_drop_state())
        .map(|(view, _)| format!("--drop-state {view}"))
        .collect();
    if flags.is_empty() {
        return Ok(());
    }
    Err(Halt::ChangedViews(format!("with this pipeline file, `windrow run` needs {}", flags.join(" "))))
}

fn as_text(folder: &Folder, verdicts: &[Verdict<'_>], plan: Option<&Plan>) -> String {
    let mut out = format!("{} in {}\n", folder.kind_name(), folder.store.place());
    for verdict in verdicts {
        let found = verdict.found;
        let size = found.manifest.as_ref().map_or_else(
            |_| String::new(),
            |manifest| {
                let objects = manifest.layers.iter().map(|layer| layer.parts.len() as u64).sum();
                format!(": {}, {}", plural(objects, "object"), bytes(manifest.bytes()))
            },
        );
        // Writing to a string does not fail.
        let _ = writeln!(out, "{:<8} partition {}, checkpoint {}{size}", verdict.word(), found.partition, found.id);
        for reason in &verdict.unusable {
            let _ = writeln!(out, "         {reason}");
        }
    }
    for partition in folder.missing() {
        let _ = writeln!(out, "missing  partition {partition}");
    }
    for (view, fate) in plan.iter().flat_map(|plan| &plan.fates) {
        let _ = match fate {
            Fate::Kept => writeln!(out, "kept     feature view {view}"),
            Fate::Changed { was, is } => {
                writeln!(out, "changed  feature view {view}\n         was {was}\n         is  {is}")
            }
            Fate::Gone => writeln!(out, "gone     feature view {view}"),
            Fate::New => writeln!(out, "new      feature view {view}: its windows begin anew"),
        };
    }
    out
}

fn as_json(folder: &Folder, verdicts: &[Verdict<'_>], plan: Option<&Plan>, usable: bool) -> Value {
    let verdict = |verdict: &Verdict<'_>| {
        let unusable = |unusable: &Unusable| json!({ "object": unusable.object, "reason": unusable.fault.to_string() });
        json!({
            "partition": verdict.found.partition,
            "number": verdict.found.id.number,
            "epoch": verdict.found.id.epoch,
            "verdict": verdict.word(),
            "bytes": verdict.found.manifest.as_ref().ok().map(windrow_engine::checkpoint::Manifest::bytes),
            "unusable": verdict.unusable.iter().map(unusable).collect::<Vec<_>>(),
        })
    };
    let view = |(view, fate): &(String, Fate)| {
        let word = match fate {
            Fate::Kept => "kept",
            Fate::Changed { .. } => "changed",
            Fate::Gone => "gone",
            Fate::New => "new",
        };
        json!({ "name": view, "state": word, "needs_drop_state": fate.needs_drop_state() })
    };
    let views = plan.map(|plan| plan.fates.iter().map(view).collect::<Vec<_>>());
    json!({
        "kind": folder.kind_word(),
        "place": folder.store.place(),
        "usable": usable,
        "checkpoints": verdicts.iter().map(verdict).collect::<Vec<_>>(),
        "missing_partitions": folder.missing(),
        "other_pipeline": plan.and_then(|plan| plan.foreign.as_ref()),
        "views": views,
    })
}
