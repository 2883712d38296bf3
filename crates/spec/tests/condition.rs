//! `where` has the meaning of SQL: random conditions against an evaluation that follows the standard.

#![expect(clippy::panic, reason = "a refused pipeline fails the test with its rendered mistakes")]

use proptest::prelude::*;
use windrow_core::{Condition, Value};
use windrow_spec::{SHIPPED_PIPELINE, parse};

/// A condition before it is written as SQL.
#[derive(Clone, Debug)]
enum SqlCondition {
    Compare(SqlTerm, &'static str, SqlTerm),
    In(SqlTerm, bool, Vec<SqlTerm>),
    IsNull(SqlTerm, bool),
    Flag(SqlTerm),
    Not(Box<SqlCondition>),
    And(Box<SqlCondition>, Box<SqlCondition>),
    Or(Box<SqlCondition>, Box<SqlCondition>),
}

#[derive(Clone, Debug)]
enum SqlTerm {
    Field(usize),
    Text(String),
    Number(i32, bool),
    Truth(bool),
    Null,
}

const FIELDS: [&str; 5] = ["user_id", "order", "\"a \"\"b\"\"\"", "amount", "flag"];

impl SqlTerm {
    fn to_sql(&self) -> String {
        match self {
            Self::Field(index) => FIELDS[*index].to_owned(),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Number(number, false) => number.to_string(),
            Self::Number(number, true) => format!("{number}.5"),
            Self::Truth(truth) => if *truth { "TRUE" } else { "false" }.to_owned(),
            Self::Null => "NULL".to_owned(),
        }
    }

    fn value<'a>(&'a self, fields: &[Value<'a>]) -> Value<'a> {
        match self {
            Self::Field(index) => fields[*index],
            Self::Text(text) => Value::String(text),
            Self::Number(number, false) => Value::Long((*number).into()),
            Self::Number(number, true) => Value::Double(format!("{number}.5").parse().expect("a double")),
            Self::Truth(truth) => Value::Boolean(*truth),
            Self::Null => Value::Null,
        }
    }
}

impl SqlCondition {
    fn to_sql(&self) -> String {
        match self {
            Self::Compare(left, sign, right) => format!("{} {sign} {}", left.to_sql(), right.to_sql()),
            Self::In(term, negated, list) => {
                let list: Vec<String> = list.iter().map(SqlTerm::to_sql).collect();
                format!("{} {}in ({})", term.to_sql(), if *negated { "NOT " } else { "" }, list.join(", "))
            }
            Self::IsNull(term, negated) => format!("{} IS {}NULL", term.to_sql(), if *negated { "not " } else { "" }),
            Self::Flag(term) => term.to_sql(),
            Self::Not(inner) => format!("NOT ({})", inner.to_sql()),
            Self::And(left, right) => format!("({}) AND ({})", left.to_sql(), right.to_sql()),
            Self::Or(left, right) => format!("({}) or ({})", left.to_sql(), right.to_sql()),
        }
    }

    /// Returns 0 for false, 1 for unknown, 2 for true. AND is the minimum, OR the maximum, NOT the distance from 2.
    fn truth_value(&self, fields: &[Value<'_>]) -> u8 {
        match self {
            Self::Compare(left, sign, right) => compare(left.value(fields), sign, right.value(fields)),
            Self::In(term, negated, list) => {
                let any = list.iter().map(|one| compare(term.value(fields), "=", one.value(fields))).max().unwrap_or(0);
                if *negated { 2 - any } else { any }
            }
            Self::IsNull(term, negated) => {
                if (term.value(fields) == Value::Null) == *negated {
                    0
                } else {
                    2
                }
            }
            Self::Flag(term) => match term.value(fields) {
                Value::Boolean(truth) => 2 * u8::from(truth),
                _ => 1,
            },
            Self::Not(inner) => 2 - inner.truth_value(fields),
            Self::And(left, right) => left.truth_value(fields).min(right.truth_value(fields)),
            Self::Or(left, right) => left.truth_value(fields).max(right.truth_value(fields)),
        }
    }
}

fn compare(left: Value<'_>, sign: &str, right: Value<'_>) -> u8 {
    let number = |value: Value<'_>| match value {
        Value::Long(number) => format!("{number}").parse::<f64>().ok(),
        Value::Double(number) => Some(number),
        _ => None,
    };
    let ordering = match (left, right) {
        (Value::String(left), Value::String(right)) => left.partial_cmp(right),
        (Value::Boolean(left), Value::Boolean(right)) => left.partial_cmp(&right),
        _ => number(left).zip(number(right)).and_then(|(left, right)| left.partial_cmp(&right)),
    };
    let Some(ordering) = ordering else { return 1 };
    let holds = match sign {
        "=" => ordering.is_eq(),
        "<>" | "!=" => ordering.is_ne(),
        "<" => ordering.is_lt(),
        "<=" => ordering.is_le(),
        ">" => ordering.is_gt(),
        _ => ordering.is_ge(),
    };
    2 * u8::from(holds)
}

fn term_of_kind(kind: usize) -> BoxedStrategy<SqlTerm> {
    match kind {
        0 => prop_oneof![
            prop::sample::select(vec![0_usize, 1]).prop_map(SqlTerm::Field),
            "[ab']{0,2}".prop_map(SqlTerm::Text),
            Just(SqlTerm::Null)
        ]
        .boxed(),
        1 => prop_oneof![
            prop::sample::select(vec![2_usize, 3]).prop_map(SqlTerm::Field),
            (-2..3_i32, any::<bool>()).prop_map(|(number, half)| SqlTerm::Number(number, half)),
            Just(SqlTerm::Null)
        ]
        .boxed(),
        _ => prop_oneof![Just(SqlTerm::Field(4)), any::<bool>().prop_map(SqlTerm::Truth)].boxed(),
    }
}

fn condition() -> impl Strategy<Value = SqlCondition> {
    let sign = prop::sample::select(vec!["=", "<>", "!=", "<", "<=", ">", ">="]);
    let leaf = (0..3_usize, sign, any::<bool>(), 0..4_usize).prop_flat_map(|(kind, sign, negated, shape)| {
        let list = prop::collection::vec(term_of_kind(kind), 1..4);
        (term_of_kind(kind), term_of_kind(kind), list).prop_map(move |(left, right, list)| match shape {
            0 => SqlCondition::In(left, negated, list),
            1 => SqlCondition::IsNull(left, negated),
            2 if kind == 2 => SqlCondition::Flag(left),
            _ => SqlCondition::Compare(left, sign, right),
        })
    });
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| SqlCondition::Not(Box::new(one))),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| SqlCondition::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner).prop_map(|(left, right)| SqlCondition::Or(Box::new(left), Box::new(right))),
        ]
    })
}

fn compile_condition(condition: &str) -> Condition {
    let fields = r#"
        order = "string"
        "a \"b\"" = "double"
        amount = "long"
        flag = "boolean"
        event_type = "string"
        price = "double"
    "#;
    let declared = "event_type = \"string\"\nprice      = \"double\"";
    assert!(SHIPPED_PIPELINE.contains(declared));
    let condition = condition.replace('"', "\\\"");
    let more = format!("more = {{ count = \"*\", where = \"{condition}\" }}\n");
    let text = SHIPPED_PIPELINE.replace(declared, fields) + &more;
    let pipeline = parse("p.toml", &text, &[]).unwrap_or_else(|mistakes| panic!("{condition}\n{mistakes}"));
    pipeline.views[1].features[2].condition.clone().expect("a condition")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn conditions_mean_what_sql_means(
        condition in condition(),
        text in prop::sample::select(vec![Value::Null, Value::String("a"), Value::String("'"), Value::String("")]),
        double in prop::sample::select(vec![Value::Null, Value::Double(0.5), Value::Double(-1.0)]),
        long in prop::sample::select(vec![Value::Null, Value::Long(-1), Value::Long(2)]),
        flag in prop::sample::select(vec![Value::Null, Value::Boolean(true), Value::Boolean(false)]),
    ) {
        let fields = [Value::String("ab"), text, double, long, flag];
        let sql = condition.to_sql();
        prop_assert_eq!(compile_condition(&sql).matches(&fields), condition.truth_value(&fields) == 2, "{}", sql);
    }
}

#[test]
fn long_chains_are_compiled_and_evaluated() {
    let chain = (0..300).map(|n| format!("amount = {n}")).collect::<Vec<_>>().join(" OR ");
    assert!(chain.len() < 4_096 + 1_000);
    let condition = compile_condition(&chain[..chain[..4_000].rfind(" OR ").expect("an OR")]);
    let fields = |amount| [Value::String(""), Value::Null, Value::Null, Value::Long(amount), Value::Null];
    assert!(condition.matches(&fields(0)) && condition.matches(&fields(200)) && !condition.matches(&fields(-1)));
}

#[test]
fn precedence_is_that_of_sql() {
    let fields =
        |amount, flag| [Value::String(""), Value::Null, Value::Null, Value::Long(amount), Value::Boolean(flag)];
    let condition = compile_condition("flag OR NOT amount = 1 AND amount < 5");
    assert!(condition.matches(&fields(1, true)));
    assert!(condition.matches(&fields(2, false)));
    assert!(!condition.matches(&fields(1, false)));
    assert!(!condition.matches(&fields(9, false)));
}
