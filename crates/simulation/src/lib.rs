//! A seeded simulation of several Windrow instances and the services between them, in one thread and virtual time.
//!
//! The instances run the real code: the worker, its checkpoint thread, the claims of epochs and fences, and the Redis
//! writer down to its wire format. Simulated are the topic with its consumer group, the checkpoint store, and the Redis
//! server. Each thread of an instance is a coroutine, which gives up control wherever the thread would wait. So faults
//! happen between any two calls of a service, for example between two steps of a claim or of a checkpoint.
//!
//! ```text
//!   seed ─► plan of faults ─┐
//!                           ▼
//!   producer ─► topic ─► scheduler: one coroutine at a time ─► Redis ─► oracle: the rows of the shards, nothing back
//!               group      worker, checkpoint thread, writer ─► store ─► oracle: checkpoints, commits
//! ```
//!
//! The same seed gives the same trace, byte for byte. `tests/seeds.rs` runs many seeds and prints the trace of one that
//! fails; `bench/simulate.sh` runs for hours.
//!
//! | file | content |
//! |---|---|
//! | `consumer_group.rs` | members, heartbeats, assignments, commits |
//! | `coroutine.rs` | the code of a thread as a coroutine |
//! | `dead_letters.rs` | dead letters, and the loss of those that are not stored yet |
//! | `faults.rs` | which faults happen, and when |
//! | `instance.rs` | the main thread of a process |
//! | `oracle.rs` | what must be true of rows, checkpoints and commits |
//! | `oracle/checkpoints_have_all_objects_and_rows.rs` | manifests come after their objects and rows |
//! | `oracle/commits_follow_checkpoints.rs` | commits come after their checkpoint |
//! | `oracle/counts.rs` | what a simulation has done |
//! | `oracle/expected_rows.rs` | the rows that the shards compute |
//! | `oracle/fence_text.rs` | the text of a fence |
//! | `oracle/last_rows_remain.rs` | the rows and dead letters at the end |
//! | `oracle/numbering_is_of_the_cut.rs` | the row numbering of a manifest |
//! | `oracle/parked_partitions_have_a_fault.rs` | no partition is parked without a fault |
//! | `oracle/rows_are_computed_and_never_go_back.rs` | each row when Redis gets it |
//! | `oracle/rows_lost_by_redis.rs` | the rows that may be missing after a loss |
//! | `pipelines.rs` | the versions of the pipeline |
//! | `producer.rs` | the events |
//! | `random.rs` | chance, from the seed |
//! | `redis_client.rs` | connections of an instance, and their faults |
//! | `redis_copies.rs` | a replica and a disk, and waits for them |
//! | `redis_keys.rs` | keys and values |
//! | `redis_protocol.rs` | Redis's wire format |
//! | `redis_server.rs` | transactions, connections, a lagging replica |
//! | `savepoint.rs` | savepoints of a running job |
//! | `savepoint_log.rs` | which savepoints are complete |
//! | `scenario.rs` | additions: copies of rows, savepoints, idle partitions, few kept checkpoints |
//! | `scheduler.rs` | which coroutine runs next, and time |
//! | `services.rs` | all services together |
//! | `simulation.rs` | one simulation from its seed to its verdict |
//! | `simulation_core.rs` | what all parts share |
//! | `source.rs` | the source of a worker |
//! | `store.rs` | the objects of the checkpoint store |
//! | `store_client.rs` | requests of an instance to the store, and their faults |
//! | `topic.rs` | the records |
//! | `trace.rs` | what happened, as text |
//! | `trace_subscriber.rs` | log events in the trace |

mod consumer_group;
mod coroutine;
mod dead_letters;
mod faults;
mod instance;
mod oracle;
mod pipelines;
mod producer;
mod random;
mod redis_client;
mod redis_copies;
mod redis_keys;
mod redis_protocol;
mod redis_server;
mod savepoint;
mod savepoint_log;
mod scenario;
mod scheduler;
mod services;
mod simulation;
mod simulation_core;
mod source;
mod store;
mod store_client;
mod topic;
mod trace;
mod trace_subscriber;

pub use oracle::SimulationCounts;
pub use simulation::{SimulationReport, simulate_seed};
pub use trace::TraceMode;
