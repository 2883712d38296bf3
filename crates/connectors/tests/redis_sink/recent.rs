//! What the writer records: the newest rows, their freshness, the duration of transactions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windrow_connectors::redis::{MAX_RECENT_ROWS_BYTES, WrittenRow};
use windrow_core::{Value, ViewId};
use windrow_engine::{HistogramCounts, Sink};

use crate::feed::{
    RowFeed, flush_and_wait, only_count, pipeline, settings, start_owning_writer, trigger_record, windowed_pipeline,
};
use crate::server::{RedisServer, run_command};

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is right");
    i64::try_from(since.as_millis()).expect("small")
}

fn fields(row: &WrittenRow) -> Vec<(&str, &str)> {
    row.field_values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn rows_are_remembered_as_they_were_written_newest_first() {
    let (server, pipeline) = (RedisServer::start(&[]), windowed_pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let recent = writer.recent_rows();
    assert_eq!(recent.newest_rows(10, None), []);
    let before = now_ms();
    let odd = "<script>\r\n$3\r\n한";
    feed.write_round(
        &mut sink,
        [(odd, [Value::Long(7), Value::Double(0.5), Value::String("k\r\n"), Value::Boolean(true)])],
    );
    feed.write_round(&mut sink, [("b", only_count(1))]);
    flush_and_wait(&mut sink);

    let rows = recent.newest_rows(100, Some(odd));
    let [windowed, latest] = &rows[..] else { panic!("a row of each view: {rows:?}") };
    assert_eq!((latest.view, windowed.view), (ViewId(0), ViewId(1)));
    assert_eq!(latest.redis_key, format!("latest:{odd}"));
    assert_eq!(
        fields(latest),
        [("user_id", odd), ("count", "7"), ("again", "7"), ("price", "0.5"), ("kind", "k\r\n"), ("flag", "true")]
    );
    assert_eq!((latest.ttl_ms, windowed.ttl_ms), (3_600_000, 7_200_000));
    assert_eq!(windowed.redis_key, format!("window:{odd}:0"));
    assert!((before..=now_ms()).contains(&latest.acknowledged_at_ms), "{}", latest.acknowledged_at_ms);
    // NULL is no field.
    let latest_b: Vec<_> = recent.newest_rows(100, Some("b")).into_iter().filter(|row| row.view == ViewId(0)).collect();
    assert_eq!(fields(&latest_b[0]), [("user_id", "b"), ("count", "1"), ("again", "1")]);

    for count in 2..5 {
        feed.write_round(&mut sink, [("b", only_count(count))]);
        flush_and_wait(&mut sink);
    }
    let counts: Vec<_> = recent.newest_rows(100, Some("b")).iter().map(|row| fields(row)[1].1.to_owned()).collect();
    assert_eq!(counts.iter().filter(|count| **count != "1").collect::<Vec<_>>(), ["4", "3", "2"], "{counts:?}");
    assert_eq!(recent.newest_rows(3, None).len(), 3);
}

#[test]
fn no_more_is_remembered_than_there_is_room_for_and_the_newest_stay() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let users: Vec<_> = (0..5_000).map(|user| format!("user-{user}")).collect();
    for round in 0..6 {
        feed.write_round(&mut sink, users.iter().map(|user| (user.as_str(), only_count(round))));
        flush_and_wait(&mut sink);
    }
    let rows = writer.recent_rows().newest_rows(usize::MAX, None);
    // A row of these takes more than a hundred bytes.
    assert!((1_000..MAX_RECENT_ROWS_BYTES / 100).contains(&rows.len()), "{}", rows.len());
    let newest = rows.iter().find_map(|row| row.field_values.get(1)).expect("a row that is not the clock's");
    assert_eq!(newest.1, "5");
    assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row.acknowledged_at_ms)));
}

#[test]
fn a_refused_row_is_not_among_them() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    run_command(&mut server.connect(), "SET latest:taken precious");
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    sink.set_trigger_record(Some(trigger_record(now_ms(), None)));
    feed.write_round(&mut sink, ["a", "taken", "b"].map(|user| (user, only_count(1))));
    flush_and_wait(&mut sink);
    let users: Vec<_> = writer.recent_rows().newest_rows(10, None).into_iter().map(|row| row.redis_key).collect();
    assert_eq!(users, ["latest:b", "latest:a"]);
    assert_eq!(writer.observer().freshness().ms_since_trigger_event_time.read_counts().total_count(), 2);
}

#[test]
fn freshness_is_counted_once_redis_has_the_rows() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(&server.url(), &pipeline, settings());
    let watch = writer.observer();
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let counts = || {
        (
            watch.freshness().ms_since_trigger_event_time.read_counts(),
            watch.freshness().ms_since_trigger_record_timestamp.read_counts(),
        )
    };

    // Fired by the end of the input.
    sink.set_trigger_record(None);
    feed.write_round(&mut sink, ["a", "b"].map(|user| (user, only_count(1))));
    flush_and_wait(&mut sink);
    assert_eq!(counts(), Default::default());

    server.signal("STOP");
    let appended_ms = now_ms();
    sink.set_trigger_record(Some(trigger_record(appended_ms - 70_000, Some(appended_ms))));
    feed.write_round(&mut sink, ["a", "b", "c"].map(|user| (user, only_count(2))));
    sink.start_flush().expect("works");
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(counts(), Default::default(), "counted before it is there");
    server.signal("CONT");
    flush_and_wait(&mut sink);
    let (event_time, append): (HistogramCounts, HistogramCounts) = counts();
    // Three users and the clock of the round before.
    assert_eq!((event_time.total_count(), append.total_count()), (4, 4));
    assert!(
        event_time.estimate_quantile_ms(0.01) > Some(50_000.0)
            && event_time.estimate_quantile_ms(1.0) <= Some(100_000.0)
    );
    assert!(
        append.estimate_quantile_ms(0.01) > Some(100.0) && append.estimate_quantile_ms(1.0) <= Some(10_000.0),
        "{append:?}"
    );

    // Without a timestamp only one of the two is known.
    sink.set_trigger_record(Some(trigger_record(now_ms(), None)));
    feed.write_round(&mut sink, [("a", only_count(3))]);
    flush_and_wait(&mut sink);
    assert_eq!((counts().0.total_count(), counts().1.total_count()), (6, 4));

    let status = watch.status();
    assert!(status.transaction_count > 0 && status.total_transaction_time > Duration::ZERO, "{status:?}");
    assert!(status.total_transaction_time < Duration::from_secs(30), "{status:?}");
    assert_eq!(status.unacknowledged_bytes_limit, settings().queue_bytes_max);
}

#[test]
fn waiting_for_room_is_counted_while_it_lasts() {
    let (server, pipeline) = (RedisServer::start(&[]), pipeline());
    let writer = start_owning_writer(
        &server.url(),
        &pipeline,
        windrow_connectors::redis::RedisWriterSettings { queue_bytes_max: 64 * 1024, ..settings() },
    );
    let (mut sink, mut feed) = (writer.create_worker_sink(), RowFeed::new(&pipeline));
    let users: Vec<_> = (0..2_000).map(|user| format!("user-{user}")).collect();
    let blocked_ns = sink.blocked_ns_counter();
    assert_eq!(blocked_ns.get(), 0);
    server.signal("STOP");
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            for round in 0..2 {
                feed.write_round(&mut sink, users.iter().map(|user| (user.as_str(), only_count(round))));
            }
            flush_and_wait(&mut sink);
        });
        std::thread::sleep(Duration::from_millis(600));
        let so_far = Duration::from_nanos(blocked_ns.get());
        assert!(so_far >= Duration::from_millis(300), "{so_far:?}");
        server.signal("CONT");
        working.join().expect("it goes on");
    });
}
