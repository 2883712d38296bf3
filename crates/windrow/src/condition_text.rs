//! A `where` condition as text again, as it was understood.

use windrow_core::{Comparison, Condition, Literal, Operand, Schema};

/// `condition` in SQL; every AND and OR inside another operator stands in parentheses.
pub(crate) fn of(condition: &Condition, schema: &Schema) -> String {
    let operand = |operand: &Operand| operand_text(operand, schema);
    match condition {
        Condition::Compare(left, comparison, right) => {
            format!("{} {} {}", operand(left), symbol(*comparison), operand(right))
        }
        Condition::In(value, list) => {
            let list: Vec<_> = list.iter().map(operand).collect();
            format!("{} IN ({})", operand(value), list.join(", "))
        }
        Condition::IsNull(value) => format!("{} IS NULL", operand(value)),
        Condition::IsTrue(value) => operand(value),
        Condition::And(left, right) => format!("{} AND {}", nested(left, schema), nested(right, schema)),
        Condition::Or(left, right) => format!("{} OR {}", nested(left, schema), nested(right, schema)),
        Condition::Not(inner) => format!("NOT ({})", of(inner, schema)),
    }
}

fn nested(condition: &Condition, schema: &Schema) -> String {
    match condition {
        Condition::And(..) | Condition::Or(..) => format!("({})", of(condition, schema)),
        _ => of(condition, schema),
    }
}

fn symbol(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn operand_text(operand: &Operand, schema: &Schema) -> String {
    match operand {
        Operand::Field(field) => schema.fields()[field.0].name.to_string(),
        Operand::Literal(None) => "NULL".to_owned(),
        Operand::Literal(Some(literal)) => match literal {
            Literal::String(text) => format!("'{}'", text.replace('\'', "''")),
            Literal::Double(number) => format!("{number:?}"),
            Literal::Long(number) => number.to_string(),
            Literal::Boolean(truth) => truth.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown, read again, is the same condition.
    #[test]
    fn reads_back_as_the_same_condition() {
        for text in [
            "event_type = 'view'",
            "price >= -1.5 AND event_type <> 'it''s'",
            "NOT (event_type IN ('a', 'b') OR price IS NULL) AND user_id < 'm'",
            "price < 3 OR price > 5 AND event_type IS NOT NULL",
        ] {
            let condition = parse(text);
            let shown = of(&condition, &schema());
            assert_eq!(parse(&shown), condition, "{text} was shown as {shown}");
        }
    }

    fn pipeline(text: &str) -> windrow_spec::Pipeline {
        let feature =
            format!("feature_view.user_features.features.view_count_1h={{ count = \"*\", where = {text:?} }}");
        let overrides = [feature.parse().expect("an override")];
        windrow_spec::parse("test", windrow_spec::ECOMMERCE, &overrides).expect(text)
    }

    fn parse(text: &str) -> Condition {
        let feature = &pipeline(text).views[0].feature_view.features[0];
        feature.condition.clone().expect("a condition")
    }

    fn schema() -> Schema {
        pipeline("price > 0").event.schema
    }
}
