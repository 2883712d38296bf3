//! What a simulation has done.

use std::ops::AddAssign;

/// What a simulation has done, to see that it tests anything.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SimulationCounts {
    /// Records that producers wrote.
    pub records: u64,
    /// Rows that Redis got.
    pub rows_written: u64,
    /// Manifests that were created.
    pub manifests: u64,
    /// Claims that changed a fence.
    pub fence_claims: u64,
    /// Failovers of Redis.
    pub failovers: u64,
    /// Keys whose last row is exempt, because a failover lost it behind a checkpoint.
    pub exempt_keys: u64,
    /// Ends of instances by a kill.
    pub kills: u64,
    /// Partitions that a process has parked.
    pub parked_partitions: u64,
    /// Elections of a leader that lacked records.
    pub log_truncations: u64,
    /// Changes of the topic after which the job must halt.
    pub topic_changes: u64,
    /// Changes of the pipeline.
    pub pipeline_changes: u64,
    /// Stored dead letters of records. A record can have several.
    pub dead_letters: u64,
    /// Stored dead letters of refused rows.
    pub refused_rows: u64,
    /// Records that were deleted before a source read them.
    pub deleted_records: u64,
    /// Waits for copies in Redis that were acknowledged.
    pub acknowledged_waits: u64,
    /// Waits for copies in Redis that the copies had not confirmed in time.
    pub failed_waits: u64,
    /// Savepoints that were reported as complete.
    pub savepoints: u64,
    /// Savepoints that failed.
    pub failed_savepoints: u64,
    /// New jobs that began with a savepoint.
    pub restored_savepoints: u64,
}

impl AddAssign for SimulationCounts {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.rows_written += other.rows_written;
        self.manifests += other.manifests;
        self.fence_claims += other.fence_claims;
        self.failovers += other.failovers;
        self.exempt_keys += other.exempt_keys;
        self.kills += other.kills;
        self.parked_partitions += other.parked_partitions;
        self.log_truncations += other.log_truncations;
        self.topic_changes += other.topic_changes;
        self.pipeline_changes += other.pipeline_changes;
        self.dead_letters += other.dead_letters;
        self.refused_rows += other.refused_rows;
        self.deleted_records += other.deleted_records;
        self.acknowledged_waits += other.acknowledged_waits;
        self.failed_waits += other.failed_waits;
        self.savepoints += other.savepoints;
        self.failed_savepoints += other.failed_savepoints;
        self.restored_savepoints += other.restored_savepoints;
    }
}
