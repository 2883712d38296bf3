//! The reasons to refuse a savepoint request.

use windrow_engine::StoreFault;

/// The largest number of characters in the name of a request.
pub(super) const REQUEST_NAME_LENGTH_MAX: usize = 64;
/// The largest number of savepoints in progress. Only one of them is taken at a time; the others wait.
pub(super) const PENDING_SAVEPOINTS_MAX: usize = 4;
const OTHER_LOCATIONS_HINT: &str = "`windrow savepoint --to` takes any location";

/// The reason why a savepoint request is refused. No variant contains a password of the requested location.
#[derive(Debug, thiserror::Error)]
pub enum SavepointRefusal {
    /// The name of the request is malformed.
    #[error("the name of a request is 1 to {REQUEST_NAME_LENGTH_MAX} letters, digits, - and _")]
    InvalidRequestName,
    /// The job is stopping.
    #[error("the job is stopping")]
    JobIsStopping,
    /// Too many savepoints are in progress.
    #[error("{PENDING_SAVEPOINTS_MAX} savepoints are in progress; ask again when one is complete")]
    TooManyPending,
    /// The checkpoints are in memory, so a savepoint cannot be stored beside them.
    #[error("this job keeps its checkpoints in memory, so a savepoint cannot be stored beside them: name a directory")]
    NoDefaultLocation,
    /// The requested directory is not an absolute path.
    #[error(
        "the directory of a savepoint must be an absolute path (file:/…), because each process of a job has its own working \
         directory; {OTHER_LOCATIONS_HINT}"
    )]
    RelativeDirectory,
    /// The requested location is neither a directory nor a folder in the bucket of the checkpoints.
    #[error(
        "over HTTP a savepoint goes to a directory or into the bucket of the checkpoints, {checkpoint_location}, not to \
         another `{scheme}://`; {OTHER_LOCATIONS_HINT}"
    )]
    ForeignLocation {
        /// The location of the checkpoints.
        checkpoint_location: String,
        /// The scheme of the requested location. The rest is omitted, because it may contain a password.
        scheme: String,
    },
    /// The requested location cannot be opened.
    #[error(transparent)]
    CannotOpenLocation(#[from] StoreFault),
    /// The operating system returned no random numbers.
    #[error("the system gives no random numbers: {0}")]
    NoRandomNumbers(#[from] getrandom::Error),
    /// The operating system could not start a thread.
    #[error("cannot start a thread: {0}")]
    CannotStartThread(#[source] std::io::Error),
}
