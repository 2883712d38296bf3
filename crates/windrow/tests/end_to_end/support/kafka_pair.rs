//! Two brokers of one test. The first becomes the leader of partitions whose newest records only the second has.

use windrow_test_support::kafka::{DedicatedKafka, PartitionReplicas, TestKafka};
use windrow_test_support::{free_port, wait_until};

use super::gate::TcpGate;

/// The id of the broker that stays. It is also the controller.
const FOLLOWER_ID: i32 = 1;
/// The id of the broker that leads the test topics until it is killed.
const LEADER_ID: i32 = 2;

/// Settings of topics whose partitions get a leader without the newest records if no other broker is left.
const UNCLEAN_TOPIC_SETTINGS: [(&str, &str); 2] =
    [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")];

/// Settings of both brokers. A follower that falls behind leaves the in-sync replicas soon. A leader that is only slow
/// keeps its partitions.
const COMMON_SETTINGS: [&str; 5] = [
    "inter.broker.listener.name=REPLICATION",
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,REPLICATION:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "replica.lag.time.max.ms=3000",
    "broker.session.timeout.ms=15000",
    "offsets.topic.num.partitions=1",
];

/// The two brokers. The follower reaches the leader through a gate.
pub(crate) struct KafkaPair {
    /// Both brokers, for clients.
    pub(crate) both: TestKafka,
    /// The follower alone.
    follower: TestKafka,
    _follower_process: DedicatedKafka,
    leader_process: DedicatedKafka,
    replication_gate: TcpGate,
}

impl KafkaPair {
    /// Starts both brokers. The follower alone has the offsets of groups, so that they outlive the leader.
    pub(crate) fn start() -> Self {
        let [follower_port, leader_port, controller_port] = [(); 3].map(|()| free_port());
        let [follower_replication_port, leader_replication_port] = [(); 2].map(|()| free_port());
        let replication_gate = TcpGate::start(leader_replication_port);
        let settings = |own_settings: &[String]| {
            let voters = format!("controller.quorum.voters={FOLLOWER_ID}@localhost:{controller_port}");
            let common = COMMON_SETTINGS.map(str::to_owned);
            common.into_iter().chain([voters]).chain(own_settings.iter().cloned()).collect::<Vec<_>>()
        };
        let follower_process = DedicatedKafka::start_with_settings(
            follower_port,
            &settings(&[
                format!(
                    "listeners=PLAINTEXT://127.0.0.1:{follower_port},REPLICATION://127.0.0.1:{follower_replication_port},\
                     CONTROLLER://127.0.0.1:{controller_port}"
                ),
                format!(
                    "advertised.listeners=PLAINTEXT://localhost:{follower_port},\
                     REPLICATION://localhost:{follower_replication_port}"
                ),
            ]),
        );
        let follower = TestKafka::with_brokers(format!("localhost:{follower_port}"));
        // The first request for a group creates the topic of the offsets.
        let topic = follower.create_unique_topic(1, &[]);
        assert_eq!(follower.committed_offsets("first", &topic, 1), [-1]);
        let leader_process = DedicatedKafka::start_with_settings(
            leader_port,
            &settings(&[
                format!("node.id={LEADER_ID}"),
                "process.roles=broker".to_owned(),
                format!(
                    "listeners=PLAINTEXT://127.0.0.1:{leader_port},REPLICATION://127.0.0.1:{leader_replication_port}"
                ),
                format!(
                    "advertised.listeners=PLAINTEXT://localhost:{leader_port},REPLICATION://localhost:{}",
                    replication_gate.port()
                ),
            ]),
        );
        Self {
            both: TestKafka::with_brokers(format!("localhost:{follower_port},localhost:{leader_port}")),
            follower,
            _follower_process: follower_process,
            leader_process,
            replication_gate,
        }
    }

    /// Creates a topic with one partition on both brokers.
    pub(crate) fn create_topic(&self) -> String {
        let topic = self.both.create_replicated_topic(&[LEADER_ID, FOLLOWER_ID], &UNCLEAN_TOPIC_SETTINGS);
        wait_until("the first leader is known", || {
            self.fetch_replicas(&topic).is_some_and(|replicas| replicas.leader == LEADER_ID)
        });
        topic
    }

    /// Waits until the follower has the records of `topics` that consumers have seen.
    pub(crate) fn await_replication(&self, topics: &[&str]) {
        for topic in topics {
            wait_until("both replicas are in sync", || {
                self.fetch_replicas(topic).is_some_and(|replicas| replicas.in_sync.len() == 2)
            });
        }
    }

    /// Separates the follower from the leader. Once the follower lacks records of a partition for long enough, it is no
    /// longer in sync, and consumers see these records.
    pub(crate) fn hold_replication(&self) {
        self.replication_gate.hold();
    }

    /// Returns whether the leader alone has the newest records of `topic`.
    pub(crate) fn has_only_leader_in_sync(&self, topic: &str) -> bool {
        self.fetch_replicas(topic).is_some_and(|replicas| replicas.in_sync == [LEADER_ID])
    }

    /// Kills the leader, and waits until the follower leads `topics` without the newest records. Returns the broker that
    /// is left.
    pub(crate) fn elect_follower(&self, topics: &[&str]) -> &TestKafka {
        self.leader_process.kill();
        for topic in topics {
            wait_until("the follower is elected", || {
                self.fetch_replicas(topic).is_some_and(|replicas| replicas.leader == FOLLOWER_ID)
            });
        }
        &self.follower
    }

    fn fetch_replicas(&self, topic: &str) -> Option<PartitionReplicas> {
        self.follower.fetch_partition_replicas(topic, 0)
    }
}
