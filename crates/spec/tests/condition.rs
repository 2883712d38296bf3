//! `where` has the meaning of SQL: random conditions against an evaluation that follows the standard, and against the
//! core's own way to write a condition as SQL.

#![expect(clippy::panic, reason = "a refused pipeline fails the test with its rendered mistakes")]

use proptest::prelude::*;
use windrow_core::{Condition, Value};
use windrow_spec::{Diagnostics, Pipeline, SHIPPED_PIPELINE, parse};

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
    /// Writes the condition with as few parentheses as the precedence of the operators allows.
    fn to_sql(&self) -> String {
        match self {
            Self::Compare(left, sign, right) => format!("{} {sign} {}", left.to_sql(), right.to_sql()),
            Self::In(term, negated, list) => {
                let list: Vec<String> = list.iter().map(SqlTerm::to_sql).collect();
                format!("{} {}in ({})", term.to_sql(), if *negated { "NOT " } else { "" }, list.join(", "))
            }
            Self::IsNull(term, negated) => format!("{} IS {}NULL", term.to_sql(), if *negated { "not " } else { "" }),
            Self::Flag(term) => term.to_sql(),
            Self::Not(inner) => format!("NOT {}", inner.to_member_sql(2)),
            Self::And(left, right) => format!("{} AND {}", left.to_member_sql(1), right.to_member_sql(1)),
            Self::Or(left, right) => format!("{} or {}", left.to_member_sql(0), right.to_member_sql(0)),
        }
    }

    /// Writes the condition as a member of a condition whose operator has the precedence `outer`.
    fn to_member_sql(&self, outer: u8) -> String {
        let precedence = match self {
            Self::Or(..) => 0,
            Self::And(..) => 1,
            _ => 2,
        };
        if precedence < outer { format!("({})", self.to_sql()) } else { self.to_sql() }
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
            "[ab']{0,2}".prop_map(SqlTerm::Text)
        ]
        .boxed(),
        1 => prop_oneof![
            prop::sample::select(vec![2_usize, 3]).prop_map(SqlTerm::Field),
            (-2..3_i32, any::<bool>()).prop_map(|(number, half)| SqlTerm::Number(number, half))
        ]
        .boxed(),
        _ => prop_oneof![Just(SqlTerm::Field(4)), any::<bool>().prop_map(SqlTerm::Truth)].boxed(),
    }
}

fn condition() -> impl Strategy<Value = SqlCondition> {
    let sign = prop::sample::select(vec!["=", "<>", "!=", "<", "<=", ">", ">="]);
    let leaf = (0..3_usize, sign, any::<bool>(), 0..5_usize).prop_flat_map(|(kind, sign, negated, shape)| {
        let list = prop::collection::vec(term_of_kind(kind), 1..4);
        (term_of_kind(kind), term_of_kind(kind), list).prop_map(move |(left, right, list)| match shape {
            0 => SqlCondition::In(left, negated, list),
            1 => SqlCondition::IsNull(left, negated),
            4 => SqlCondition::IsNull(SqlTerm::Null, negated),
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

fn parse_pipeline(condition: &str) -> Result<Pipeline, Diagnostics> {
    let fields = r#"
        order = "string"
        "a \"b\"" = "double"
        amount = "long"
        flag = "boolean"
        in = "long"
        "not" = "boolean"
        event_type = "string"
        price = "double"
    "#;
    let declared = "event_type = \"string\"\nprice      = \"double\"";
    assert!(SHIPPED_PIPELINE.contains(declared));
    // A JSON string is a TOML string.
    let condition = serde_json::Value::from(condition);
    let more = format!("more = {{ count = \"*\", where = {condition} }}\n");
    let (without_tests, _) = SHIPPED_PIPELINE.split_once("\n# Tests of this file").expect("the tests at the end");
    parse("p.toml", &(without_tests.replace(declared, fields) + &more), &[])
}

fn compile_condition(condition: &str) -> Condition {
    let pipeline = parse_pipeline(condition).unwrap_or_else(|mistakes| panic!("{condition}\n{mistakes}"));
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

    #[test]
    fn a_compiled_condition_is_written_and_compiled_to_itself(condition in condition()) {
        let pipeline = parse_pipeline(&condition.to_sql()).expect("a valid condition");
        let compiled = pipeline.views[1].features[2].condition.clone().expect("a condition");
        let written = compiled.format_condition_as_sql(&pipeline.event.schema);
        prop_assert_eq!(compile_condition(&written), compiled, "{}", written);
    }
}

#[test]
fn a_comparison_with_the_literal_null_is_refused() {
    for condition in ["amount", "order", "flag", "TRUE", "NULL"] {
        for comparison in [
            format!("{condition} = NULL"),
            format!("NULL <> {condition}"),
            format!("NOT ({condition} >= null)"),
            format!("flag OR NULL < {condition}"),
            format!("{condition} IN (NULL)"),
            format!("{condition} NOT IN ({condition}, NULL)"),
            format!("NULL IN ({condition})"),
        ] {
            assert!(parse_pipeline(&comparison).is_err(), "{comparison}");
        }
    }
    for condition in ["NULL", "NOT NULL", "flag AND NULL"] {
        assert!(parse_pipeline(condition).is_err(), "{condition}");
    }
}

#[test]
fn one_condition_has_several_spellings() {
    for (spelling, usual) in [
        ("amount=1", "amount = 1"),
        ("(amount)=((1))", "amount = 1"),
        ("\tamount\r\n=\u{a0}1\n", "amount = 1"),
        ("amount = 1AND flag", "amount = 1 AND flag"),
        ("order='a'OR'b'=order", "order = 'a' OR 'b' = order"),
        ("Not flag And TRUE", "NOT flag AND true"),
        ("amount<-1", "amount < -1"),
        ("amount > - 1", "amount > -1"),
        ("amount = 007", "amount = 7"),
        ("price = 5. OR price = .5", "price = 5.0 OR price = 0.5"),
        ("price = 1.e2 OR price = 1E-2", "price = 100.0 OR price = 0.01"),
        ("price = 9223372036854775808", "price = 9223372036854775808.0"),
        ("amount NOT NULL", "amount IS NOT NULL"),
        ("\"amount\" = 1", "amount = 1"),
        ("in > 5 AND in IN (in, 7)", "\"in\" > 5 AND \"in\" IN (\"in\", 7)"),
        ("NOT \"not\"", "NOT (\"not\")"),
        ("flag OR flag AND NOT flag", "flag OR (flag AND (NOT flag))"),
        ("NOT amount = 1", "NOT (amount = 1)"),
        ("NOT amount IS NULL", "NOT (amount IS NULL)"),
    ] {
        assert_eq!(compile_condition(spelling), compile_condition(usual), "{spelling}");
    }
}

#[test]
fn texts_that_are_not_conditions_are_refused() {
    for condition in [
        "amount",
        "amount = 1 flag",
        "flag AND",
        "flag AND NOT",
        "flag AND AND flag",
        "NOT",
        "not = flag",
        "amount = - - 1",
        "amount = -(1)",
        "amount = 1 - 1",
        "amount = 1L",
        "amount = 0x1F",
        "amount = 1 /* one */",
        "amount = 1 -- one",
        "amount IN ()",
        "amount IN (1,)",
        "amount IN 1",
        "amount NOT 1",
        "amount IS 1",
        "flag IS NOT TRUE",
        "(amount, amount) = 1",
        "order = N'a'",
        "order = X'1F'",
        "order = 'a' 'b'",
        "order = \"a\"",
        "order = 'a",
        "\"order = 'a'",
        "flag = (flag = flag)",
        "flag = NOT flag",
        "amount = amount = amount",
        "amount IN (amount = 1)",
        "flag IS NULL IS NULL",
        "_ 'a'",
        "flag()",
        "()",
        "(flag",
        "flag)",
    ] {
        assert!(parse_pipeline(condition).is_err(), "{condition}");
    }
}

#[test]
fn parentheses_and_not_nest_32_levels_deep() {
    for (open, close, levels) in [("(", ")", 1), ("NOT ", "", 1), ("flag AND (", ")", 1), ("NOT (", ")", 2)] {
        let nested = |count| format!("{}flag{}", open.repeat(count), close.repeat(count));
        compile_condition(&nested(32 / levels));
        assert!(parse_pipeline(&nested(32 / levels + 1)).is_err(), "{open}");
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
