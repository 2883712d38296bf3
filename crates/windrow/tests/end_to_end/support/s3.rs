//! The S3 of the tests, with the bucket of `dev/s3.sh`.

use super::kafka::TestKafka;

const BUCKET: &str = "windrow";

/// An S3 on this machine.
pub(crate) struct TestS3 {
    pub(crate) url: String,
    pub(crate) port: u16,
}

impl TestS3 {
    /// Returns the S3 that `WINDROW_TEST_S3` names (`http://host:port`); `None` if the variable is not set.
    ///
    /// # Panics
    /// When the variable holds no such URL.
    pub(crate) fn from_environment() -> Option<Self> {
        let url = std::env::var("WINDROW_TEST_S3").ok()?;
        let port = url.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok());
        Some(Self { port: port.expect("http://host:port"), url })
    }

    /// Returns a place for checkpoints that no other test uses.
    pub(crate) fn generate_unique_place() -> String {
        format!("s3://{BUCKET}/{}", TestKafka::generate_unique_name("state"))
    }
}

/// Returns the S3 of the tests. Without one, the calling test returns.
macro_rules! s3_or_skip {
    () => {
        match $crate::support::s3::TestS3::from_environment() {
            Some(s3) => s3,
            None => {
                println!("skipped: it needs an S3 (WINDROW_TEST_S3=http://host:port)");
                return;
            }
        }
    };
}
pub(crate) use s3_or_skip;
