//! The pages and JSON of a running job: every instance soon shows the current state.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use redis::Commands;
use serde_json::Value;
use windrow_test_support::{HANG_TIMEOUT, free_port, wait_until};

use crate::support::kafka::{OutgoingRecord, TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::windrow::{TestJob, shipped_pipeline};

const PARTITIONS: i32 = 4;
/// Redis's message without the permission to SCAN; the page looks for it.
const SCAN_REFUSAL: &str = "no permissions to run the 'scan' command";

fn view_event(partition: i32, user: &str, time: &str) -> OutgoingRecord {
    let payload = format!(r#"{{"event_time":"{time}","event_type":"view","user_id":"{user}","price":2.5}}"#);
    keyed_record(partition, user, &payload)
}

fn keyed_record(partition: i32, user: &str, payload: &str) -> OutgoingRecord {
    OutgoingRecord {
        partition: Some(partition),
        key: Some(user.into()),
        payload: Some(payload.into()),
        ..OutgoingRecord::default()
    }
}

/// Returns one event per partition that closes the windows of earlier events.
fn closing_events(time: &str) -> Vec<OutgoingRecord> {
    (0..PARTITIONS).map(|partition| view_event(partition, "closing", time)).collect()
}

pub(crate) fn send_request(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(HANG_TIMEOUT)).ok()?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \
         {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

fn get_json(port: u16, path: &str) -> Value {
    let answer = send_request(port, "GET", path, "");
    answer.and_then(|(_, body)| serde_json::from_str(&body).ok()).unwrap_or(Value::Null)
}

fn all_partitions_owned(answer: &Value) -> bool {
    let owned = |all: &Vec<Value>| all.len() == 4 && all.iter().all(|one| one["instance"].is_string());
    answer["partitions"].as_array().is_some_and(owned)
}

#[test]
fn every_instance_shows_the_whole_job() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let ports = [free_port(), free_port()];
    let logs = [folder.path().join("first"), folder.path().join("second")];
    let mut running: Vec<_> = ports
        .iter()
        .zip(&logs)
        .map(|(port, log)| run.start(&["--workers", "1", "--listen", &format!("127.0.0.1:{port}")], log))
        .collect();
    let both = |answer: &Value| answer["instances"].as_array().is_some_and(|all| all.len() == 2);
    for port in ports {
        wait_until("both instances and all partitions", || {
            both(&get_json(port, "/api/instances")) && all_partitions_owned(&get_json(port, "/api/partitions"))
        });
        wait_until("ready", || send_request(port, "GET", "/readyz", "").is_some_and(|(status, _)| status == 200));
    }

    kafka.produce(&topic, &[view_event(0, "111", "2024-01-01T10:00:00")]);
    kafka.produce(&topic, &closing_events("2024-01-01T10:30:00"));
    assert_rows_shown(&redis, ports);
    assert_problems_shown(&kafka, &topic, ports);
    let location = take_savepoint(ports[0]);

    let ended = running.pop().expect("two were started");
    ended.stop(&logs[1]);
    wait_until("the first alone", || {
        get_json(ports[0], "/api/instances")["instances"].as_array().is_some_and(|all| all.len() == 1)
            && all_partitions_owned(&get_json(ports[0], "/api/partitions"))
    });
    running.pop().expect("one is left").stop(&logs[0]);
    let left = std::fs::read_dir(run.state.path().join("ecommerce").join(&run.group).join("instances"));
    assert_eq!(left.map_or(0, Iterator::count), 0, "nothing is left of instances that ended");

    let second = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    second.run_bounded(&["--from", &location]);
}

/// A row is shown as soon as it is in Redis.
fn assert_rows_shown(redis: &Redis, ports: [u16; 2]) {
    wait_until("the row in Redis", || redis.read_rows().contains_key("user_features:111"));
    for port in ports {
        let answer = get_json(port, "/api/features?user=111");
        let row = &answer["feature_views"][0]["current"][0];
        assert_eq!(row["redis_key"], "user_features:111", "{answer}");
        assert!(row["ttl_left_ms"].is_i64(), "{answer}");
    }
    wait_until("the row among those written", || {
        ports.iter().any(|port| get_json(*port, "/api/features?user=111")["feature_views"][0]["recent"][0].is_object())
    });
}

/// Their instance shows a dead letter and a late event, and so does the other instance.
fn assert_problems_shown(kafka: &TestKafka, topic: &str, ports: [u16; 2]) {
    let shown = |port: u16| {
        let answer = get_json(port, "/api/problems");
        let dead = answer["dead_letters"][0]["record"]["text"] == "<script>no JSON";
        dead && answer["late_events"][0]["key"] == "too late"
    };
    let letter = keyed_record(1, "111", "<script>no JSON");
    kafka.produce(topic, &[letter, view_event(1, "too late", "2024-01-01T01:00:00")]);
    let since = Instant::now();
    wait_until("the problems", || ports.iter().any(|port| shown(*port)));
    println!("problems were shown after {:?}", since.elapsed());
    wait_until("the problems at the other", || ports.iter().all(|port| shown(*port)));
}

fn take_savepoint(port: u16) -> String {
    wait_until("checkpoints of everything", || {
        let answer = get_json(port, "/api/partitions");
        let all = answer["partitions"].as_array().cloned().unwrap_or_default();
        all.iter().all(|one| one["checkpoint_age_ms"].is_i64())
    });
    let (status, body) = send_request(port, "POST", "/api/savepoints", "{\"to\": null}").expect("an answer");
    assert_eq!(status, 202, "{body}");
    let request: Value = serde_json::from_str(&body).expect("JSON");
    let request = request["request"].as_str().expect("a name").to_owned();
    let path = format!("/api/savepoints/{request}");
    wait_until("the savepoint", || get_json(port, &path)["status"] != "in_progress");
    let answer = get_json(port, &path);
    assert_eq!((&answer["status"], &answer["partitions"]), (&"completed".into(), &4.into()), "{answer}");
    wait_until("the savepoint in the list", || get_json(port, "/api/checkpoints")["savepoints"][0]["id"].is_string());
    answer["location"].as_str().expect("a place").to_owned()
}

#[test]
fn a_redis_that_is_away_is_shown_until_it_is_back() {
    let kafka = kafka_or_skip!();
    let port = free_port();
    let redis_port = free_port();
    let redis = Redis::start_on(redis_port);
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let running = run.start(&["--workers", "1", "--listen", &format!("127.0.0.1:{port}")], &log);
    wait_until("a running job", || get_json(port, "/api/overview")["job"]["state"] == "running");
    drop(redis);
    wait_until("an unreachable Redis", || {
        get_json(port, "/api/overview")["attention"][0]["what"]
            .as_str()
            .is_some_and(|what| what.starts_with("Redis has been unreachable"))
    });
    assert_eq!(get_json(port, "/api/overview")["job"]["state"], "degraded");
    let features = get_json(port, "/api/features?user=111");
    assert!(features["redis"]["away_since_ms"].is_i64(), "{features}");
    assert_eq!(features["search"]["done"], false, "nothing was looked through: {features}");
    let (status, body) = send_request(port, "GET", "/readyz", "").expect("an answer");
    assert!(status == 503 && body.contains("Redis is unreachable"), "{status} {body}");
    assert_eq!(send_request(port, "GET", "/healthz", "").map(|(status, _)| status), Some(200));
    let redis = Redis::start_on(redis_port);
    wait_until("all well", || get_json(port, "/api/overview")["job"]["state"] == "running");
    assert!(get_json(port, "/api/features?user=111")["redis"]["away_since_ms"].is_null());
    running.stop(&log);
    drop(redis);
}

/// Requests the features of 80 users at the same time.
fn request_features_of_80_users(port: u16) -> Vec<Value> {
    let ask = |n: u32| move || get_json(port, &format!("/api/features?user=crowd-{n}"));
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..80).map(|n| scope.spawn(ask(n))).collect();
        asked.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    })
}

/// Without windows in keys no SCAN is needed, for any number of users.
#[test]
fn rows_whose_keys_are_known_are_not_searched_for() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let port = free_port();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let text = std::fs::read_to_string(shipped_pipeline()).expect("the shipped pipeline");
    let (without_sessions, _) = text.split_once("[feature_view.session_features]").expect("its session view");
    let pipeline = folder.path().join("pipeline.toml");
    std::fs::write(&pipeline, without_sessions).expect("room");
    let run = TestJob::with_pipeline(pipeline, &kafka.brokers, &redis.url(), &topic);
    let running = run.start(&["--workers", "1", "--listen", &format!("127.0.0.1:{port}")], &log);
    wait_until("a running job", || get_json(port, "/api/overview")["job"]["state"] == "running");
    for answer in request_features_of_80_users(port) {
        assert_eq!(answer["search"], serde_json::json!({ "done": true, "failure": null }), "{answer}");
    }
    assert_eq!(scan_steps(&mut redis.connect()), 0.0);
    running.stop(&log);
}

/// A large Redis is scanned slowly, so that pages do not slow the job down. Known rows are shown meanwhile.
#[test]
fn a_large_redis_is_looked_through_without_haste() {
    let kafka = kafka_or_skip!();
    let redis = Redis::start();
    let mut connection = redis.connect();
    // The first 50,000 keys are scanned at once, the rest takes twelve seconds.
    let fill = redis::cmd("EVAL")
        .arg("for i = 1, 700000 do redis.call('SET', 'another:' .. i, '1') end return 1")
        .arg(0)
        .query::<i64>(&mut connection);
    assert_eq!(fill.expect("room"), 1);
    for key in ["user_features:111", "session_features:111:1704103200000", "session_features:1111:1704103200000"] {
        let mut row = redis::pipe();
        row.hset(key, "user_id", "111").ignore().expire(key, 3_000).ignore();
        row.query::<()>(&mut connection).expect("room");
    }
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let port = free_port();
    let run = TestJob::new(&kafka.brokers, &redis.url(), &topic);
    let running = run.start(&["--workers", "1", "--listen", &format!("127.0.0.1:{port}")], &log);
    wait_until("all partitions", || all_partitions_owned(&get_json(port, "/api/partitions")));

    // After a single request the search ends by itself, and does not count as complete.
    assert_eq!(get_json(port, "/api/features?user=left")["search"]["done"], false);
    std::thread::sleep(Duration::from_secs(11));
    let left = scan_steps(&mut connection);
    std::thread::sleep(Duration::from_secs(2));
    assert!(left > 0.0 && left < 700.0, "{left} steps");
    assert_eq!(scan_steps(&mut connection), left, "it is still being looked through");
    assert_eq!(get_json(port, "/api/features?user=left")["search"]["done"], false);
    // A search that fails and is retried is not complete.
    redis::cmd("ACL").arg(&["SETUSER", "default", "-scan"]).query::<()>(&mut connection).expect("ACL SETUSER");
    wait_until("the reason", || {
        let answer = get_json(port, "/api/features?user=refused");
        assert_eq!(answer["search"]["done"], false, "{answer}");
        answer["search"]["failure"].as_str().is_some_and(|why| why.contains(SCAN_REFUSAL))
    });
    redis::cmd("ACL").arg(&["SETUSER", "default", "+scan"]).query::<()>(&mut connection).expect("ACL SETUSER");
    wait_until("that it is searched", || {
        let answer = get_json(port, "/api/features?user=refused");
        assert_eq!(answer["search"]["done"], false, "{answer}");
        answer["search"]["failure"].is_null()
    });
    // The number of users searched at a time is limited. The others get the reason.
    let answer = request_features_of_80_users(port);
    assert!(answer.iter().all(|answer| answer["search"]["done"] == false), "{answer:?}");
    let why = |answer: &&Value| answer["search"]["failure"].as_str().is_some_and(|why| why.contains("64 other users"));
    let refused = answer.iter().filter(why).count();
    assert!((16..80).contains(&refused), "{refused} of {answer:?}");
    // All searches have ended.
    std::thread::sleep(Duration::from_secs(12));
    redis::cmd("CONFIG").arg("RESETSTAT").query::<()>(&mut connection).expect("CONFIG RESETSTAT");

    let began = Instant::now();
    let first = get_json(port, "/api/features?user=111");
    let key_of = |answer: &Value, view: usize| answer["feature_views"][view]["current"][0]["redis_key"].clone();
    assert_eq!(first["search"]["done"], false, "{first}");
    assert_eq!(key_of(&first, 0), "user_features:111", "known without a search");
    wait_until("the end of the search", || get_json(port, "/api/features?user=111")["search"]["done"] == true);
    let steps = scan_steps(&mut connection);
    let allowed = 50.0 + 50.0 * (began.elapsed().as_secs_f64() + 1.0);
    assert!(steps >= 600.0 && steps <= allowed, "{steps} steps in {:?}", began.elapsed());
    let last = get_json(port, "/api/features?user=111");
    assert_eq!(key_of(&last, 1), "session_features:111:1704103200000");
    assert_eq!(last["feature_views"][1]["current"].as_array().map(Vec::len), Some(1), "{last}");
    assert!(last["search"]["failure"].is_null());

    // A row of another instance that Redis no longer holds is not shown.
    connection.del::<_, ()>("session_features:111:1704103200000").expect("DEL");
    wait_until("its end", || key_of(&get_json(port, "/api/features?user=111"), 1).is_null());
    // Without the permission to SCAN, the page shows known rows and the reason for missing ones.
    for refuse in ["-scan", "+scan"] {
        redis::cmd("ACL").arg(&["SETUSER", "default", refuse]).query::<()>(&mut connection).expect("ACL SETUSER");
        wait_until("the reason", || {
            let answer = get_json(port, "/api/features?user=111");
            assert_eq!(key_of(&answer, 0), "user_features:111", "{answer}");
            answer["search"]["failure"].as_str().is_some_and(|why| why.contains(SCAN_REFUSAL)) == (refuse == "-scan")
        });
    }
    running.stop(&log);
}

/// Returns how often Redis executed SCAN.
fn scan_steps(connection: &mut redis::Connection) -> f64 {
    let answer: String = redis::cmd("INFO").arg("commandstats").query(connection).expect("INFO");
    let calls =
        answer.lines().find_map(|line| line.strip_prefix("cmdstat_scan:calls=")?.split(',').next()?.parse().ok());
    println!("{}", answer.lines().find(|line| line.starts_with("cmdstat_scan")).unwrap_or("no scan"));
    calls.unwrap_or(0.0)
}

/// While the start waits for Kafka, the pages show that, and the job can be stopped.
#[test]
fn a_start_that_waits_is_shown() {
    let port = free_port();
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = TestJob::new("127.0.0.1:1", "redis://127.0.0.1:1", "nowhere");
    let running = run.start(&["--listen", &format!("127.0.0.1:{port}")], &log);
    wait_until("an answer", || get_json(port, "/api/overview")["job"]["state"] == "starting");
    let (status, body) = send_request(port, "GET", "/readyz", "").expect("an answer");
    assert!(status == 503 && body.contains("Kafka is unreachable"), "{status} {body}");
    running.stop(&log);
}

/// Cancelling the job also stops instances that are still starting.
#[test]
fn a_cancel_reaches_instances_that_wait_for_their_start() {
    let ports = [free_port(), free_port()];
    let folder = tempfile::tempdir().expect("a folder");
    let run = TestJob::new("127.0.0.1:1", "redis://127.0.0.1:1", "nowhere");
    let start =
        |port: &u16| run.start(&["--listen", &format!("127.0.0.1:{port}")], &folder.path().join(port.to_string()));
    let mut running = ports.each_ref().map(start);
    wait_until("both", || {
        get_json(ports[0], "/api/instances")["instances"].as_array().is_some_and(|all| all.len() == 2)
    });
    let job = get_json(ports[0], "/jobs")["jobs"][0]["id"].as_str().expect("an id").to_owned();
    let cancelled = send_request(ports[0], "PATCH", &format!("/jobs/{job}?mode=cancel"), "").expect("an answer");
    assert_eq!(cancelled.0, 202, "{}", cancelled.1);
    for one in &mut running {
        assert_eq!(one.wait_for_exit(), Some(0));
    }
}

#[test]
fn addresses_that_cannot_be_used_say_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let short = folder.path().join("short");
    std::fs::write(&short, "short\n").expect("a file");
    let short = short.display().to_string();
    for (arguments, why) in [
        (&["--listen", &address][..], "Another program listens there"),
        (&["--listen", "0.0.0.0:0"], "a token is needed: set --token-file"),
        (&["--listen", "127.0.0.1:0", "--token-file", &short], "does not hold a valid token"),
        (&["--listen", "127.0.0.1:0", "--token-file", "/nowhere"], "cannot read --token-file /nowhere"),
        (&["--listen", "here"], "`here` is not an address"),
    ] {
        let output = TestJob::new("127.0.0.1:1", "redis://127.0.0.1:1", "nowhere").run_to_end(arguments);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {log}");
        assert!(log.contains(why), "{arguments:?}: {log}");
    }
}
