//! The request for a savepoint that an HTTP caller sends.

/// A savepoint request of an HTTP caller, from the JSON API or Flink's REST API.
#[derive(Clone, Default, Debug)]
pub struct HttpSavepointRequest<'a> {
    /// The directory or bucket folder in which the savepoint gets a new folder. Without one, the savepoint goes beside
    /// the checkpoints.
    pub target_directory: Option<&'a str>,
    /// The name by which the caller fetches the outcome. Without one, the server chooses a random name.
    pub request_name: Option<String>,
    /// Whether the job keeps running when the savepoint is complete.
    pub after_completion: AfterSavepoint,
}

/// Whether the job keeps running when a savepoint is complete. If the savepoint fails, the job always keeps running.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum AfterSavepoint {
    /// The job keeps running.
    #[default]
    KeepRunning,
    /// All instances stop.
    StopJob,
}
