//! Records without a key, in a topic whose records must have one.

use windrow_engine::Halt;
use windrow_engine::halt::InputFault;

use crate::conformance_cases::read_conformance_case;
use crate::job::JobSetup;
use crate::scripted_source::{ScriptAction, ScriptedSource};

/// A new partition without keys halts the job. A partition that has had records with keys goes on, also if a restart finds
/// only records without one.
#[test]
fn a_restart_amid_records_without_a_key_does_not_halt() {
    let events = read_conformance_case("random").events;
    let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let new = JobSetup { topic_partition_count: 2, ..JobSetup::in_folder(other.path()) };
    let halt = new.run(ScriptedSource::new(&events, Vec::new())).expect_halt();
    assert!(matches!(halt, Halt::Input(InputFault::RecordsWithoutKeys { .. })), "{halt}");

    let before = JobSetup::in_folder(folder.path());
    let script = vec![(1_500, ScriptAction::AwaitCheckpoint), (1_501, ScriptAction::Kill)];
    before.run(ScriptedSource::new(&events, script)).expect_killed();
    let after = JobSetup { topic_partition_count: 2, ..before };
    after.run(ScriptedSource::new(&events, Vec::new())).expect_end();
}
