//! Lets the instances of a job find each other through the checkpoint store.
//!
//! ```text
//! instances/0123456789abcdef-0000000041       the 41st report of that instance
//! instances/0123456789abcdef-stop             a request to that instance to stop
//! ```
//!
//! Owns: these objects, and the rule by which an instance counts as live. Does not own: the content of a report.
//! The store carries the reports, because the instances share nothing else and know no addresses of each other.
//! Invariants: (1) The reader's clock measures how long an instance has been silent, from the time its report was read.
//! (2) No object of a checkpoint is changed. (3) A page waits only briefly for the store, and then shows the last known
//! reports.
//! After a crash: the objects of the instance stay. Other instances delete them ten minutes after the last change.

mod known_instances;
mod object_names;
pub(crate) mod peer_instances;
mod report_publisher;

pub use known_instances::INSTANCE_GONE_AFTER;
pub use peer_instances::PeerInstances;
pub use report_publisher::ReportPublisher;
