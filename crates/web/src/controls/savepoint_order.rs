//! A caller's request for a savepoint.

/// A caller's request for a savepoint.
#[derive(Clone, Default, Debug)]
pub struct HttpSavepointRequest<'a> {
    /// The directory or bucket folder in which the savepoint gets a new folder. Without one, it goes beside the
    /// checkpoints.
    pub target_directory: Option<&'a str>,
    /// The name under which the caller fetches the outcome. Without one, a random name is chosen.
    pub request_name: Option<String>,
    /// Whether the job keeps running after the savepoint is complete.
    pub after_completion: AfterSavepoint,
}

/// Whether the job keeps running after a complete savepoint. After a failed savepoint it always does.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum AfterSavepoint {
    /// The job keeps running.
    #[default]
    KeepRunning,
    /// All instances stop.
    StopJob,
}
