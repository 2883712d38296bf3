//! The shares of the workers' time above which an operator should look at the job.

/// Workers that are busy for more than this share of their time need an operator's attention.
pub(crate) const BUSY_SHARE_MAX: f64 = 0.8;
/// Workers that wait for Redis for more than this share of their time need an operator's attention.
pub(crate) const BACKPRESSURE_SHARE_MAX: f64 = 0.2;
