//! What a caller asks for.

/// A savepoint that a caller asks for.
#[derive(Clone, Default, Debug)]
pub struct SavepointOrder<'a> {
    /// The directory or bucket folder in which the savepoint gets a new folder; none stands for beside the checkpoints.
    pub target_directory: Option<&'a str>,
    /// The name under which the caller fetches the outcome; none stands for a random name.
    pub request_name: Option<String>,
    /// What happens once the savepoint is complete.
    pub afterwards: AfterSavepoint,
}

/// What happens once a savepoint is complete. After a failed savepoint the job always keeps running.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum AfterSavepoint {
    /// The job keeps running.
    #[default]
    KeepRunning,
    /// All instances stop.
    StopJob,
}
