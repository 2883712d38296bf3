//! Views in words: what is shown to people, and what a view's state is recognised by.
//!
//! Invariant: the texts never change for the same view. State is kept across a restart only where its view's
//! [`FeatureView::definition`] is still the same to the letter, so another wording here would lose it; a test holds them.

use crate::{
    Aggregate, ComparisonOperator, Condition, DurationUnit, EventSchema, FeatureView, FieldId, Literal, Operand,
    WindowKind,
};

impl FeatureView {
    /// Everything about the view that its state depends on: entity key, window, and each feature's name, aggregate with
    /// the type of its field, and condition. Not its own name, defaults, Redis key or TTL: they may change freely.
    #[must_use]
    pub fn definition(&self, schema: &EventSchema) -> String {
        let window = match self.window {
            WindowKind::Sliding { size_ms, slide_ms } => format!("sliding({size_ms}, {slide_ms})"),
            WindowKind::Session { gap_ms } => format!("session({gap_ms})"),
        };
        let features = self.features.iter().map(|feature| {
            let aggregate = feature.aggregate.describe(schema);
            let of = feature
                .aggregate
                .field()
                .map(|field| format!("{} ", schema.field_type(field).name()))
                .unwrap_or_default();
            let condition = feature.condition.as_ref().map(|condition| format!(" where {}", condition.to_sql(schema)));
            format!("{}: {}{aggregate}{}", feature.name, of, condition.unwrap_or_default())
        });
        let features: Vec<_> = features.collect();
        format!("{window} of {} [{}]", quote_identifier(schema.key_name()), features.join("; "))
    }
}

impl Aggregate {
    /// The aggregate as a person writes it: `count(*)`, `avg(price)`, `duration in seconds`.
    #[must_use]
    pub fn describe(self, schema: &EventSchema) -> String {
        let of = |aggregate: &str, field: FieldId| {
            format!("{aggregate}({})", quote_identifier(&schema.fields()[field.0].name))
        };
        match self {
            Self::Count => "count(*)".to_owned(),
            Self::CountField(field) => of("count", field),
            Self::Sum(field) => of("sum", field),
            Self::Avg(field) => of("avg", field),
            Self::Min(field) => of("min", field),
            Self::Max(field) => of("max", field),
            Self::First(field) => of("first", field),
            Self::Last(field) => of("last", field),
            Self::CountDistinct(field) => of("count_distinct", field),
            Self::Duration(DurationUnit::Milliseconds) => "duration in milliseconds".to_owned(),
            Self::Duration(DurationUnit::Seconds) => "duration in seconds".to_owned(),
            Self::Duration(DurationUnit::Minutes) => "duration in minutes".to_owned(),
        }
    }

    /// The field it is computed from.
    const fn field(self) -> Option<FieldId> {
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
    /// The condition in SQL, as it was understood; every AND and OR inside another operator stands in parentheses.
    #[must_use]
    pub fn to_sql(&self, schema: &EventSchema) -> String {
        let operand = |operand: &Operand| operand_to_sql(operand, schema);
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
                format!("{} AND {}", parenthesize_chain(left, schema), parenthesize_chain(right, schema))
            }
            Self::Or(left, right) => {
                format!("{} OR {}", parenthesize_chain(left, schema), parenthesize_chain(right, schema))
            }
            Self::Not(inner) => format!("NOT ({})", inner.to_sql(schema)),
        }
    }
}

fn parenthesize_chain(condition: &Condition, schema: &EventSchema) -> String {
    match condition {
        Condition::And(..) | Condition::Or(..) => format!("({})", condition.to_sql(schema)),
        _ => condition.to_sql(schema),
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

fn operand_to_sql(operand: &Operand, schema: &EventSchema) -> String {
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

/// A field's name, in double quotes where SQL wants it so.
fn quote_identifier(name: &str) -> String {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain(name) && name.starts_with(|c: char| !c.is_ascii_digit()) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
