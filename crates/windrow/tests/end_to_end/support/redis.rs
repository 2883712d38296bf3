//! A Redis server per test.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use redis::Commands;
use windrow_test_support::{free_port, wait_until};

pub(crate) struct Redis {
    port: u16,
    folder: tempfile::TempDir,
    server: Child,
}

/// The name of a server's Unix socket in its folder.
const SOCKET_NAME: &str = "redis.sock";
/// What Redis says instead of the time to live of a key that does not exist.
const KEY_IS_GONE: i64 = -2;
/// Prefix of the keys of fences, which are not rows.
const FENCE_KEY_PREFIX: &str = "windrow:fence:";

/// Values by key and field.
pub(crate) type RowsByKey = BTreeMap<String, BTreeMap<String, String>>;

impl Redis {
    pub(crate) fn start() -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = spawn_server(port, folder.path());
        let redis = Self { port, folder, server };
        redis.await_ready();
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn await_ready(&self) {
        wait_until("redis-server answers", || {
            redis::Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection))
                .is_ok()
        });
    }

    pub(crate) fn connect(&self) -> redis::Connection {
        redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("redis-server is there")
    }

    /// Pauses the process, so that Redis does not respond.
    pub(crate) fn pause(&self) {
        self.send_signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.send_signal("-CONT");
    }

    fn send_signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.server.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Reads all rows. Each must be a hash whose TTL is at most that of its view.
    pub(crate) fn read_rows(&self) -> RowsByKey {
        let mut connection = self.connect();
        let keys: Vec<String> = connection.keys("*").expect("KEYS");
        let keys: Vec<String> = keys.into_iter().filter(|key| !key.starts_with(FENCE_KEY_PREFIX)).collect();
        let mut question = redis::pipe();
        for key in &keys {
            question.hgetall(key).ttl(key);
        }
        if keys.is_empty() {
            return RowsByKey::new();
        }
        let answers: Vec<redis::Value> = question.query(&mut connection).expect("HGETALL and TTL");
        let mut answers = answers.into_iter();
        let mut next = || answers.next().expect("an answer to each question");
        keys.into_iter()
            .filter_map(|key| {
                let row: BTreeMap<String, String> = redis::from_redis_value(next()).expect("a hash");
                let ttl: i64 = redis::from_redis_value(next()).expect("a time to live");
                if row.is_empty() && ttl == KEY_IS_GONE {
                    return None; // the row was deleted after the list of keys was read
                }
                let limit = if key.starts_with("user_features:") { 7_200 } else { 3_600 };
                assert!((1..=limit).contains(&ttl), "TTL of {key} is {ttl}");
                Some((key, row))
            })
            .collect()
    }

    /// Returns the number of rows.
    pub(crate) fn row_count(&self) -> usize {
        let keys: Vec<String> = self.connect().keys("*").expect("KEYS");
        keys.iter().filter(|key| !key.starts_with(FENCE_KEY_PREFIX)).count()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // The server may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn spawn_server(port: u16, folder: &std::path::Path) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--unixsocket", SOCKET_NAME, "--repl-diskless-sync-delay", "0"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed (apt-get install redis-server)")
}

/// A master and its replica, under one address that a failover moves to the replica.
pub(crate) struct RedisPair {
    pub(crate) master: Redis,
    pub(crate) replica: Redis,
    /// The folder of the symbolic link to the socket of the server that clients reach.
    link_folder: tempfile::TempDir,
}

impl RedisPair {
    /// Starts both servers. The replica follows the master.
    pub(crate) fn start() -> Self {
        let pair = Self {
            master: Redis::start(),
            replica: Redis::start(),
            link_folder: tempfile::tempdir().expect("a temporary folder"),
        };
        pair.replica.replicate_from(&pair.master);
        pair.link_to(&pair.master);
        pair.replica.await_replication();
        pair
    }

    /// Returns the URL under which clients reach the master, and after a failover the replica.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.link_path().display())
    }

    /// Waits until the replica has everything, then separates it from the master.
    pub(crate) fn hold_replication(&self) {
        wait_until("the replica has all rows", || self.master.read_rows() == self.replica.read_rows());
        self.replica.hold_replication();
    }

    /// Lets the replica follow the master again.
    pub(crate) fn resume_replication(&self) {
        self.replica.follow("127.0.0.1", &self.master.port.to_string());
    }

    /// Kills the master. The replica takes its place.
    pub(crate) fn fail_over(&mut self) {
        self.master.kill();
        self.replica.promote();
        self.link_to(&self.replica);
    }

    fn link_path(&self) -> std::path::PathBuf {
        self.link_folder.path().join("current.sock")
    }

    fn link_to(&self, server: &Redis) {
        let next = self.link_folder.path().join("next.sock");
        std::os::unix::fs::symlink(server.folder.path().join(SOCKET_NAME), &next).expect("a link");
        std::fs::rename(next, self.link_path()).expect("the link moves");
    }
}

impl Redis {
    /// Makes the server a replica of another one, or with `NO`, `ONE` a master.
    fn follow(&self, host: &str, port: &str) {
        redis::cmd("REPLICAOF").arg(host).arg(port).exec(&mut self.connect()).expect("REPLICAOF");
    }

    /// Makes the server a replica of `master`.
    pub(crate) fn replicate_from(&self, master: &Self) {
        self.follow("127.0.0.1", &master.port.to_string());
    }

    /// Waits until the server is connected to its master, with a copy of the rows.
    pub(crate) fn await_replication(&self) {
        wait_until("the replica follows its master", || {
            let info: String = redis::cmd("INFO").arg("replication").query(&mut self.connect()).expect("INFO");
            info.contains("master_link_status:up")
        });
    }

    /// Separates the server from its master. It stays a replica, and keeps its rows.
    pub(crate) fn hold_replication(&self) {
        // Nothing listens on port 1.
        self.follow("127.0.0.1", "1");
    }

    /// Makes the server a master.
    pub(crate) fn promote(&self) {
        self.follow("NO", "ONE");
    }

    /// Kills the process. [`Self::restart_empty`] starts it again.
    pub(crate) fn kill(&mut self) {
        self.server.kill().and_then(|()| self.server.wait()).expect("it ran");
    }

    /// Returns whether the process runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.server.try_wait().expect("its state is known").is_none()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Deletes everything.
    pub(crate) fn flush_all(&self) {
        redis::cmd("FLUSHALL").exec(&mut self.connect()).expect("FLUSHALL");
    }

    /// Kills the server, if it runs, and starts it again without data.
    pub(crate) fn restart_empty(&mut self) {
        self.kill();
        self.server = spawn_server(self.port, self.folder.path());
        self.await_ready();
    }

    /// Saves its data to a file that only [`Self::restart_with_copy`] reads.
    pub(crate) fn save_copy(&self) {
        redis::cmd("SAVE").exec(&mut self.connect()).expect("SAVE");
        let folder = self.folder.path();
        std::fs::rename(folder.join("dump.rdb"), folder.join("copy")).expect("a copy");
    }

    /// Kills the server and starts it again with the saved copy.
    pub(crate) fn restart_with_copy(&mut self) {
        let folder = self.folder.path();
        std::fs::rename(folder.join("copy"), folder.join("dump.rdb")).expect("a copy");
        self.restart_empty();
    }
}

impl Redis {
    /// Starts a server on `port`, for tests that begin without one.
    pub(crate) fn start_on(port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = spawn_server(port, folder.path());
        let redis = Self { port, folder, server };
        redis.await_ready();
        assert!(redis.folder.path().is_dir());
        redis
    }
}
