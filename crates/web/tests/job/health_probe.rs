//! The client of the health checks: it tells a healthy job from an unhealthy one, and both from another server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use windrow_web::health_probe::{HealthAnswer, HealthCheck, HealthProbeError, probe_health};

use crate::support::TestServer;

const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn an_unhealthy_job_is_told_from_a_healthy_one() {
    let site = TestServer::start();
    let ask = |check| probe_health(site.address, check, TIMEOUT).expect("an answer");
    assert_eq!(ask(HealthCheck::Progress), HealthAnswer::Healthy);
    site.report_source.0.lock().workers[0].heartbeat_age_ms = 40_000;
    assert_eq!(
        ask(HealthCheck::Progress),
        HealthAnswer::Unhealthy(vec!["worker 0 has been stuck for 40 s".to_owned()])
    );
    site.report_source.0.lock().redis_writer.reachability.unreachable_since_ms = Some(1);
    assert_eq!(ask(HealthCheck::Progress), HealthAnswer::Healthy);
    assert!(matches!(ask(HealthCheck::Readiness), HealthAnswer::Unhealthy(_)));
}

/// Starts a server that answers one request with `answer`.
fn serve_once(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let _ = client.read(&mut [0; 1024]);
        let _ = client.write_all(answer.as_bytes());
    });
    address
}

#[test]
fn another_server_is_no_healthy_job() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"title\":\"home\"}",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy",
    ] {
        let outcome = probe_health(serve_once(answer), HealthCheck::Progress, TIMEOUT);
        assert!(matches!(outcome, Err(HealthProbeError::ForeignAnswer(_))), "{outcome:?}");
    }
    let outcome = probe_health(serve_once("-ERR unknown command\r\n"), HealthCheck::Progress, TIMEOUT);
    assert!(matches!(outcome, Err(HealthProbeError::Http(_))), "{outcome:?}");
}

#[test]
fn a_silent_server_costs_no_more_than_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let outcome = probe_health(address, HealthCheck::Progress, Duration::from_millis(50));
    assert!(matches!(outcome, Err(HealthProbeError::Timeout(_))), "{outcome:?}");
}
