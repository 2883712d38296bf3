//! Flink's own client reads every answer. Needs its jars: `WINDROW_TEST_FLINK=dev/flink.sh cargo test …`.

use std::process::Command;

use windrow_web::guard::{AccessToken, ServerProtection, protect};
use windrow_web::server::{HttpServer, bind};

use crate::reports::{BROKEN_SAVEPOINT, TAKEN_SAVEPOINT, UNFINISHED_SAVEPOINT};
use crate::support::TestJob;

#[test]
fn flinks_own_client_reads_every_answer() {
    let Some(flink) = std::env::var_os("WINDROW_TEST_FLINK") else {
        println!("skipped: this test needs Flink's client (WINDROW_TEST_FLINK=…/dev/flink.sh)");
        return;
    };
    let job = TestJob::new();
    let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = HttpServer::start(listener, job.router()).expect("a server");
    let run = |arguments: &[&str]| {
        let output = Command::new(&flink).args(arguments).output().expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    };
    let read = run(&["read", &address, &job.id(), TAKEN_SAVEPOINT, BROKEN_SAVEPOINT, UNFINISHED_SAVEPOINT]);
    for resource in ["JobDetailsInfo", "CheckpointingStatistics", "TaskManagersInfo", "JobVertexBackPressureInfo"] {
        assert!(read.contains(&format!(" as {resource}")), "{read}");
    }
    assert!(read.contains("partition 3 has no owner"), "the reason of a failure comes through: {read}");
    let listed = run(&["run", "--", "list", "-m", &address]);
    assert!(listed.contains(&format!("{} : {} (RUNNING)", job.id(), job.context.pipeline.name)), "{listed}");
    server.shut_down();
}

#[test]
fn its_command_line_can_show_a_token() {
    let Some(flink) = std::env::var_os("WINDROW_TEST_FLINK") else {
        println!("skipped: this test needs Flink's client (WINDROW_TEST_FLINK=…/dev/flink.sh)");
        return;
    };
    let job = TestJob::new();
    let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let token = AccessToken::new("a-token-of-32-characters-or-more").expect("a token");
    let protection = ServerProtection::new(address, Some(token)).expect("protected");
    let server = HttpServer::start(listener, protect(job.router(), &protection)).expect("a server");
    let list = |headers: &str| {
        let list = ["run", "--", "list", "-m", &address.to_string()];
        let output =
            Command::new(&flink).args(list).env("FLINK_REST_CLIENT_HEADERS", headers).output().expect("it runs");
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        (output.status.success(), said)
    };
    let (listed, said) = list("");
    assert!(!listed && !said.contains(&job.id()), "{said}");
    let (listed, said) = list("Authorization:Bearer a-token-of-32-characters-or-more");
    assert!(listed && said.contains(&job.id()), "{said}");
    server.shut_down();
}
