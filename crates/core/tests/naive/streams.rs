//! Random streams and random views: order, lateness, duplicates, users, missing fields, window shapes.

use proptest::prelude::*;
use windrow_core::{
    Aggregate, ComparisonOperator, Condition, DurationUnit, EmptyWindowPolicy, EventField, EventSchema, EventTime,
    Feature, FeatureView, FieldId, FieldType, Literal, Operand, WindowKind,
};

/// One event, owning its values.
#[derive(Clone, Debug)]
pub(crate) struct SampleEvent {
    /// The time to which the watermark advances before the event, because the partition was idle; `None` if it was not.
    pub(crate) idle_watermark: Option<EventTime>,
    pub(crate) key: String,
    pub(crate) time: EventTime,
    pub(crate) kind: Option<String>,
    pub(crate) price: Option<f64>,
    pub(crate) quantity: Option<i64>,
    pub(crate) member: Option<bool>,
}

/// Shorter than "purchase", so that `min`, `max`, `first` and `last` skip this kind.
pub(crate) const MAX_FIELD_BYTES: usize = 4;

pub(crate) const KIND: FieldId = FieldId(1);
pub(crate) const PRICE: FieldId = FieldId(2);
pub(crate) const QUANTITY: FieldId = FieldId(3);
pub(crate) const MEMBER: FieldId = FieldId(4);

pub(crate) fn schema() -> EventSchema {
    let field = |name: &str, field_type| EventField { name: name.into(), field_type };
    EventSchema::new(
        "user_id",
        [
            field("event_type", FieldType::String),
            field("price", FieldType::Double),
            field("quantity", FieldType::Long),
            field("member", FieldType::Boolean),
        ],
    )
    .with_max_field_bytes(MAX_FIELD_BYTES)
}

/// Generates streams around the epoch, where negative times occur, or in 2024. Most steps go forward; some are disordered,
/// far behind, leaps, repeated times, or whole duplicates. Before some events, the watermark advances without an event. Streams of one or two users give windows with many panes. Sums
/// of prices are exact in any order, so they can be compared with those of the reference.
pub(crate) fn stream() -> impl Strategy<Value = Vec<SampleEvent>> {
    stream_with_price_unit(0.25)
}

/// Generates streams as [`stream`] does, in which the sum of prices depends on the order of the additions.
pub(crate) fn stream_with_inexact_sums() -> impl Strategy<Value = Vec<SampleEvent>> {
    stream_with_price_unit(0.1)
}

fn stream_with_price_unit(price_unit: f64) -> impl Strategy<Value = Vec<SampleEvent>> {
    let step = prop_oneof![
        6 => 0_i64..40,
        3 => -60_i64..0,
        1 => -2_000_i64..-60,
        1 => 200_i64..3_000,
        2 => Just(0_i64),
    ];
    let sample = (
        step,
        0_u8..60,
        prop::option::weighted(0.9, 0_u8..3),
        prop::option::weighted(0.8, (-400_i32..4_000).prop_map(move |count| f64::from(count) * price_unit)),
        prop::option::weighted(0.7, prop_oneof![-5_i64..5, Just(i64::MAX), Just(i64::MIN)]),
        prop::option::weighted(0.7, any::<bool>()),
        prop::bool::weighted(0.05),
        prop::option::weighted(0.05, prop_oneof![-500_i64..0, 0_i64..300]),
    );
    let start = prop_oneof![Just(-700_i64), Just(1_704_103_200_000_i64)];
    (start, 1_u8..=6, prop::collection::vec(sample, 0..250)).prop_map(|(start, user_count, steps)| {
        let mut clock = start;
        let mut events: Vec<SampleEvent> = Vec::new();
        for (step, user, kind, price, quantity, member, duplicate, idle_step) in steps {
            let idle_watermark = idle_step.map(|step| EventTime::from_ms(clock + step));
            let time = clock + step;
            if step > 0 {
                clock = time;
            }
            if duplicate && let Some(last) = events.last().cloned() {
                events.push(last);
            }
            events.push(SampleEvent {
                idle_watermark,
                key: ["", "111", "한국", "u:1", "b", "c"][usize::from(user % user_count)].to_owned(),
                time: EventTime::from_ms(time),
                kind: kind.map(|kind| ["view", "cart", "purchase"][usize::from(kind)].to_owned()),
                price,
                quantity,
                member,
            });
        }
        events
    })
}

/// Generates a sliding view (also with gaps between windows), a tumbling view and a session view, with every aggregate and
/// with or without allowed lateness and rows of empty windows.
pub(crate) fn views() -> impl Strategy<Value = (Vec<FeatureView>, i64)> {
    let features = || prop::collection::vec(feature(), 1..6);
    let lateness = || prop_oneof![2 => Just(0_i64), 1 => 1_i64..100, 2 => 100_i64..3_000];
    let latenesses = (lateness(), lateness(), lateness());
    let empty_windows = || prop_oneof![Just(EmptyWindowPolicy::KeepRow), Just(EmptyWindowPolicy::WriteZeros)];
    (
        1_i64..400,
        1_i64..120,
        1_i64..150,
        features(),
        features(),
        0_i64..80,
        latenesses,
        (empty_windows(), empty_windows()),
    )
        .prop_map(
            |(size_ms, slide_ms, gap_ms, sliding, session, max_out_of_orderness_ms, latenesses, empty_windows)| {
                let view = |name: &str, window, features| {
                    let allowed_lateness_ms = match name {
                        "sliding" => latenesses.0,
                        "tumbling" => latenesses.1,
                        _ => latenesses.2,
                    };
                    let empty_window_policy = match name {
                        "sliding" => empty_windows.0,
                        "tumbling" => empty_windows.1,
                        _ => EmptyWindowPolicy::KeepRow,
                    };
                    FeatureView { name: name.into(), window, allowed_lateness_ms, empty_window_policy, features }
                };
                let sliding_view = view("sliding", WindowKind::Sliding { size_ms, slide_ms }, sliding.clone());
                let tumbling_view = view("tumbling", WindowKind::Sliding { size_ms, slide_ms: size_ms }, sliding);
                let session_view = view("session", WindowKind::Session { gap_ms }, session);
                (vec![sliding_view, session_view, tumbling_view], max_out_of_orderness_ms)
            },
        )
}

pub(crate) fn feature() -> impl Strategy<Value = Feature> {
    let aggregate = prop_oneof![
        Just((Aggregate::Count, None)),
        Just((Aggregate::CountField(PRICE), None)),
        Just((Aggregate::Sum(PRICE), Some(Literal::Double(-1.0)))),
        Just((Aggregate::Sum(QUANTITY), Some(Literal::Long(-1)))),
        Just((Aggregate::Avg(PRICE), Some(Literal::Double(0.0)))),
        Just((Aggregate::Min(PRICE), None)),
        Just((Aggregate::Max(QUANTITY), None)),
        Just((Aggregate::Min(KIND), Some(Literal::String("none".into())))),
        Just((Aggregate::Max(KIND), None)),
        Just((Aggregate::First(PRICE), None)),
        Just((Aggregate::Last(KIND), None)),
        Just((Aggregate::First(KIND), None)),
        Just((Aggregate::Last(MEMBER), Some(Literal::Boolean(false)))),
        Just((Aggregate::CountDistinct(PRICE), None)),
        Just((Aggregate::CountDistinct(KIND), None)),
        Just((Aggregate::Duration(DurationUnit::Milliseconds), None)),
        Just((Aggregate::Duration(DurationUnit::Seconds), Some(Literal::Long(-1)))),
    ];
    (aggregate, prop::option::of(condition()), any::<bool>()).prop_map(
        |((aggregate, default), condition, with_default)| Feature {
            name: "f".into(),
            aggregate,
            condition,
            default_value: default.filter(|_| with_default),
        },
    )
}

fn condition() -> impl Strategy<Value = Condition> {
    let is_kind = |kind: &str| {
        Condition::Compare(
            Operand::Field(KIND),
            ComparisonOperator::Equal,
            Operand::Literal(Some(Literal::String(kind.into()))),
        )
    };
    let dear = Condition::Compare(
        Operand::Field(PRICE),
        ComparisonOperator::Greater,
        Operand::Literal(Some(Literal::Long(500))),
    );
    prop_oneof![
        Just(is_kind("view")),
        Just(Condition::Not(Box::new(is_kind("cart")))),
        Just(Condition::Or(Box::new(is_kind("purchase")), Box::new(dear.clone()))),
        Just(Condition::And(Box::new(Condition::IsTrue(Operand::Field(MEMBER))), Box::new(dear))),
        Just(Condition::IsNull(Operand::Field(PRICE))),
    ]
}
