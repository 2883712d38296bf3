//! The secrets outside of the pipeline file to which the file refers.
//!
//! Owns: the interface, and the pipeline file without its references. Does not own: the notation of a reference (`read/secret.rs`), reading environment variables and
//! files (the binary).

use crate::document::{DocumentNode, DocumentValue};

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

/// Replaces the settings of `[sink.redis]` that refer to secrets, for commands that connect to nothing. So these commands
/// need no secrets.
pub(crate) fn replace_secret_references(document: &mut DocumentNode) {
    let Some(redis) = find_table_mut(document, "sink").and_then(|sink| find_table_mut(sink, "redis")) else { return };
    let DocumentValue::Table(settings) = &mut redis.value else { return };
    for entry in &mut settings.entries {
        let refers_to_secret = match &entry.node.value {
            DocumentValue::Text(text) => text.contains("${"),
            DocumentValue::Table(_) => true,
            _ => false,
        };
        let replacement = match entry.name.as_str() {
            "url" => "redis://localhost:6379",
            "user" | "password" => "unresolved",
            _ => continue,
        };
        if refers_to_secret {
            entry.node.value = DocumentValue::Text(replacement.to_owned());
        }
    }
}

fn find_table_mut<'d>(node: &'d mut DocumentNode, name: &str) -> Option<&'d mut DocumentNode> {
    let DocumentValue::Table(table) = &mut node.value else { return None };
    table.entries.iter_mut().find(|entry| entry.name == name).map(|entry| &mut entry.node)
}
