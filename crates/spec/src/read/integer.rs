//! Reads integers within bounds.

use serde_json::{Value, json};

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::read::section::{ReadableValue, SettingValue};
use crate::read::setting::PipelineSetting;

/// An optional setting whose value is an integer from `min` to `max`.
pub(crate) struct IntegerRange {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) default: i64,
    pub(crate) unit: IntegerUnit,
}

/// What an integer counts.
#[derive(Clone, Copy)]
pub(crate) enum IntegerUnit {
    Bytes,
    Generations,
    Replicas,
}

impl SettingValue for IntegerRange {
    fn to_schema(&self) -> Value {
        json!({ "type": "integer", "minimum": self.min, "maximum": self.max, "default": self.default })
    }
}

impl ReadableValue<'_> for IntegerRange {
    type Content = usize;

    fn read_value(&self, setting: &PipelineSetting<'_>, mistakes: &mut DiagnosticCollector<'_>) -> Option<usize> {
        let Self { min, max, .. } = self;
        let expected = match self.unit {
            IntegerUnit::Bytes => format!("{min} to {max} bytes"),
            IntegerUnit::Generations => format!("a number of generations, {min} to {max}"),
            IntegerUnit::Replicas => format!("a number of replicas, {min} to {max}"),
        };
        let number = setting.read_integer(&expected, mistakes)?;
        if (*min..=*max).contains(&number) {
            return usize::try_from(number).ok();
        }
        let message = format!("`{}` cannot be {number}", setting.path);
        mistakes.report(DiagnosticCode::OutOfRange, setting.location, message, expected);
        None
    }

    fn default_content(&self) -> Option<usize> {
        usize::try_from(self.default).ok()
    }
}
