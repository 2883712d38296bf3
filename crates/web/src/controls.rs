//! Takes savepoints and stops the job when an HTTP request asks for it.
//!
//! Owns: the choice of a savepoint's location, the threads that wait for savepoints, the outcomes, and the stop
//! requests to all instances. Does not own: the savepoint itself (the engine), the end of the process (the binary).
//! Invariants: (1) A savepoint goes only to a local directory or into the bucket of the checkpoints, so that a visitor
//! cannot send state elsewhere. (2) The process remembers only the newest requests.
//! After a crash: outcomes are lost with the process. A complete savepoint stays complete.
//!
//! These types stand for the steps of a savepoint. [`HttpSavepointRequest`] is the request. `SavepointTask` is the
//! thread that takes the savepoint. `RememberedSavepoint`, in the [`SavepointRegistry`], holds the progress and the
//! outcome. [`SavepointState`] is the answer to a caller that asks for the outcome.

mod begin_savepoint;
mod http_savepoint_request;
mod location;
pub(crate) mod refusal;
pub(crate) mod registry;
mod remembered_savepoints;
pub(crate) mod savepoint_state;
mod savepoint_task;
mod stop;

pub use http_savepoint_request::{AfterSavepoint, HttpSavepointRequest};
pub use refusal::SavepointRefusal;
pub use registry::SavepointRegistry;
pub use remembered_savepoints::REMEMBERED_REQUESTS_MAX;
pub use savepoint_state::SavepointState;
