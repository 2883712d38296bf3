//! `windrow kafka-ui` without Kafka: wrong flags are reported before it listens, and pages report that Kafka is
//! unreachable, or that its answers are wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use windrow_test_support::HANG_TIMEOUT;

use crate::windrow::{run, windrow_command};

#[test]
fn flags_that_cannot_be_used_are_2() {
    let folder = TempDir::new().expect("a folder");
    let short = folder.path().join("token");
    std::fs::write(&short, "short").expect("a file");
    let short = short.to_string_lossy();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("its address").to_string();
    for (args, stderr) in [
        (vec!["--listen", "8080"], "`8080` is not an address; write for example 127.0.0.1:8081"),
        (vec!["--listen", "off"], "--listen must not be off"),
        (
            vec!["--listen", "0.0.0.0:0"],
            "0.0.0.0:0 can be reached from other machines, so a token is needed: set --token-file",
        ),
        (vec!["--listen", "0.0.0.0:0"], "or the environment variable WINDROW_TOKEN"),
        (vec!["--listen", &taken], "Another program listens there: choose another port"),
        (vec!["--listen", "0.0.0.0:0", "--token-file", &short], "a token is 16 to 1024 printable ASCII characters"),
        (vec!["--token-file", "no/such/token"], "cannot read --token-file no/such/token: No such file"),
        (vec!["--brokers", ""], "a value is required for '--brokers"),
        (vec!["--trusted-proxy", "proxy.example"], "invalid IP address syntax"),
        (vec!["--public-host", "https://windrow.example"], "without scheme, port and path"),
        (
            vec!["--public-host", "*.windrow.example"],
            "a wildcard names no host; give the option once for each host name",
        ),
        (vec!["--public-host", "a.example,b.example"], "one host name at a time; give the option once for each"),
        (vec!["--broker", "x"], "unexpected argument '--broker'"),
    ] {
        let refused = run(["kafka-ui"].iter().chain(&args)).expect(2).expect_stderr(&[stderr]);
        assert!(!refused.stderr.contains("http://"), "{args:?}: nothing listens");
    }
    run(["kafka-ui", "no/such/pipeline.toml"]).expect(3).expect_stderr(&["no/such/pipeline.toml does not exist"]);
    run(["kafka-ui", "--set", "source.kafka.borkers=x"]).expect(3).expect_stderr(&["borkers"]);
}

/// A running `windrow kafka-ui`, and its address.
struct RunningKafkaUi(Child, String);

impl RunningKafkaUi {
    fn start(args: &[&str]) -> Self {
        let all = ["kafka-ui", "--listen", "127.0.0.1:0"].iter().chain(args);
        let mut child =
            windrow_command(all).env_remove("WINDROW_TOKEN").stderr(Stdio::piped()).spawn().expect("windrow starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let stderr =
            lines.find_map(|line| line.expect("text").split_once("http://").map(|(_, address)| address.to_owned()));
        // Keep reading, so that the process never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, stderr.expect("it says where it is"))
    }

    /// Sends a GET request and returns status line, headers and body.
    fn get(&self, path: &str, headers: &str) -> String {
        self.request("GET", path, headers, "")
    }

    /// Sends a request and returns status line, headers and body of the answer.
    fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.1).expect("it listens");
        stream.set_read_timeout(Some(HANG_TIMEOUT)).expect("a timeout");
        let host = &self.1;
        let host = if headers.starts_with("Host: ") { String::new() } else { format!("Host: {host}\r\n") };
        let fixed = format!("{host}Connection: close\r\nContent-Length: {}\r\n", body.len());
        write!(stream, "{method} {path} HTTP/1.1\r\n{fixed}{headers}\r\n{body}").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for RunningKafkaUi {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn without_kafka_pages_are_there_and_say_so_and_sigterm_ends_it() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").to_string();
    let mut ui = RunningKafkaUi::start(&["--brokers", &closed]);
    let page = ui.get("/topics/a%3Cb%3E/messages", "");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<title>Kafka"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
    let topics = ui.get("/api/topics", "");
    assert!(topics.starts_with("HTTP/1.1 503 "), "{topics}");
    assert!(topics.contains(&format!("{{\"errors\":[\"Kafka at {closed} does not answer")), "{topics}");
    assert!(ui.get("/api/no-such", "").contains("{\"errors\":["), "unknown paths answer in the same form");
    kill_process(Pid::from_child(&ui.0), Signal::TERM).expect("it lives");
    assert_eq!(ui.0.wait().expect("it ends").code(), Some(0));
}

#[test]
fn with_a_token_only_those_who_know_it_are_answered() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "0123456789abcdef0123\n").expect("a file");
    let ui = RunningKafkaUi::start(&["--brokers", "127.0.0.1:1", "--token-file", &file.to_string_lossy()]);
    assert!(ui.get("/api/topics", "").starts_with("HTTP/1.1 401 "));
    let known = ui.get("/api/topics", "Authorization: Bearer 0123456789abcdef0123\r\n");
    assert!(known.starts_with("HTTP/1.1 503 "), "{known}");
}

#[test]
fn behind_tls_the_login_cookie_is_secure() {
    const HEADERS: &str = "Content-Type: application/x-www-form-urlencoded\r\nX-Forwarded-Proto: https\r\n";
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "0123456789abcdef0123\n").expect("a file");
    let file = file.to_string_lossy();
    for (flags, is_secure) in [
        (&["--behind-tls"][..], true),
        (&["--trusted-proxy", "192.0.2.1", "--trusted-proxy", "127.0.0.1"], true),
        (&["--trusted-proxy", "192.0.2.1"], false),
        (&[], false),
    ] {
        let ui = RunningKafkaUi::start(&[&["--brokers", "127.0.0.1:1", "--token-file", &file], flags].concat());
        let answer = ui.request("POST", "/login", HEADERS, "token=0123456789abcdef0123");
        let cookie = answer.lines().find(|line| line.starts_with("set-cookie: ")).unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(cookie.ends_with("; Secure"), is_secure, "{flags:?}: {cookie}");
    }
}

#[test]
fn only_the_named_public_host_is_answered() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "0123456789abcdef0123\n").expect("a file");
    let file = file.to_string_lossy();
    let flags = ["--behind-tls", "--public-host", "windrow.example", "--public-host", "other.example"];
    let ui = RunningKafkaUi::start(&[&["--brokers", "127.0.0.1:1", "--token-file", &file], &flags[..]].concat());
    for (host, status) in [("windrow.example", "200"), ("other.example", "200"), ("evil.example", "403")] {
        let answer = ui.get("/login", &format!("Host: {host}\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}

/// A broker whose answers announce far more than they contain.
struct HostileBroker {
    /// The answer to the question for the supported versions, without a header.
    versions: Vec<u8>,
    /// The answer with the metadata, without a header.
    metadata: Vec<u8>,
    metadata_version: i16,
}

impl HostileBroker {
    const METADATA: i16 = 3;
    const API_VERSIONS: i16 = 18;
    /// The first version of the metadata in which lengths have a variable size, and headers have optional fields.
    const FIRST_COMPACT_METADATA: i16 = 9;

    /// Returns the answer to the question for the supported versions: metadata of one version.
    fn answer_versions(metadata_version: i16) -> Vec<u8> {
        let [key, version] = [Self::METADATA, metadata_version].map(i16::to_be_bytes);
        [&[0, 0, 0, 0, 0, 1][..], &key, &version, &version].concat()
    }

    /// Answers all requests at a free port, whose address it returns.
    fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        std::thread::spawn(move || {
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    scope.spawn(|| self.answer_requests(stream.expect("a connection")));
                }
            });
        });
        address
    }

    fn answer_requests(&self, mut stream: TcpStream) -> Option<()> {
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).ok()?;
            let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()?];
            stream.read_exact(&mut request).ok()?;
            let correlation_id = &request[4..8];
            let answer = match i16::from_be_bytes([request[0], request[1]]) {
                Self::API_VERSIONS => [correlation_id, &self.versions].concat(),
                Self::METADATA if self.metadata_version < Self::FIRST_COMPACT_METADATA => {
                    [correlation_id, &self.metadata].concat()
                }
                _ => [correlation_id, &[0], &self.metadata].concat(),
            };
            stream.write_all(&u32::try_from(answer.len()).ok()?.to_be_bytes()).ok()?;
            stream.write_all(&answer).ok()?;
        }
    }
}

/// No answer makes the process reserve more memory than the machine has, which would abort it.
#[test]
fn a_broker_that_announces_more_than_it_sends_does_not_end_the_process() {
    const NO_THROTTLING: [u8; 4] = [0; 4];
    let announced = i32::MAX.to_be_bytes();
    let announced_compactly = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
    for broker in [
        HostileBroker { versions: [&[0, 0][..], &announced].concat(), metadata: Vec::new(), metadata_version: 4 },
        HostileBroker {
            versions: HostileBroker::answer_versions(4),
            metadata: [NO_THROTTLING, announced].concat(),
            metadata_version: 4,
        },
        HostileBroker {
            versions: HostileBroker::answer_versions(12),
            metadata: [&NO_THROTTLING[..], &announced_compactly].concat(),
            metadata_version: 12,
        },
    ] {
        let brokers = broker.start();
        let ui = RunningKafkaUi::start(&["--brokers", &brokers]);
        for path in ["/api/cluster", "/api/topics", "/api/groups"] {
            let answer = ui.get(path, "");
            assert!(answer.starts_with("HTTP/1.1 502 "), "{path}: {answer}");
            assert!(
                answer.contains(&format!("the answer of Kafka at {brokers} cannot be decoded")),
                "{path}: {answer}"
            );
        }
    }
}
