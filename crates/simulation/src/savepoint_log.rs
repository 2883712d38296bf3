//! Which savepoints of a simulation were requested, and which were reported as complete.

use parking_lot::Mutex;

/// The id of a savepoint.
pub(crate) type SavepointId = String;

/// A savepoint that was reported as complete.
#[derive(Clone, Debug)]
pub(crate) struct CompletedSavepoint {
    pub(crate) savepoint_id: SavepointId,
    /// The elections of leaders that lacked records before the savepoint.
    pub(crate) log_truncations_before: u64,
}

/// The savepoints of a simulation.
#[derive(Debug, Default)]
pub(crate) struct SavepointLog {
    state: Mutex<SavepointLogState>,
}

#[derive(Debug, Default)]
struct SavepointLogState {
    requested_count: u64,
    ended_count: u64,
    completed: Vec<CompletedSavepoint>,
    /// The savepoint with which the job has begun; `None` if it has begun without.
    restored: Option<SavepointId>,
}

impl SavepointLog {
    pub(crate) fn next_id(&self) -> SavepointId {
        let mut state = self.state.lock();
        state.requested_count += 1;
        format!("s{}", state.requested_count)
    }

    pub(crate) fn observe_end(&self, completed: Option<CompletedSavepoint>) {
        let mut state = self.state.lock();
        state.ended_count += 1;
        state.completed.extend(completed);
    }

    /// Returns how many savepoints were completed, and how many have ended in any way.
    pub(crate) fn completed_and_ended_count(&self) -> (usize, u64) {
        let state = self.state.lock();
        (state.completed.len(), state.ended_count)
    }

    pub(crate) fn completed(&self) -> Vec<CompletedSavepoint> {
        self.state.lock().completed.clone()
    }

    pub(crate) fn begin_with(&self, savepoint_id: SavepointId) {
        self.state.lock().restored = Some(savepoint_id);
    }

    pub(crate) fn restored(&self) -> Option<SavepointId> {
        self.state.lock().restored.clone()
    }
}
