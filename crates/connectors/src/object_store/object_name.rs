//! Conversion of the engine's object names to paths of the `object_store` crate.
//!
//! Invariant: no path leads out of the store, and no path is the path of a staged file (`NAME#1`).

use object_store::path::Path;
use windrow_engine::StoreFault;
use windrow_engine::halt::share_error;

/// The error for a name that no object can have.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{}` is not a valid object name; use segments of A–Z a–z 0–9 . _ - %, separated by /",
    name.escape_debug()
)]
struct InvalidObjectName {
    name: String,
}

/// Returns the path of the object `name`.
pub(super) fn object_path_from_name(name: &str) -> Result<Path, StoreFault> {
    let is_valid = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-%".contains(&byte))
    };
    let refused = || StoreFault::Refused(share_error(InvalidObjectName { name: name.to_owned() }));
    if !name.split('/').all(is_valid) {
        return Err(refused());
    }
    Path::parse(name).map_err(|_| refused())
}

/// Returns the path of the folder `name`. Returns `None` if `name` is empty, which means the whole store.
pub(super) fn folder_path_from_name(name: &str) -> Result<Option<Path>, StoreFault> {
    match name.strip_suffix('/').unwrap_or(name) {
        "" => Ok(None),
        name => object_path_from_name(name).map(Some),
    }
}
