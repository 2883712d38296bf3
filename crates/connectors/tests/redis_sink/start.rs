//! The start of a writer: Redis absent, refusing, or ready.

use std::net::{IpAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use windrow_connectors::redis::{RedisWriter, RedisWriterSettings, read_features};
use windrow_engine::halt::{ErrorChain, UnreachableService};
use windrow_engine::{Halt, StopSignal};

use crate::feed::{RowFeed, flush_and_wait, only_count, pipeline, settings, start_owning_writer};
use crate::server::{RedisServer, read_hash, run_command};

fn start(url: &str, settings: RedisWriterSettings, stop: StopSignal) -> Result<RedisWriter, Halt> {
    crate::feed::start_writer(url, &pipeline(), settings, stop)
}

fn refusal_message(url: &str) -> String {
    match start(url, settings(), StopSignal::default()).err() {
        Some(halt @ Halt::Refused(_)) => ErrorChain(&halt).to_string(),
        other => unreachable!("not refused: {other:?}"),
    }
}

#[test]
fn waits_for_a_redis_that_comes_later() {
    let (mut server, pipeline) = (RedisServer::prepare(&[]), pipeline());
    let url = server.url();
    let later = thread::spawn(move || {
        thread::sleep(Duration::from_millis(400));
        server.start_process();
        server
    });
    let began = Instant::now();
    let writer = start_owning_writer(&url, &pipeline, settings());
    assert!(began.elapsed() >= Duration::from_millis(400), "it cannot have been there");
    let server = later.join().expect("redis-server starts");
    let mut sink = writer.create_worker_sink();
    RowFeed::new(&pipeline).write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);
    assert_eq!(read_hash(&mut server.connect(), "latest:u")["count"], "1");
}

#[test]
fn gives_up_when_told_to() {
    let server = RedisServer::prepare(&[]);
    let settings = RedisWriterSettings { start_timeout: Some(Duration::from_millis(300)), ..settings() };
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port);
    let Err(halt @ Halt::Unreachable(UnreachableService::RowStoreAtStart { .. })) =
        start(&url, settings, StopSignal::default())
    else {
        unreachable!("there is no Redis");
    };
    let message = ErrorChain(&halt).to_string();
    for part in ["127.0.0.1", &server.port.to_string(), "refused", "attempts"] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_stop_ends_the_waiting() {
    let server = RedisServer::prepare(&[]);
    let stop = StopSignal::default();
    stop.request();
    let settings = RedisWriterSettings { start_timeout: None, ..settings() };
    assert!(matches!(
        start(&server.url(), settings, stop),
        Err(Halt::Unreachable(UnreachableService::StoppedWaitingForRowStore { .. }))
    ));
}

#[test]
fn a_wrong_password_is_refused_without_repeating_it() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let said = "WRONGPASS invalid username-password pair or user is disabled.";
    for (login, said) in
        [("redis://:hunter2@", said), ("redis://me:hunter2@", said), ("redis://", "NOAUTH Authentication required.")]
    {
        let message = refusal_message(&format!("{login}127.0.0.1:{}", server.port));
        for part in [said, &server.port.to_string(), "sink.redis.url"] {
            assert!(message.contains(part), "{part} is missing: {message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
    }
    start(&format!("redis://:right@127.0.0.1:{}", server.port), settings(), StopSignal::default()).expect("let in");
}

/// Redis repeats the arguments of a command that it does not know.
#[test]
fn a_redis_without_auth_is_refused_without_repeating_the_password() {
    let server = RedisServer::start(&["--rename-command", "AUTH", ""]);
    for login in [":hunter2@", "me:hunter2@"] {
        let message = refusal_message(&format!("redis://{login}127.0.0.1:{}", server.port));
        assert!(message.contains("unknown command 'AUTH'"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

/// Without a password, Redis serves only connections from the loopback interface, and says so before it closes others.
#[test]
fn protected_mode_is_refused_with_the_way_out() {
    let Some(address) = own_address() else {
        println!("skipped: this machine has only the loopback interface");
        return;
    };
    let server = RedisServer::start(&["--bind", "0.0.0.0", "--protected-mode", "yes"]);
    for login in ["", ":hunter2@"] {
        let url = format!("redis://{login}{address}:{}", server.port);
        // Repeated, because the connection may already be closed when the login is written.
        for _ in 0..20 {
            let read = read_features(&url, &pipeline(), "u").expect_err("protected").to_string();
            for message in [refusal_message(&url), read] {
                for part in ["DENIED Redis is running in protected mode", "sink.redis.url", "protected-mode no"] {
                    assert!(message.contains(part), "{part} is missing: {message}");
                }
                assert!(!message.contains('\n') && message.len() < 500, "{message}");
                assert!(!message.contains("hunter2"), "{message}");
            }
        }
    }
}

/// Returns an address of this machine other than the loopback address. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

/// A full Redis may have room later, so the writer waits. The reason is the answer of Redis.
#[test]
fn a_redis_with_too_many_clients_is_named() {
    let server = RedisServer::start(&["--maxclients", "1"]);
    let _only_client = server.connect();
    for login in ["", ":hunter2@"] {
        let url = format!("redis://{login}127.0.0.1:{}", server.port);
        let settings = RedisWriterSettings { start_timeout: Some(Duration::from_millis(300)), ..settings() };
        let Err(halt @ Halt::Unreachable(UnreachableService::RowStoreAtStart { .. })) =
            start(&url, settings, StopSignal::default())
        else {
            unreachable!("there is no room");
        };
        let message = ErrorChain(&halt).to_string();
        assert!(message.contains("max number of clients reached") && message.contains("maxclients"), "{message}");
    }
}

#[test]
fn a_database_that_does_not_exist_is_refused() {
    let server = RedisServer::start(&[]);
    let message = refusal_message(&format!("{}/99", server.url()));
    assert!(message.contains("database 99") && message.contains("DB index is out of range"), "{message}");
    start(&format!("{}/15", server.url()), settings(), StopSignal::default()).expect("it exists");
}

#[test]
fn a_missing_permission_is_refused_before_the_first_row() {
    let server = RedisServer::start(&[]);
    let mut client = server.connect();
    let url = format!("redis://me:pw@127.0.0.1:{}", server.port);
    run_command(
        &mut client,
        "ACL SETUSER me on >pw ~latest:* ~windrow:fence:* +hlen +hset +hdel +pexpire +watch +get +set +multi +exec +discard",
    );
    let allowed = start_owning_writer(&url, &pipeline(), settings());
    let mut sink = allowed.create_worker_sink();
    RowFeed::new(&pipeline()).write_round(&mut sink, [("u", only_count(1))]);
    flush_and_wait(&mut sink);
    assert_eq!(read_hash(&mut client, "latest:u")["count"], "1", "what the module's page lists is enough");
    run_command(&mut client, "FLUSHALL");
    for command in ["pexpire", "multi", "exec", "discard", "watch", "get", "set"] {
        run_command(&mut client, &format!("ACL SETUSER me -{command}"));
        let message = refusal_message(&url);
        assert!(message.contains("NOPERM") && message.contains(command), "{message}");
        run_command(&mut client, &format!("ACL SETUSER me +{command}"));
    }
    for keys in ["~latest:*", "~windrow:fence:*"] {
        run_command(&mut client, &format!("ACL SETUSER me resetkeys {keys}"));
        assert!(refusal_message(&url).contains("NOPERM"), "only {keys}");
    }
    let size: u64 = redis::cmd("DBSIZE").query(&mut client).expect("DBSIZE");
    assert_eq!(size, 0, "asking has written nothing");
}

/// Only rows that can supersede others need the permission to delete keys.
#[test]
fn sessions_with_allowed_lateness_need_the_permission_to_delete_keys() {
    let server = RedisServer::start(&[]);
    let mut client = server.connect();
    let url = format!("redis://me:pw@127.0.0.1:{}", server.port);
    run_command(
        &mut client,
        "ACL SETUSER me on >pw ~* +hlen +hset +hdel +pexpire +watch +get +set +multi +exec +discard",
    );
    let session = |key, lateness| {
        let view = format!(
            "[feature_view.visits]\nwindow.session.gap = \"1s\"\nkey = \"{key}\"\nttl = \"1h\"\n\
             allowed_lateness = \"{lateness}\"\nfeatures.events = {{ count = \"*\" }}\n"
        );
        windrow_spec::parse("test.toml", &format!("{}{view}", crate::feed::PIPELINE), &[]).expect("a pipeline")
    };
    let start = |pipeline| crate::feed::start_writer(&url, &pipeline, settings(), StopSignal::default());
    start(session("visits:{user_id}:{window_start}", "0s")).expect("no row supersedes another");
    start(session("visits:{user_id}", "1h")).expect("a row replaces the one before it");
    let refused = match start(session("visits:{user_id}:{window_start}", "1h")).err() {
        Some(halt @ Halt::Refused(_)) => ErrorChain(&halt).to_string(),
        other => unreachable!("not refused: {other:?}"),
    };
    assert!(refused.contains("NOPERM") && refused.contains("del"), "{refused}");
    run_command(&mut client, "ACL SETUSER me +del");
    start(session("visits:{user_id}:{window_start}", "1h")).expect("it may delete keys");
}

#[test]
fn a_cluster_is_refused() {
    let server = RedisServer::start(&["--cluster-enabled", "yes"]);
    let mut client = server.connect();
    run_command(&mut client, "CLUSTER ADDSLOTSRANGE 0 16383");
    crate::server::eventually("the cluster", || {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut client).expect("CLUSTER INFO");
        info.contains("cluster_state:ok").then_some(())
    });
    let message = refusal_message(&server.url());
    assert!(message.contains("cluster mode") && message.contains("sink.redis.url"), "{message}");
}

#[test]
fn a_url_that_is_none_is_refused() {
    assert!(refusal_message("http://:hunter2@localhost").contains("sink.redis.url"));
}
