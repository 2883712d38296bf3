//! The secrets of a pipeline file: environment variables and files.

use std::env::{self, VarError};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use windrow_spec::SecretSource;

use crate::read_error::describe_read_error;

/// The largest file that can hold a secret. A larger file is a mistake, such as a device without an end.
const MAX_SECRET_FILE_BYTES: u64 = 64 * 1024;

/// Reads secrets from the environment of this process, and from files. A relative path begins at the working directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessSecrets;

impl SecretSource for ProcessSecrets {
    fn read_variable(&self, name: &str) -> Result<String, String> {
        env::var(name).map_err(|error| match error {
            VarError::NotPresent => "is not set".to_owned(),
            VarError::NotUnicode(_) => "is not a text in UTF-8".to_owned(),
        })
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        let mut bytes = Vec::new();
        let read = |bytes: &mut Vec<u8>| -> io::Result<usize> {
            File::open(path)?.take(MAX_SECRET_FILE_BYTES + 1).read_to_end(bytes)
        };
        read(&mut bytes).map_err(|error| describe_read_error(Path::new(path), &error))?;
        if bytes.len() as u64 > MAX_SECRET_FILE_BYTES {
            return Err(format!("is longer than {} KiB", MAX_SECRET_FILE_BYTES / 1024));
        }
        // The error would quote the bytes, which may be a secret.
        String::from_utf8(bytes).map_err(|_| "is not a text in UTF-8".to_owned())
    }
}
