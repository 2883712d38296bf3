//! What a POST says.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::{self, HttpFault};
use super::look::is_flink_id;

/// `/jobs/:id/savepoints`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SavepointBody {
    #[serde(rename = "target-directory")]
    pub(super) target_directory: Option<String>,
    #[serde(rename = "cancel-job")]
    pub(super) cancel_job: Option<bool>,
    #[serde(rename = "formatType")]
    savepoint_format: Option<SavepointFormat>,
    #[serde(rename = "triggerId")]
    pub(super) trigger_id: Option<String>,
}

/// `/jobs/:id/stop`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StopBody {
    #[serde(rename = "targetDirectory")]
    pub(super) target_directory: Option<String>,
    pub(super) drain: Option<bool>,
    #[serde(rename = "formatType")]
    savepoint_format: Option<SavepointFormat>,
    #[serde(rename = "triggerId")]
    pub(super) trigger_id: Option<String>,
}

/// `/jobs/:id/checkpoints`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CheckpointBody {
    #[serde(rename = "checkpointType")]
    checkpoint_kind: Option<CheckpointKind>,
    #[serde(rename = "triggerId")]
    pub(super) trigger_id: Option<String>,
}

/// Both are written as Windrow writes them.
#[derive(Deserialize)]
enum SavepointFormat {
    #[serde(rename = "CANONICAL")]
    Canonical,
    #[serde(rename = "NATIVE")]
    Native,
}

/// Which of them it is, Windrow decides.
#[derive(Deserialize)]
enum CheckpointKind {
    #[serde(rename = "CONFIGURED")]
    Configured,
    #[serde(rename = "FULL")]
    Full,
    #[serde(rename = "INCREMENTAL")]
    Incremental,
}

impl SavepointBody {
    pub(super) const FLINK_NAME: &str = "SavepointTriggerRequestBody";
}

impl StopBody {
    pub(super) const FLINK_NAME: &str = "StopWithSavepointRequestBody";
}

impl CheckpointBody {
    pub(super) const FLINK_NAME: &str = "CheckpointTriggerRequestBody";
}

/// Reads a body; without one all is left to Windrow.
pub(super) fn parse_body<T: DeserializeOwned + Default>(name: &str, bytes: &[u8]) -> Result<T, HttpFault> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    let wrong =
        |error: serde_json::Error| fault::bad_request(format!("Request did not match expected format {name}: {error}"));
    // A sequence would be taken field by field otherwise.
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).map_err(wrong)?;
    serde_json::from_value(object.into()).map_err(wrong)
}

/// A trigger id, as it is compared.
pub(super) fn parse_trigger_id(id: Option<String>) -> Result<Option<String>, HttpFault> {
    match id {
        Some(id) if !is_flink_id(&id) => {
            Err(fault::bad_request(format!("triggerId: \"{id}\" is not 32 hexadecimal digits")))
        }
        id => Ok(id.map(|id| id.to_ascii_lowercase())),
    }
}
