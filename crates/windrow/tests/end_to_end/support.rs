//! What the tests share: Kafka, Redis, the binary, and rows in a comparable form.

pub(crate) mod expected;
pub(crate) mod gate;
pub(crate) mod kafka;
pub(crate) mod kafka_pair;
pub(crate) mod member;
pub(crate) mod redis;
pub(crate) mod rows;
pub(crate) mod s3;
pub(crate) mod traffic;
pub(crate) mod watcher;
pub(crate) mod windrow;
