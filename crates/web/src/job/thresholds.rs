//! The limits above which workers slow the job down.

/// The largest share of time that workers may be busy without slowing the job down.
pub(crate) const BUSY_SHARE_MAX: f64 = 0.8;
/// The largest share of time that workers may wait for Redis without slowing the job down.
pub(crate) const BACKPRESSURE_SHARE_MAX: f64 = 0.2;
