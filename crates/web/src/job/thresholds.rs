//! Limits beyond which workers slow the job down.

/// Workers that are busy for a larger share of their time slow the job down.
pub(crate) const BUSY_SHARE_MAX: f64 = 0.8;
/// Workers that wait for Redis for a larger share of their time slow the job down.
pub(crate) const BACKPRESSURE_SHARE_MAX: f64 = 0.2;
