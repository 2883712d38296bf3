//! The secrets outside of the pipeline file to which the file refers.
//!
//! Owns: the interface. Does not own: the notation of a reference (`read/secret.rs`), reading environment variables and
//! files (the binary).

/// Reads the secrets to which a pipeline file refers. An error is the end of a sentence about the variable or the file,
/// such as "is not set". It never contains a secret.
pub trait SecretSource {
    /// Returns the value of the environment variable `name`.
    ///
    /// # Errors
    /// When the variable is not set or is not text.
    fn read_variable(&self, name: &str) -> Result<String, String>;

    /// Returns the content of the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be read or is not text.
    fn read_file(&self, path: &str) -> Result<String, String>;
}

/// A source without any secret, for pipeline files that refer to none.
#[derive(Clone, Copy, Debug)]
pub struct NoSecrets;

impl SecretSource for NoSecrets {
    fn read_variable(&self, _name: &str) -> Result<String, String> {
        Err("is not set".to_owned())
    }

    fn read_file(&self, _path: &str) -> Result<String, String> {
        Err("does not exist".to_owned())
    }
}
