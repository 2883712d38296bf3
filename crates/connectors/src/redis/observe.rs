//! What pages and metrics show of the writer, collected by the writer thread and read from elsewhere.
//!
//! Owns: counters, the outage that is not over, how fresh rows were on arrival, the newest written rows. Does not own:
//! what Redis holds now ([`super::features`]).

pub(crate) mod freshness;
pub(crate) mod outage_log;
pub(crate) mod recent_rows;
pub(crate) mod refused_row_log;
pub(crate) mod statistics;
pub(crate) mod status;
