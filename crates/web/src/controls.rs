//! Savepoints and stops requested over HTTP.
//!
//! Owns: the locations that a savepoint may go to, the threads that wait for savepoints, their outcomes, and telling all
//! instances to stop. Does not own: taking a savepoint (the engine), ending a process (the binary).
//! Invariants: (1) a savepoint goes only to a directory or into the bucket of the checkpoints, so a visitor of a page cannot
//! send state elsewhere; (2) the newest [`REMEMBERED_REQUESTS`] outcomes are remembered.
//! After a crash: outcomes are lost with the process; a savepoint that was complete stays complete.
//!
//! A savepoint passes through these types: [`SavepointOrder`] (what the caller asks for) → `SavepointTask` (the thread that
//! takes it) → `RememberedSavepoint` in the [`SavepointRegistry`] (its progress and outcome) → [`SavepointState`] (what a
//! caller that polls is told).

mod begin_savepoint;
mod location;
pub(crate) mod refusal;
pub(crate) mod registry;
mod remembered_savepoints;
mod savepoint_order;
pub(crate) mod savepoint_state;
mod savepoint_task;
mod stop;

pub use refusal::SavepointRefusal;
pub use registry::SavepointRegistry;
pub use remembered_savepoints::REMEMBERED_REQUESTS;
pub use savepoint_order::{AfterSavepoint, SavepointOrder};
pub use savepoint_state::SavepointState;
