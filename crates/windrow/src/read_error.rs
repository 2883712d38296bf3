//! Says in plain words why a file cannot be read.

use std::io;
use std::path::Path;

/// Returns the reason why the file at `path` cannot be read: the end of a sentence about the file.
pub(crate) fn describe_read_error(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        _ if path.is_dir() => "is a directory; name a file in it".to_owned(),
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::NotADirectory => "does not exist: a part of its path is not a directory".to_owned(),
        io::ErrorKind::PermissionDenied => "cannot be read: the permission is missing".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}
