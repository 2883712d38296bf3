//! Measures the cost of a row by the number of panes in its window, and of a firing in a shard that has had many users:
//! `cargo run --release -p windrow-connectors --example firing_cost [USERS]`.
//!
//! Every user has one event in every pane, so a window that fires gives a row for each user. The time contains the events
//! too. Rows are counted and discarded. Prints the median of five rounds.
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use windrow_core::{
    Aggregate, EmptyWindowPolicy, Event, EventField, EventSchema, EventTime, Feature, FeatureView, FieldId, FieldType,
    LateEvent, Row, Shard, ShardOutput, Value, WindowKind,
};

const MINUTE_MS: i64 = 60_000;
/// The field behind the entity key.
const PRICE: FieldId = FieldId(1);
const ROUNDS: usize = 5;
/// The windows that fire in one round.
const FIRINGS_PER_ROUND: i64 = 60;

#[derive(Default)]
struct RowCounter {
    row_count: u64,
}

impl ShardOutput for RowCounter {
    fn emit_row(&mut self, row: Row<'_>) {
        self.row_count += 1;
        for value in row.feature_values() {
            black_box(value);
        }
    }

    fn emit_late_event(&mut self, _: LateEvent<'_>) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    let users: u32 = std::env::args().nth(1).map_or(Ok(200), |users| users.parse())?;
    let keys: Vec<String> = (0..users).map(|user| format!("user-{user}")).collect();
    println!("{:>16}  {:>12}  {:>22}", "panes per window", "ns per row", "of that with six panes");
    let mut first_cost = None;
    for pane_count in [6, 60, 360, 1_440, 10_000] {
        let cost = measure_row_ns(&keys, pane_count);
        let ratio = cost / *first_cost.get_or_insert(cost);
        println!("{pane_count:>16}  {cost:>12.0}  {ratio:>22.2}");
    }
    println!();
    println!("{:>16}  {:>12}", "users before", "us per firing");
    for former_user_count in [0, 10_000, 1_000_000] {
        println!("{former_user_count:>16}  {:>12.1}", measure_firing_us(&keys, former_user_count));
    }
    Ok(())
}

/// Returns the microseconds for one window that fires for `keys`, and their events, in a shard that had state of
/// `former_user_count` users at once.
fn measure_firing_us(keys: &[String], former_user_count: u32) -> f64 {
    let mut shard = new_shard(6);
    let mut rows = RowCounter::default();
    for user in 0..former_user_count {
        send_event(&mut shard, &mut rows, &format!("former-user-{user}"), 0);
    }
    measure_panes(keys, 6, shard) * keys.len() as f64 / 1_000.0
}

/// Returns the nanoseconds for one row and one event.
fn measure_row_ns(keys: &[String], pane_count: i64) -> f64 {
    measure_panes(keys, pane_count, new_shard(pane_count))
}

fn new_shard(pane_count: i64) -> Shard {
    let schema = EventSchema::new("user_id", [EventField { name: "price".into(), field_type: FieldType::Double }]);
    let feature =
        |name: &str, aggregate| Feature { name: name.into(), aggregate, condition: None, default_value: None };
    let view = FeatureView {
        name: "view".into(),
        window: WindowKind::Sliding { size_ms: pane_count * MINUTE_MS, slide_ms: MINUTE_MS },
        allowed_lateness_ms: 0,
        empty_window_policy: EmptyWindowPolicy::KeepRow,
        features: vec![
            feature("events", Aggregate::Count),
            feature("sum", Aggregate::Sum(PRICE)),
            feature("average", Aggregate::Avg(PRICE)),
            feature("largest", Aggregate::Max(PRICE)),
            feature("last", Aggregate::Last(PRICE)),
        ],
    };
    Shard::new([&view], &schema, 0, [7; 16])
}

fn send_event(shard: &mut Shard, rows: &mut RowCounter, key: &str, pane: i64) {
    let fields = [Value::String(key), Value::Double(0.1)];
    let time = EventTime::from_ms(pane * MINUTE_MS);
    shard.process_event(&Event { entity_key: key, time, field_values: &fields }, rows);
}

/// Sends an event of each user for each pane, and returns the nanoseconds per row once the windows of `pane_count` panes
/// are full.
fn measure_panes(keys: &[String], pane_count: i64, mut shard: Shard) -> f64 {
    let mut pane = 1;
    let mut send_pane = |shard: &mut Shard, rows: &mut RowCounter| {
        keys.iter().for_each(|key| send_event(shard, rows, key, pane));
        pane += 1;
    };
    // The windows of a shard are full only after one window size.
    let mut ignored = RowCounter::default();
    (0..pane_count + FIRINGS_PER_ROUND).for_each(|_| send_pane(&mut shard, &mut ignored));
    let mut costs: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut rows = RowCounter::default();
            let started_at = Instant::now();
            (0..FIRINGS_PER_ROUND).for_each(|_| send_pane(&mut shard, &mut rows));
            started_at.elapsed().as_nanos() as f64 / rows.row_count as f64
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs[ROUNDS / 2]
}
