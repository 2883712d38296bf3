//! Parses the bodies of POST requests.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::bad_request;
use super::flink_job::is_flink_id;
use crate::answers::HttpFault;

/// A JSON body of a POST request. A client may omit the whole body, or any field of the body.
pub(super) trait FlinkRequestBody: DeserializeOwned + Default {
    /// The name of the Java class that represents the body in Flink. Error messages show this name.
    const FLINK_BODY_CLASS: &str;
}

/// The body of POST `/jobs/:id/savepoints`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FlinkSavepointRequestBody {
    #[serde(rename = "target-directory")]
    pub(super) target_directory: Option<String>,
    #[serde(rename = "cancel-job")]
    pub(super) cancel_job: Option<bool>,
    #[serde(rename = "formatType")]
    savepoint_format: Option<SavepointFormat>,
    #[serde(rename = "triggerId")]
    pub(super) trigger_id: Option<String>,
}

/// The body of POST `/jobs/:id/stop`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StopRequestBody {
    #[serde(rename = "targetDirectory")]
    pub(super) target_directory: Option<String>,
    pub(super) drain: Option<bool>,
    #[serde(rename = "formatType")]
    savepoint_format: Option<SavepointFormat>,
    #[serde(rename = "triggerId")]
    pub(super) trigger_id: Option<String>,
}

/// The body of POST `/jobs/:id/checkpoints`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CheckpointRequestBody {
    #[serde(rename = "checkpointType")]
    checkpoint_kind: Option<CheckpointKind>,
    #[serde(rename = "triggerId")]
    pub(super) trigger_id: Option<String>,
}

/// Flink's savepoint formats. Windrow accepts both, but always writes savepoints in its own format.
#[derive(Deserialize)]
enum SavepointFormat {
    #[serde(rename = "CANONICAL")]
    Canonical,
    #[serde(rename = "NATIVE")]
    Native,
}

/// Flink's kinds of checkpoints. Windrow accepts every kind, but always decides by itself between a base and a delta.
#[derive(Deserialize)]
enum CheckpointKind {
    #[serde(rename = "CONFIGURED")]
    Configured,
    #[serde(rename = "FULL")]
    Full,
    #[serde(rename = "INCREMENTAL")]
    Incremental,
}

impl FlinkRequestBody for FlinkSavepointRequestBody {
    const FLINK_BODY_CLASS: &str = "SavepointTriggerRequestBody";
}

impl FlinkRequestBody for StopRequestBody {
    const FLINK_BODY_CLASS: &str = "StopWithSavepointRequestBody";
}

impl FlinkRequestBody for CheckpointRequestBody {
    const FLINK_BODY_CLASS: &str = "CheckpointTriggerRequestBody";
}

/// Parses the JSON body of a request. For an empty body, returns the body with the default value of each field.
pub(super) fn parse_request_body<B: FlinkRequestBody>(bytes: &[u8]) -> Result<B, HttpFault> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(B::default());
    }
    let malformed = |error: serde_json::Error| {
        bad_request(format!("Request did not match expected format {}: {error}", B::FLINK_BODY_CLASS))
    };
    // Refuse a JSON array here, because serde would accept an array and assign its elements to the fields in order.
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).map_err(malformed)?;
    serde_json::from_value(object.into()).map_err(malformed)
}

/// Converts the trigger id in a request's body to lower case. In Flink's API, a trigger id identifies the request for a
/// savepoint or checkpoint. Returns a fault if the id is not 32 hexadecimal digits.
pub(super) fn parse_trigger_id(id: Option<String>) -> Result<Option<String>, HttpFault> {
    match id {
        Some(id) if !is_flink_id(&id) => Err(bad_request(format!("triggerId: \"{id}\" is not 32 hexadecimal digits"))),
        id => Ok(id.map(|id| id.to_ascii_lowercase())),
    }
}
