//! Why a savepoint request is refused.

use windrow_engine::StoreFault;

/// The longest name of a request.
pub(super) const REQUEST_NAME_LENGTH_MAX: usize = 64;
/// The number of savepoints that may be in progress; the store takes only one at a time.
pub(super) const PENDING_SAVEPOINTS_MAX: usize = 4;
const OTHER_LOCATIONS_HINT: &str = "`windrow savepoint --to` takes any location";

/// Why a savepoint request is refused. No variant holds a password of the requested location.
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
    /// The checkpoints are in memory, so there is no folder beside them.
    #[error("this job keeps its checkpoints in memory, so a savepoint cannot be stored beside them: name a directory")]
    NoDefaultLocation,
    /// The requested directory is not an absolute path.
    #[error(
        "the directory of a savepoint must be an absolute path (file:/…), because each process of a job has its own working \
         directory; {OTHER_LOCATIONS_HINT}"
    )]
    RelativeDirectory,
    /// The requested location is neither a directory nor in the bucket of the checkpoints.
    #[error(
        "over HTTP a savepoint goes to a directory or into the bucket of the checkpoints, {checkpoint_location}, not to \
         another `{scheme}://`; {OTHER_LOCATIONS_HINT}"
    )]
    ForeignLocation {
        /// The location of the checkpoints.
        checkpoint_location: String,
        /// The scheme of the requested location. The rest may hold a password, so it is not kept.
        scheme: String,
    },
    /// The requested location cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The operating system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The operating system starts no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
}
