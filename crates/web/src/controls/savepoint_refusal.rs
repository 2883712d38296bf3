//! The reasons why the server refuses a savepoint request over HTTP.

use windrow_engine::StoreFault;

/// The largest number of characters in the name of a savepoint request.
pub(super) const MAX_REQUEST_NAME_CHARS: usize = 64;
/// The largest number of savepoints, requested over HTTP, that are in progress at the same time. Each has a thread of
/// its own. While the job takes one savepoint, every other savepoint fails as soon as its thread notices this.
pub(super) const MAX_PENDING_SAVEPOINTS: usize = 4;
const OTHER_LOCATIONS_HINT: &str = "the command `windrow savepoint` writes to any location";

/// Why a savepoint request is refused. No variant contains a password from the URL of the requested location.
#[derive(Debug, thiserror::Error)]
pub enum SavepointRefusal {
    /// The name of the request is empty, is too long, or contains a character that is not a letter, a digit, `-` or
    /// `_`.
    #[error(
        "the name of a savepoint request must have 1 to {MAX_REQUEST_NAME_CHARS} characters: letters, digits, - and _"
    )]
    InvalidRequestName,
    /// The job is stopping.
    #[error("the job is stopping, so no savepoint can begin")]
    JobIsStopping,
    /// Too many savepoints are in progress.
    #[error("{MAX_PENDING_SAVEPOINTS} savepoints are in progress: request another one when one of them has ended")]
    TooManyPending,
    /// The request names no directory, and the checkpoints are in memory, where no savepoint can be stored.
    #[error("the job keeps its checkpoints in memory, where no savepoint can be stored: name a directory")]
    NoDefaultLocation,
    /// The requested directory is not an absolute path.
    #[error(
        "the directory of a savepoint must be an absolute path (file:/…), because each instance has its own working \
         directory; {OTHER_LOCATIONS_HINT}"
    )]
    RelativeDirectory,
    /// The requested location is not a plain path.
    #[error(
        "the directory of a savepoint may contain neither `.` nor `..` as a name, and neither a login nor options; \
         {OTHER_LOCATIONS_HINT}"
    )]
    IndirectLocation,
    /// The requested location lies neither below the checkpoints nor below a location that the pipeline file names. The
    /// message does not quote the requested location, which may contain a password.
    #[error(
        "a savepoint requested over HTTP must go below the checkpoints of the job ({checkpoint_location}), or below a \
         location in `checkpoint.savepoints` of the pipeline file; {OTHER_LOCATIONS_HINT}"
    )]
    LocationNotAllowed {
        /// The location of the checkpoints.
        checkpoint_location: String,
    },
    /// The requested location cannot be opened.
    #[error(transparent)]
    CannotOpenLocation(#[from] StoreFault),
    /// The operating system returned no random numbers.
    #[error("the operating system returned no random numbers: {0}")]
    NoRandomNumbers(#[from] getrandom::Error),
    /// The operating system could not start the thread that takes the savepoint.
    #[error("cannot start the thread that takes the savepoint: {0}")]
    CannotStartThread(#[source] std::io::Error),
}
