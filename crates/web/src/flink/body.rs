//! What a POST says.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::{self, Fault};
use super::look::is_id;

/// `/jobs/:id/savepoints`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Savepoint {
    #[serde(rename = "target-directory")]
    pub(super) target: Option<String>,
    #[serde(rename = "cancel-job")]
    pub(super) cancel: Option<bool>,
    #[serde(rename = "formatType")]
    format: Option<Format>,
    #[serde(rename = "triggerId")]
    pub(super) trigger: Option<String>,
}

/// `/jobs/:id/stop`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Stop {
    #[serde(rename = "targetDirectory")]
    pub(super) target: Option<String>,
    pub(super) drain: Option<bool>,
    #[serde(rename = "formatType")]
    format: Option<Format>,
    #[serde(rename = "triggerId")]
    pub(super) trigger: Option<String>,
}

/// `/jobs/:id/checkpoints`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Checkpoint {
    #[serde(rename = "checkpointType")]
    kind: Option<Kind>,
    #[serde(rename = "triggerId")]
    pub(super) trigger: Option<String>,
}

/// Both are written as Windrow writes them.
#[derive(Deserialize)]
enum Format {
    #[serde(rename = "CANONICAL")]
    Canonical,
    #[serde(rename = "NATIVE")]
    Native,
}

/// Which of them it is, Windrow decides.
#[derive(Deserialize)]
enum Kind {
    #[serde(rename = "CONFIGURED")]
    Configured,
    #[serde(rename = "FULL")]
    Full,
    #[serde(rename = "INCREMENTAL")]
    Incremental,
}

impl Savepoint {
    pub(super) const NAME: &str = "SavepointTriggerRequestBody";
}

impl Stop {
    pub(super) const NAME: &str = "StopWithSavepointRequestBody";
}

impl Checkpoint {
    pub(super) const NAME: &str = "CheckpointTriggerRequestBody";
}

/// Reads a body; without one all is left to Windrow.
pub(super) fn read<T: DeserializeOwned + Default>(name: &str, bytes: &[u8]) -> Result<T, Fault> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    let wrong = |error: serde_json::Error| fault::bad(format!("Request did not match expected format {name}: {error}"));
    // A sequence would be taken field by field otherwise.
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).map_err(wrong)?;
    serde_json::from_value(object.into()).map_err(wrong)
}

/// A trigger id, as it is compared.
pub(super) fn trigger(id: Option<String>) -> Result<Option<String>, Fault> {
    match id {
        Some(id) if !is_id(&id) => Err(fault::bad(format!("triggerId: \"{id}\" is not 32 hexadecimal digits"))),
        id => Ok(id.map(|id| id.to_ascii_lowercase())),
    }
}
