//! Reads the definition of a view from the text that a checkpoint stores.
//!
//! Owns: splitting a definition text into the window, the entity key and the features. Does not own: writing the text
//! ([`crate::definition`]).
//! Invariant: a text that is not understood gives `None`. The state of such a view can only be used as a whole, by a view
//! with the same text.
//!
//! Checkpoints of older versions store nothing else about the features. Their texts have a closed set of aggregates. Newer
//! checkpoints store each feature by itself, so this module never needs to know a new aggregate.

use crate::aggregate::AccumulatorLayout;
use crate::event::EventSchema;
use crate::view::{Feature, FeatureView, WindowKind};

/// A feature as a checkpoint knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredFeatureDefinition {
    /// The name of the feature.
    pub feature_name: String,
    /// The definition of the feature ([`crate::Feature::definition_text`]).
    pub feature_definition: String,
    /// The accumulators that the feature has in each pane or session.
    pub accumulator_layout: AccumulatorLayout,
}

impl FeatureView {
    /// Returns the features as a checkpoint stores them.
    #[must_use]
    pub fn feature_definitions(&self, schema: &EventSchema) -> Vec<StoredFeatureDefinition> {
        let definition = |feature: &Feature| StoredFeatureDefinition {
            feature_name: feature.name.to_string(),
            feature_definition: feature.definition_text(schema),
            accumulator_layout: AccumulatorLayout::for_aggregate(feature.aggregate, schema),
        };
        self.features.iter().map(definition).collect()
    }
}

/// The part of a view's definition before its features.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredWindowDefinition<'a> {
    /// The window.
    pub window: WindowKind,
    /// How long after its end a window still takes late events, in milliseconds.
    pub allowed_lateness_ms: i64,
    /// The entity key, in double quotes where SQL requires them.
    pub quoted_entity_key: &'a str,
}

/// Returns the window and the entity key of the view with the definition `text`. Returns `None` if the text is not
/// understood.
#[must_use]
pub fn parse_window_definition(text: &str) -> Option<StoredWindowDefinition<'_>> {
    split_definition(text).map(|(window, _)| window)
}

/// Returns the features of the view with the definition `text`. Returns `None` if the text is not understood.
#[must_use]
pub fn parse_feature_definitions(text: &str) -> Option<Vec<StoredFeatureDefinition>> {
    let (_, features) = split_definition(text)?;
    split_outside_quotes(features, "; ")?.into_iter().map(parse_feature).collect()
}

/// Returns the window and key of a view, and the text between the brackets around its features.
fn split_definition(text: &str) -> Option<(StoredWindowDefinition<'_>, &str)> {
    let (window, rest) = text.split_once(" of ")?;
    let (window, allowed_lateness_ms) = match window.split_once(" with lateness(") {
        None => (window, 0),
        Some((window, lateness)) => (window, parse_length(lateness.strip_suffix(')')?)?),
    };
    let window = parse_window(window)?;
    let key_length = find_outside_quotes(rest, " [")?;
    let (quoted_entity_key, rest) = rest.split_at(key_length);
    let features = rest.strip_prefix(" [")?.strip_suffix(']')?;
    Some((StoredWindowDefinition { window, allowed_lateness_ms, quoted_entity_key }, features))
}

fn parse_window(text: &str) -> Option<WindowKind> {
    let arguments = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(arguments) = arguments("sliding") {
        let (size, slide) = arguments.split_once(", ")?;
        return Some(WindowKind::Sliding { size_ms: parse_length(size)?, slide_ms: parse_length(slide)? });
    }
    Some(WindowKind::Session { gap_ms: parse_length(arguments("session")?)? })
}

fn parse_length(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|&length| length > 0)
}

fn parse_feature(text: &str) -> Option<StoredFeatureDefinition> {
    let (name, definition) = text.split_once(": ")?;
    Some(StoredFeatureDefinition {
        feature_name: name.to_owned(),
        feature_definition: definition.to_owned(),
        accumulator_layout: parse_accumulator_layout(definition)?,
    })
}

/// Returns the accumulators of a feature with the definition `definition`, as the versions that stored no layout had them.
fn parse_accumulator_layout(definition: &str) -> Option<AccumulatorLayout> {
    let words = |count| Some(AccumulatorLayout { fixed_size_word_count: count, variable_accumulator_count: 0 });
    let variable = Some(AccumulatorLayout { fixed_size_word_count: 0, variable_accumulator_count: 1 });
    let aggregate = *split_outside_quotes(definition, " where ")?.first()?;
    match aggregate {
        "count(*)" => return words(1),
        "duration in milliseconds" | "duration in seconds" | "duration in minutes" => return words(3),
        _ => {}
    }
    let (field_type, call) = aggregate.split_once(' ')?;
    let is_text = match field_type {
        "string" => true,
        "double" | "long" | "boolean" => false,
        _ => return None,
    };
    let (name, field) = call.strip_suffix(')')?.split_once('(')?;
    if split_outside_quotes(field, ")")?.len() > 1 {
        return None;
    }
    match (name, is_text) {
        ("count", _) => words(1),
        ("count_distinct", _) | ("min" | "max" | "first" | "last", true) => variable,
        ("sum" | "avg" | "min" | "max", false) => words(2),
        ("first" | "last", false) => words(3),
        _ => None,
    }
}

/// Returns the position of the first `separator` that is outside of double quotes.
fn find_outside_quotes(text: &str, separator: &str) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, character)| {
        is_quoted ^= character == '"';
        (!is_quoted && text[at..].starts_with(separator)).then_some(at)
    })
}

/// Splits `text` at each `separator` that is outside of single and double quotes. A doubled quote inside quotes stands for
/// the quote itself. Returns `None` if a quote is missing.
fn split_outside_quotes<'a>(text: &'a str, separator: &str) -> Option<Vec<&'a str>> {
    let (mut parts, mut begin, mut open_quote) = (Vec::new(), 0, None);
    for (at, character) in text.char_indices() {
        if at < begin {
            continue;
        }
        match (open_quote, character) {
            // A doubled quote closes the quotes and opens them again at once, which changes nothing.
            (Some(quote), _) if character == quote => open_quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => open_quote = Some(character),
            (None, _) if text[at..].starts_with(separator) => {
                parts.push(&text[begin..at]);
                begin = at + separator.len();
            }
            (None, _) => {}
        }
    }
    parts.push(&text[begin..]);
    open_quote.is_none().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{ComparisonOperator, Condition, Operand};
    use crate::event::{EventField, FieldId};
    use crate::value::{FieldType, Literal};
    use crate::view::{Aggregate, DurationUnit};

    fn schema() -> EventSchema {
        let field = |name: &str, field_type| EventField { name: name.into(), field_type };
        EventSchema::new(
            "user [id]",
            [
                field("text; \"x\": y", FieldType::String),
                field("double", FieldType::Double),
                field("long", FieldType::Long),
                field("boolean", FieldType::Boolean),
            ],
        )
    }

    fn every_feature() -> Vec<Feature> {
        let per_field = |field: usize| {
            let field = FieldId(field);
            vec![
                Aggregate::CountField(field),
                Aggregate::Min(field),
                Aggregate::Max(field),
                Aggregate::First(field),
                Aggregate::Last(field),
                Aggregate::CountDistinct(field),
            ]
        };
        let mut aggregates = vec![Aggregate::Count, Aggregate::Duration(DurationUnit::Minutes)];
        aggregates.extend((0..=4).flat_map(per_field));
        aggregates.extend([2, 3].map(|field| Aggregate::Sum(FieldId(field))));
        aggregates.extend([2, 3].map(|field| Aggregate::Avg(FieldId(field))));
        let condition = Condition::Compare(
            Operand::Field(FieldId(1)),
            ComparisonOperator::Equal,
            Operand::Literal(Some(Literal::String("it's; a: count(*)]".into()))),
        );
        let with_and_without = aggregates.into_iter().flat_map(|aggregate| {
            [None, Some(condition.clone())].map(|condition| Feature {
                name: "f".into(),
                aggregate,
                condition,
                default_value: None,
            })
        });
        let numbered = with_and_without.enumerate();
        numbered.map(|(index, feature)| Feature { name: format!("f {index}").into(), ..feature }).collect()
    }

    #[test]
    fn the_text_of_every_aggregate_is_understood() {
        let schema = schema();
        let windows = [WindowKind::Sliding { size_ms: 3_000, slide_ms: 1_000 }, WindowKind::Session { gap_ms: 7 }];
        for (window, allowed_lateness_ms) in windows.into_iter().zip([0, 40]) {
            let view = FeatureView {
                name: "v".into(),
                window,
                allowed_lateness_ms,
                empty_window_policy: crate::EmptyWindowPolicy::KeepRow,
                features: every_feature(),
            };
            let text = view.definition_text(&schema);
            let parsed = parse_window_definition(&text).expect("understood");
            let expected = StoredWindowDefinition { window, allowed_lateness_ms, quoted_entity_key: "\"user [id]\"" };
            assert_eq!(parsed, expected);
            assert_eq!(parse_feature_definitions(&text), Some(view.feature_definitions(&schema)));
        }
    }

    #[test]
    fn a_text_that_is_not_understood_gives_nothing() {
        for text in [
            "",
            "sliding(3, 1)",
            "sliding(3, 1) of user",
            "sliding(3) of user [n: count(*)]",
            "sliding(0, 1) of user [n: count(*)]",
            "hopping(3, 1) of user [n: count(*)]",
            "session(3) with lateness(0) of user [n: count(*)]",
            "session(3) late of user [n: count(*)]",
            "session(3) of user n: count(*)",
        ] {
            assert_eq!(parse_window_definition(text), None, "{text}");
            assert_eq!(parse_feature_definitions(text), None, "{text}");
        }
        for text in [
            "[]",
            "[n]",
            "[n: median(price)]",
            "[n: text min(page)]",
            "[n: string sum(page)]",
            "[n: long sum(a) + sum(b)]",
            "[it's: count(*); b: count(*)]",
            "[it's: count(*); b: count(*) where c = 'd']",
        ] {
            assert_eq!(parse_feature_definitions(&format!("session(3) of user {text}")), None, "{text}");
        }
    }
}
