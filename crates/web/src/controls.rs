//! Savepoints and stops requested over HTTP.
//!
//! Owns: the choice of a savepoint's location, the threads that wait for savepoints, the outcomes, and the stop
//! requests to all instances. Does not own: the savepoint itself (the engine), the end of the process (the binary).
//! Invariants: (1) A savepoint goes only to a local directory or into the bucket of the checkpoints, so a visitor
//! cannot send state elsewhere. (2) The process remembers only the newest requests.
//! After a crash: the outcomes are lost with the process; a complete savepoint stays complete.
//!
//! A savepoint passes through these types. [`HttpSavepointRequest`] is the caller's request. `SavepointTask` is the thread
//! that takes the savepoint. `RememberedSavepoint` in the [`SavepointRegistry`] holds the progress and the outcome.
//! [`SavepointState`] is the answer to a polling caller.

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
pub use remembered_savepoints::REMEMBERED_REQUESTS_MAX;
pub use savepoint_order::{AfterSavepoint, HttpSavepointRequest};
pub use savepoint_state::SavepointState;
