//! Defines the options that an HTTP caller has in a savepoint request.

/// A savepoint request that arrived over HTTP, through the JSON API or through Flink's REST API.
#[derive(Clone, Default, Debug)]
pub struct HttpSavepointRequest<'a> {
    /// The location in which the server creates a new folder for the savepoint: a directory or a folder in a bucket,
    /// below the checkpoints or below a location that the pipeline file names. If `None`, the savepoint is stored beside
    /// the checkpoints.
    pub target_directory: Option<&'a str>,
    /// The name of this request. With this name, the caller later asks for the savepoint's outcome. If `None`, the
    /// server chooses a random name.
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
