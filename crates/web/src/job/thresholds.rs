//! The shares of the workers' time above which an operator should look at the job.

/// The workers need an operator's attention if they are busy for more than this share of their time.
pub(crate) const MAX_BUSY_SHARE: f64 = 0.8;
/// The workers need an operator's attention if they wait for Redis for more than this share of their time.
pub(crate) const MAX_BACKPRESSURE_SHARE: f64 = 0.2;
