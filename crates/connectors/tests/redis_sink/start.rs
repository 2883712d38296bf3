//! Starting, with and without a Redis that lets us.

use std::thread;
use std::time::{Duration, Instant};

use windrow_connectors::redis::{RedisWriter, Settings};
use windrow_engine::{Halt, Stop};

use crate::feed::{Feed, only_count, pipeline, settings, settle, writer};
use crate::server::{Server, hash, run};

fn start(url: &str, settings: Settings, stop: Stop) -> Result<RedisWriter, Halt> {
    crate::feed::start(url, &pipeline(), settings, stop)
}

fn refused(url: &str) -> String {
    match start(url, settings(), Stop::default()).err() {
        Some(Halt::Refused(message)) => message,
        other => unreachable!("not refused: {other:?}"),
    }
}

#[test]
fn waits_for_a_redis_that_comes_later() {
    let (mut server, pipeline) = (Server::prepare(&[]), pipeline());
    let url = server.url();
    let later = thread::spawn(move || {
        thread::sleep(Duration::from_millis(400));
        server.up();
        server
    });
    let began = Instant::now();
    let writer = writer(&url, &pipeline, settings());
    assert!(began.elapsed() >= Duration::from_millis(400), "it cannot have been there");
    let server = later.join().expect("redis-server starts");
    let mut sink = writer.sink();
    Feed::new(&pipeline).round(&mut sink, [("u", only_count(1))]);
    settle(&mut sink);
    assert_eq!(hash(&mut server.client(), "latest:u")["count"], "1");
}

#[test]
fn gives_up_when_told_to() {
    let server = Server::prepare(&[]);
    let settings = Settings { start_timeout: Some(Duration::from_millis(300)), ..settings() };
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port);
    let Err(Halt::NotReachable(message)) = start(&url, settings, Stop::default()) else {
        unreachable!("there is no Redis");
    };
    let named = ["127.0.0.1", &server.port.to_string(), "refused", "attempts", "sink.redis.url", "--start-timeout"];
    for part in named {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_stop_ends_the_waiting() {
    let server = Server::prepare(&[]);
    let stop = Stop::default();
    stop.request();
    let settings = Settings { start_timeout: None, ..settings() };
    let began = Instant::now();
    assert!(matches!(start(&server.url(), settings, stop), Err(Halt::NotReachable(_))));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_wrong_password_is_refused_without_repeating_it() {
    let server = Server::start(&["--requirepass", "right"]);
    for login in ["redis://:hunter2@", "redis://me:hunter2@", "redis://"] {
        let message = refused(&format!("{login}127.0.0.1:{}", server.port));
        assert!(message.contains("sink.redis.url") && message.contains(&server.port.to_string()), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    start(&format!("redis://:right@127.0.0.1:{}", server.port), settings(), Stop::default()).expect("let in");
}

#[test]
fn a_missing_permission_is_refused_before_the_first_row() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let url = format!("redis://me:pw@127.0.0.1:{}", server.port);
    run(
        &mut client,
        "ACL SETUSER me on >pw ~latest:* ~windrow:fence:* +hlen +hset +hdel +pexpire +watch +get +set +multi +exec +discard",
    );
    let allowed = writer(&url, &pipeline(), settings());
    let mut sink = allowed.sink();
    Feed::new(&pipeline()).round(&mut sink, [("u", only_count(1))]);
    settle(&mut sink);
    assert_eq!(hash(&mut client, "latest:u")["count"], "1", "what the module's page lists is enough");
    run(&mut client, "FLUSHALL");
    for command in ["pexpire", "multi", "exec", "discard", "watch", "get", "set"] {
        run(&mut client, &format!("ACL SETUSER me -{command}"));
        let message = refused(&url);
        assert!(message.contains("NOPERM") && message.contains(command), "{message}");
        run(&mut client, &format!("ACL SETUSER me +{command}"));
    }
    for keys in ["~latest:*", "~windrow:fence:*"] {
        run(&mut client, &format!("ACL SETUSER me resetkeys {keys}"));
        assert!(refused(&url).contains("NOPERM"), "only {keys}");
    }
    let size: u64 = redis::cmd("DBSIZE").query(&mut client).expect("DBSIZE");
    assert_eq!(size, 0, "asking has written nothing");
}

#[test]
fn a_cluster_is_refused() {
    let server = Server::start(&["--cluster-enabled", "yes"]);
    let mut client = server.client();
    run(&mut client, "CLUSTER ADDSLOTSRANGE 0 16383");
    crate::server::eventually("the cluster", || {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut client).expect("CLUSTER INFO");
        info.contains("cluster_state:ok").then_some(())
    });
    let message = refused(&server.url());
    assert!(message.contains("Cluster") && message.contains("sink.redis.url"), "{message}");
}

#[test]
fn a_url_that_is_none_is_refused() {
    assert!(refused("http://:hunter2@localhost").contains("sink.redis.url"));
}
