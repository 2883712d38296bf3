//! Lets the instances of a job find each other through the checkpoint store.
//!
//! ```text
//! instances/0123456789abcdef-0000000041       the 41st report of instance 0123456789abcdef
//! instances/0123456789abcdef-stop             asks instance 0123456789abcdef to stop
//! instances/0123456789abcdef-page-0000000003  instance 0123456789abcdef has an open page; its third mark
//! ```
//!
//! Owns: the objects in the folder `instances` of the checkpoint store, and the rule by which an instance counts as
//! live.
//! Does not own: the content of a report.
//! The instances exchange reports through the checkpoint store, because they share nothing else and do not know each
//! other's addresses.
//!
//! Each instance lists the folder every few seconds, which is one call, and reads no report. Only an instance with an
//! open page reads reports. Its mark in the folder makes the others publish often; without such a mark they publish once a
//! minute. So the calls to the store grow with the number of instances, not with its square.
//!
//! Invariants: (1) After a process has read a report of another instance, it measures with its own clock for how long
//! no newer report arrives. (2) This module never changes the objects of checkpoints. (3) A page waits only briefly for
//! the store. If the store is slow, the page shows the last known reports.
//! After a crash: the report of the crashed instance remains in the store, and so do its mark and a request that this
//! instance stops. The other instances delete these objects after ten minutes.

mod known_instances;
mod object_names;
pub(crate) mod peer_instances;
mod report_publisher;

pub use known_instances::INSTANCE_GONE_AFTER;
pub use peer_instances::PeerInstances;
pub use report_publisher::ReportPublisher;
