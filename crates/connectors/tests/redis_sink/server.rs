//! A `redis-server` for one test.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::Connection;
use windrow_test_support::{HANG_TIMEOUT, free_port};

/// Runs until dropped, on its own port and in its own folder.
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    program: String,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut server = Self::prepare(arguments);
        server.start_process();
        server
    }

    /// Prepares a server that [`Self::start_process`] will start.
    pub(crate) fn prepare(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for redis-server");
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self { port: free_port(), folder, program: "redis-server".to_owned(), arguments, child: None }
    }

    /// Starts a server of another program than the installed `redis-server`.
    pub(crate) fn start_program(program: &str, arguments: &[&str]) -> Self {
        let mut server = Self::prepare(arguments);
        program.clone_into(&mut server.program);
        server.start_process();
        server
    }

    /// Starts the process (again) and waits until it accepts connections.
    pub(crate) fn start_process(&mut self) {
        let child = Command::new(&self.program)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("these tests need redis-server: install it (apt-get install redis-server)");
        self.child = Some(child);
        let until = Instant::now() + HANG_TIMEOUT;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "redis-server does not listen on port {}", self.port);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).expect("redis-server can be killed");
        }
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("a running server").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill(1)");
        assert!(sent.success(), "kill -s {name} {pid}");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Opens a connection besides the sink's.
    pub(crate) fn connect(&self) -> Connection {
        let client = redis::Client::open(self.url()).expect("a URL");
        eventually("a connection to redis-server", || client.get_connection().ok())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Calls `look` until it finds something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + HANG_TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) type HashFields = BTreeMap<String, String>;

/// Reads all fields of a hash whose fields and values are text.
pub(crate) fn read_hash(client: &mut Connection, key: impl redis::ToRedisArgs) -> HashFields {
    redis::cmd("HGETALL").arg(key).query(client).expect("HGETALL")
}

/// Returns fields in the form of [`read_hash`].
pub(crate) fn hash_fields(pairs: &[(&str, &str)]) -> HashFields {
    pairs.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
}

/// Runs a command and ignores its reply.
pub(crate) fn run_command(client: &mut Connection, command: &str) {
    let mut words = command.split(' ');
    let mut cmd = redis::cmd(words.next().expect("a command"));
    words.for_each(|word| {
        cmd.arg(word);
    });
    cmd.exec(client).expect(command);
}

/// Returns a random seed and prints it, so that a failure can be repeated.
#[expect(clippy::print_stdout, reason = "the test harness shows it where the test fails")]
pub(crate) fn print_random_seed() -> u64 {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    seed
}
