//! Reads booleans.

use serde_json::{Value, json};

use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::read::section::{ReadableValue, SettingValue};
use crate::read::setting::PipelineSetting;

/// An optional setting that is true or false.
pub(crate) struct BooleanDefinition {
    pub(crate) default: bool,
}

impl SettingValue for BooleanDefinition {
    fn to_schema(&self) -> Value {
        json!({ "type": "boolean", "default": self.default })
    }
}

impl ReadableValue<'_> for BooleanDefinition {
    type Content = bool;

    fn read_value(&self, setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<bool> {
        match setting.value {
            DocumentValue::Boolean(truth) => Some(*truth),
            _ => {
                setting.report_wrong_type("a boolean", "true or false", mistakes);
                None
            }
        }
    }

    fn default_content(&self) -> Option<bool> {
        Some(self.default)
    }
}
