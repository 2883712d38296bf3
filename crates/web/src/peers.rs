//! The instances of a job, which find each other through the checkpoint store.
//!
//! ```text
//! instances/0123456789abcdef-0000000041       the 41st report of that instance
//! instances/0123456789abcdef-stop             a request to that instance to stop
//! ```
//!
//! Owns: these objects, and the decision which instances are live. Does not own: the content of a report.
//! The store carries the reports because instances share nothing else, and need no address of each other.
//! Invariants: (1) how long an instance has been silent is measured with the reader's clock, while it reads; (2) no object of
//! a checkpoint is touched; (3) no page waits for the store: it shows what was known before.
//! After a crash: an instance's objects stay; the others delete them after ten minutes without a change.

mod known_instances;
mod object_names;
pub(crate) mod peer_instances;
mod report_publisher;

pub use known_instances::GONE_AFTER;
pub use peer_instances::PeerInstances;
pub use report_publisher::ReportPublisher;
