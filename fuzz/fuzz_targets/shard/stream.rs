//! Views and events from the fuzzer's bytes.
//!
//! Invariant: the pipeline file and the decoder could produce all of them. Sizes and times are within the core's limits,
//! aggregates fit the types of their fields, doubles are finite.

use arbitrary::Arbitrary;
use windrow_core::{
    Aggregate, ComparisonOperator, Condition, DurationUnit, EmptyWindowPolicy, Event, EventField, EventSchema, EventTime, Feature,
    FeatureView, FieldId, FieldType, Literal, MAX_WINDOW_MS, Operand, Value, WindowKind, pane_size_ms,
};

/// The entities; the empty key is valid.
pub(crate) const KEYS: [&str; 5] = ["", "111", "한국", "u:1", "b"];
const KINDS: [&str; 4] = ["", "view", "cart", "v"];
const KIND: FieldId = FieldId(1);
const PRICE: FieldId = FieldId(2);
const QUANTITY: FieldId = FieldId(3);
const MEMBER: FieldId = FieldId(4);

/// More events are slower, and find no more.
const MOST_EVENTS: usize = 128;
/// The most windows that share an event; more are slower, and find no more.
const MOST_OVERLAP: i64 = 48;

/// The fuzzer's choices.
#[derive(Arbitrary, Debug)]
pub(crate) struct FuzzedInput {
    out_of_orderness: FuzzedLength,
    views: [ViewChoice; 2],
    steps: Vec<EventChoice>,
}

/// A length of time; small ones put events into the same window.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum FuzzedLength {
    Small(u8),
    Medium(u16),
    Any(u64),
}

impl FuzzedLength {
    /// Returns the length, from `least` to the longest window.
    fn ms(self, least: i64) -> i64 {
        let ms = match self {
            Self::Small(ms) => i64::from(ms),
            Self::Medium(ms) => i64::from(ms),
            Self::Any(ms) => (ms % MAX_WINDOW_MS as u64) as i64,
        };
        ms.clamp(least, MAX_WINDOW_MS)
    }
}

#[derive(Arbitrary, Debug)]
struct ViewChoice {
    fires_empty_windows: bool,
    window: WindowChoice,
    /// No lateness in every second choice.
    lateness: Option<FuzzedLength>,
    features: [FeatureChoice; 3],
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum WindowChoice {
    /// The slide, and the size as a multiple of it.
    Multiple(FuzzedLength, u8),
    /// Size and slide, independently.
    Free(FuzzedLength, FuzzedLength),
    Session(FuzzedLength),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct FeatureChoice {
    aggregate: u8,
    condition: u8,
    with_default: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct EventChoice {
    /// How far beyond the last event time the watermark advances before the event, in milliseconds.
    idle_advance: Option<u16>,
    key: u8,
    time: TimeChoice,
    kind: Option<u8>,
    price: Option<f64>,
    quantity: Option<i64>,
    member: Option<bool>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum TimeChoice {
    Forward(u8),
    Back(u8),
    Leap(i32),
    At(i64),
}

/// An event that owns its values.
#[derive(Debug)]
pub(crate) struct SampleEvent {
    step: EventChoice,
    time: EventTime,
    /// The time to which the watermark advances before the event.
    pub(crate) idle_watermark: Option<EventTime>,
}

impl FuzzedInput {
    pub(crate) fn max_out_of_orderness_ms(&self) -> i64 {
        self.out_of_orderness.ms(0)
    }

    pub(crate) fn views(&self) -> Vec<FeatureView> {
        self.views.iter().map(ViewChoice::view).collect()
    }

    pub(crate) fn samples(&self) -> Vec<SampleEvent> {
        let mut clock = 0_i64;
        let samples = self.steps.iter().take(MOST_EVENTS).map(|step| {
            let wished = match step.time {
                TimeChoice::Forward(ms) => clock + i64::from(ms),
                TimeChoice::Back(ms) => clock - i64::from(ms),
                TimeChoice::Leap(ms) => clock + i64::from(ms),
                TimeChoice::At(ms) => ms,
            };
            let idle_watermark = step.idle_advance.map(|ms| {
                let time_ms = (clock + i64::from(ms)).min(EventTime::LATEST.ms());
                EventTime::checked_from_ms(time_ms).expect("within the limits")
            });
            clock = wished.clamp(EventTime::EARLIEST.ms(), EventTime::LATEST.ms());
            SampleEvent {
                step: *step,
                time: EventTime::checked_from_ms(clock).expect("within the limits"),
                idle_watermark,
            }
        });
        samples.collect()
    }
}

impl SampleEvent {
    pub(crate) fn fields(&self) -> [Value<'static>; 5] {
        let kind = self.step.kind.map(|kind| Value::String(KINDS[usize::from(kind) % KINDS.len()]));
        let price = self.step.price.filter(|price| price.is_finite()).map(Value::Double);
        let (quantity, member) = (self.step.quantity.map(Value::Long), self.step.member.map(Value::Boolean));
        let or_null = |value: Option<Value<'static>>| value.unwrap_or(Value::Null);
        [Value::String(self.key()), or_null(kind), or_null(price), or_null(quantity), or_null(member)]
    }

    pub(crate) fn event<'a>(&self, fields: &'a [Value<'a>]) -> Event<'a> {
        Event { entity_key: self.key(), time: self.time, field_values: fields }
    }

    fn key(&self) -> &'static str {
        KEYS[usize::from(self.step.key) % KEYS.len()]
    }
}

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
}

impl ViewChoice {
    /// The first feature always counts all events, so that the laws can compare counts.
    fn view(&self) -> FeatureView {
        let count = Feature { name: "n".into(), aggregate: Aggregate::Count, condition: None, default_value: None };
        let features = std::iter::once(count).chain(self.features.iter().map(FeatureChoice::feature)).collect();
        let allowed_lateness_ms = self.lateness.map_or(0, |lateness| lateness.ms(0));
        let is_sliding = matches!(self.window.kind(), WindowKind::Sliding { .. });
        let empty_window_policy = if is_sliding && self.fires_empty_windows {
            EmptyWindowPolicy::WriteZeros
        } else {
            EmptyWindowPolicy::KeepRow
        };
        FeatureView { name: "v".into(), window: self.window.kind(), allowed_lateness_ms, empty_window_policy, features }
    }
}

impl WindowChoice {
    fn kind(self) -> WindowKind {
        match self {
            Self::Multiple(slide, times) => {
                let slide_ms = slide.ms(1);
                let size_ms = (slide_ms * i64::from(times).clamp(1, MOST_OVERLAP)).min(MAX_WINDOW_MS);
                // Rounded down to a multiple again, so that there are no more panes than slides.
                WindowKind::Sliding { size_ms: size_ms - size_ms % slide_ms, slide_ms }
            }
            Self::Free(size, slide) => {
                let size_ms = size.ms(1);
                let slide_ms = slide.ms(1).max(size_ms / MOST_OVERLAP);
                let panes = size_ms / pane_size_ms(size_ms, slide_ms);
                // The pipeline file refuses more.
                let slide_ms = if panes > windrow_core::MAX_PANES_PER_WINDOW { size_ms } else { slide_ms };
                WindowKind::Sliding { size_ms, slide_ms }
            }
            Self::Session(gap) => WindowKind::Session { gap_ms: gap.ms(1) },
        }
    }
}

impl FeatureChoice {
    fn feature(&self) -> Feature {
        let (aggregate, default) = self.aggregate();
        Feature {
            name: "f".into(),
            aggregate,
            condition: self.condition(),
            default_value: self.with_default.then_some(default),
        }
    }

    fn aggregate(&self) -> (Aggregate, Literal) {
        let (text, double, long) = (Literal::String("none".into()), Literal::Double(0.5), Literal::Long(-1));
        match self.aggregate % 20 {
            0 => (Aggregate::Count, long),
            1 => (Aggregate::CountField(KIND), long),
            2 => (Aggregate::CountField(PRICE), long),
            3 => (Aggregate::Sum(PRICE), double),
            4 => (Aggregate::Sum(QUANTITY), long),
            5 => (Aggregate::Avg(PRICE), double),
            6 => (Aggregate::Avg(QUANTITY), double),
            7 => (Aggregate::Min(KIND), text),
            8 => (Aggregate::Max(KIND), text),
            9 => (Aggregate::Min(PRICE), double),
            10 => (Aggregate::Max(QUANTITY), long),
            11 => (Aggregate::First(KIND), text),
            12 => (Aggregate::Last(KIND), text),
            13 => (Aggregate::First(MEMBER), Literal::Boolean(true)),
            14 => (Aggregate::Last(PRICE), double),
            15 => (Aggregate::CountDistinct(KIND), long),
            16 => (Aggregate::CountDistinct(PRICE), long),
            17 => (Aggregate::Duration(DurationUnit::Milliseconds), long),
            18 => (Aggregate::Duration(DurationUnit::Seconds), long),
            _ => (Aggregate::Duration(DurationUnit::Minutes), long),
        }
    }

    fn condition(&self) -> Option<Condition> {
        let is_view = Condition::Compare(
            Operand::Field(KIND),
            ComparisonOperator::Equal,
            Operand::Literal(Some(Literal::String("view".into()))),
        );
        let dear = Condition::Compare(
            Operand::Field(PRICE),
            ComparisonOperator::Greater,
            Operand::Literal(Some(Literal::Long(5))),
        );
        Some(match self.condition % 8 {
            0 => is_view,
            1 => Condition::Not(Box::new(is_view)),
            2 => Condition::Or(Box::new(is_view), Box::new(dear)),
            3 => Condition::And(Box::new(Condition::IsTrue(Operand::Field(MEMBER))), Box::new(dear)),
            4 => Condition::IsNull(Operand::Field(QUANTITY)),
            _ => return None,
        })
    }
}
