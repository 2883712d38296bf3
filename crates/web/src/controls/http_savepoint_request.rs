//! Defines what an HTTP caller can request of a savepoint.

/// A savepoint request that arrived over HTTP, through the JSON API or through Flink's REST API.
#[derive(Clone, Default, Debug)]
pub struct HttpSavepointRequest<'a> {
    /// The location in which a new folder is created for the savepoint: a local directory, or a folder in the
    /// checkpoints' bucket. If `None`, the savepoint is stored beside the checkpoints.
    pub target_directory: Option<&'a str>,
    /// The name of this request, by which the caller later fetches the outcome. If `None`, the server chooses a random
    /// name.
    pub request_name: Option<String>,
    /// What the job does when the savepoint is complete.
    pub after_completion: AfterSavepoint,
}

/// What the job does when a savepoint is complete. If the savepoint fails, the job always keeps running.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum AfterSavepoint {
    /// The job keeps running.
    #[default]
    KeepRunning,
    /// All instances of the job stop.
    StopJob,
}
