//! Data about the writer for pages and metrics. The writer thread collects the data, and other threads read it.
//!
//! Owns: counters, the ongoing outage, the freshness of written rows, and the newest written rows. Does not own: the
//! rows that Redis holds now ([`super::features`]).

pub(crate) mod freshness;
pub(crate) mod outage_log;
pub(crate) mod recent_rows;
pub(crate) mod refused_row_log;
pub(crate) mod statistics;
pub(crate) mod status;
