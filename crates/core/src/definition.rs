//! Writes the definition of a view as text. A restart finds the stored state of a view by comparing definition texts.
//! Pages show the aggregate and the condition as SQL.
//!
//! Invariant: an unchanged view has the same [`FeatureView::definition_text`] in every version of Windrow. If a new
//! version changed the wording, a restart would not find the stored state of the view. A test fails if a definition
//! text changes.

use crate::condition::{ComparisonOperator, Condition, Operand};
use crate::event::{EventSchema, FieldId};
use crate::value::Literal;
use crate::view::{Aggregate, DurationUnit, Feature, FeatureView, WindowKind};

impl FeatureView {
    /// Returns a text with everything that the view's state depends on: the entity key, the window, the
    /// allowed lateness and the features.
    /// For every feature, the text contains the name, the aggregate, the type of the aggregated field, and the
    /// condition. The text omits the view's name, the defaults and the sink settings, because the state does not depend
    /// on them.
    #[must_use]
    pub fn definition_text(&self, schema: &EventSchema) -> String {
        let features =
            self.features.iter().map(|feature| format!("{}: {}", feature.name, feature.definition_text(schema)));
        let features: Vec<_> = features.collect();
        format!("{} [{}]", self.window_and_key_text(schema), features.join("; "))
    }

    /// Returns the part of [`Self::definition_text`] before the features: the window and the entity key.
    #[must_use]
    pub fn window_and_key_text(&self, schema: &EventSchema) -> String {
        let window = match self.window {
            WindowKind::Sliding { size_ms, slide_ms } => format!("sliding({size_ms}, {slide_ms})"),
            WindowKind::Session { gap_ms } => format!("session({gap_ms})"),
        };
        // A view without allowed lateness has the text of the versions before this setting.
        let lateness = match self.allowed_lateness_ms {
            0 => String::new(),
            lateness_ms => format!(" with lateness({lateness_ms})"),
        };
        format!("{window}{lateness} of {}", quote_identifier(schema.entity_key_name()))
    }
}

impl Feature {
    /// Returns a text with everything that the state of the feature depends on: the aggregate, the type of the aggregated
    /// field, and the condition. The text omits the name and the default.
    #[must_use]
    pub fn definition_text(&self, schema: &EventSchema) -> String {
        let aggregate = self.aggregate.format_aggregate_as_sql(schema);
        let field_type = self
            .aggregate
            .input_field()
            .map(|field| format!("{} ", schema.field_type(field).type_name()))
            .unwrap_or_default();
        let condition =
            self.condition.as_ref().map(|condition| format!(" where {}", condition.format_condition_as_sql(schema)));
        format!("{field_type}{aggregate}{}", condition.unwrap_or_default())
    }
}

impl Aggregate {
    /// Returns the aggregate in a notation like SQL: `count(*)`, `avg(price)`, `duration in seconds`.
    #[must_use]
    pub fn format_aggregate_as_sql(self, schema: &EventSchema) -> String {
        let call = |aggregate: &str, field: FieldId| {
            format!("{aggregate}({})", quote_identifier(&schema.fields()[field.0].name))
        };
        match self {
            Self::Count => "count(*)".to_owned(),
            Self::CountField(field) => call("count", field),
            Self::Sum(field) => call("sum", field),
            Self::Avg(field) => call("avg", field),
            Self::Min(field) => call("min", field),
            Self::Max(field) => call("max", field),
            Self::First(field) => call("first", field),
            Self::Last(field) => call("last", field),
            Self::CountDistinct(field) => call("count_distinct", field),
            Self::Duration(DurationUnit::Milliseconds) => "duration in milliseconds".to_owned(),
            Self::Duration(DurationUnit::Seconds) => "duration in seconds".to_owned(),
            Self::Duration(DurationUnit::Minutes) => "duration in minutes".to_owned(),
        }
    }

    /// Returns the field whose values the aggregate uses. Returns `None` for `count(*)` and durations, which use no
    /// field.
    const fn input_field(self) -> Option<FieldId> {
        match self {
            Self::Count | Self::Duration(_) => None,
            Self::CountField(field)
            | Self::Sum(field)
            | Self::Avg(field)
            | Self::Min(field)
            | Self::Max(field)
            | Self::First(field)
            | Self::Last(field)
            | Self::CountDistinct(field) => Some(field),
        }
    }
}

impl Condition {
    /// Returns the condition as SQL. An AND or OR inside another condition is in parentheses.
    #[must_use]
    pub fn format_condition_as_sql(&self, schema: &EventSchema) -> String {
        let operand = |operand: &Operand| format_operand_as_sql(operand, schema);
        match self {
            Self::Compare(left, comparison, right) => {
                format!("{} {} {}", operand(left), comparison_symbol(*comparison), operand(right))
            }
            Self::In(value, list) => {
                let list: Vec<_> = list.iter().map(operand).collect();
                format!("{} IN ({})", operand(value), list.join(", "))
            }
            Self::IsNull(value) => format!("{} IS NULL", operand(value)),
            Self::IsTrue(value) => operand(value),
            Self::And(left, right) => {
                format!("{} AND {}", parenthesize_and_or(left, schema), parenthesize_and_or(right, schema))
            }
            Self::Or(left, right) => {
                format!("{} OR {}", parenthesize_and_or(left, schema), parenthesize_and_or(right, schema))
            }
            Self::Not(inner) => format!("NOT ({})", inner.format_condition_as_sql(schema)),
        }
    }
}

fn parenthesize_and_or(condition: &Condition, schema: &EventSchema) -> String {
    match condition {
        Condition::And(..) | Condition::Or(..) => format!("({})", condition.format_condition_as_sql(schema)),
        _ => condition.format_condition_as_sql(schema),
    }
}

fn comparison_symbol(comparison: ComparisonOperator) -> &'static str {
    match comparison {
        ComparisonOperator::Equal => "=",
        ComparisonOperator::NotEqual => "<>",
        ComparisonOperator::Less => "<",
        ComparisonOperator::LessOrEqual => "<=",
        ComparisonOperator::Greater => ">",
        ComparisonOperator::GreaterOrEqual => ">=",
    }
}

fn format_operand_as_sql(operand: &Operand, schema: &EventSchema) -> String {
    match operand {
        Operand::Field(field) => quote_identifier(&schema.fields()[field.0].name),
        Operand::Literal(None) => "NULL".to_owned(),
        Operand::Literal(Some(literal)) => match literal {
            Literal::String(text) => format!("'{}'", text.replace('\'', "''")),
            Literal::Double(number) => format!("{number:?}"),
            Literal::Long(number) => number.to_string(),
            Literal::Boolean(truth) => truth.to_string(),
        },
    }
}

/// Returns `name`, in double quotes where SQL requires them.
fn quote_identifier(name: &str) -> String {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain(name) && name.starts_with(|c: char| !c.is_ascii_digit()) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
