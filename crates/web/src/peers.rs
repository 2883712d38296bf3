//! Lets the instances of a job find each other through the checkpoint store.
//!
//! ```text
//! instances/0123456789abcdef-0000000041       the 41st report of instance 0123456789abcdef
//! instances/0123456789abcdef-stop             asks instance 0123456789abcdef to stop
//! ```
//!
//! Owns: the objects in the folder `instances`, and the rule by which an instance counts as live. Does not own: the
//! content of a report.
//! Reports go through the checkpoint store, because the instances share nothing else and do not know each other's
//! addresses.
//! Invariants: (1) The reader's clock measures for how long an instance has published no new report. (2) No object of a
//! checkpoint is changed. (3) A page waits only briefly for the store, and then shows the last known reports.
//! After a crash: the objects of the instance stay. Other instances delete them after ten minutes.

mod known_instances;
mod object_names;
pub(crate) mod peer_instances;
mod report_publisher;

pub use known_instances::INSTANCE_GONE_AFTER;
pub use peer_instances::PeerInstances;
pub use report_publisher::ReportPublisher;
