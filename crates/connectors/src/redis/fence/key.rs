//! The keys of fences in Redis.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use windrow_engine::Partition;

/// The prefix of all fence keys. No row may have a key with this prefix.
pub(crate) const FENCE_KEY_PREFIX: &str = "windrow:fence:";

/// The characters that are percent-encoded in the keys and values of fences. Such characters come from the names of
/// pipelines, consumer groups and views.
pub(crate) const PERCENT_ENCODED_CHARS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// Returns whether `redis_key` is reserved for fences.
pub(crate) fn is_fence_key(redis_key: &[u8]) -> bool {
    redis_key.starts_with(FENCE_KEY_PREFIX.as_bytes())
}

/// Builds the fence keys of a job. Jobs with another pipeline or consumer group have other keys.
#[derive(Clone, Debug)]
pub(crate) struct FenceKeyBuilder {
    prefix: String,
}

impl FenceKeyBuilder {
    pub(crate) fn new(pipeline: &str, group: &str) -> Self {
        let [pipeline, group] = [pipeline, group].map(|part| utf8_percent_encode(part, PERCENT_ENCODED_CHARS));
        Self { prefix: format!("{FENCE_KEY_PREFIX}{pipeline}:{group}:") }
    }

    pub(crate) fn build_fence_key(&self, partition: Partition) -> String {
        format!("{}{partition}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_jobs_differ() {
        let key = |pipeline, group| FenceKeyBuilder::new(pipeline, group).build_fence_key(7);
        assert_eq!(
            key("ecommerce", "feature-engineering-group"),
            "windrow:fence:ecommerce:feature-engineering-group:7"
        );
        assert_eq!(key("a", "b:c 한\n%"), "windrow:fence:a:b%3Ac%20%ED%95%9C%0A%25:7");
        assert_ne!(key("a", "b:c"), key("a:b", "c"));
        assert!(is_fence_key(key("a", "b").as_bytes()) && !is_fence_key(b"windrow:"));
    }
}
