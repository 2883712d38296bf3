//! Carries out two kinds of HTTP requests: to take a savepoint, and to stop the job.
//!
//! Owns: the choice of a savepoint's location, the threads that wait for savepoints, the outcomes of savepoints, and
//! the stop requests to all instances. Does not own: how a savepoint is taken (the engine), how the process ends (the
//! binary). Invariants: (1) A savepoint goes only below the job's checkpoints, or below a location that the pipeline
//! file names. So a visitor of the pages cannot send state to another place. (2) The process remembers only the newest
//! savepoint requests. After a crash: the outcomes are lost with the process. A complete savepoint stays complete.
//!
//! These types stand for the steps of a savepoint. [`HttpSavepointRequest`] is the request. `SavepointTask` runs in the
//! thread that takes the savepoint. `RememberedSavepoint`, in the [`SavepointRegistry`], holds the progress and the
//! outcome. [`SavepointState`] is the answer to a caller that asks for the outcome.

mod begin_savepoint;
mod http_savepoint_request;
mod remembered_savepoints;
mod savepoint_location;
pub(crate) mod savepoint_refusal;
pub(crate) mod savepoint_registry;
pub(crate) mod savepoint_state;
mod savepoint_task;
mod stop;

pub use http_savepoint_request::{AfterSavepoint, HttpSavepointRequest};
pub use remembered_savepoints::MAX_REMEMBERED_REQUESTS;
pub use savepoint_refusal::SavepointRefusal;
pub use savepoint_registry::{OUTCOME_FETCH_TIMEOUT, SavepointRegistry};
pub use savepoint_state::SavepointState;
