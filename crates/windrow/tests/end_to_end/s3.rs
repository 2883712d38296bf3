//! Checkpoints in S3, and in an S3 whose requests fail before or after they take effect.

use crate::kill::{PARTITIONS, kill_repeatedly};
use crate::support::kafka::{TestKafka, kafka_or_skip};
use crate::support::redis::Redis;
use crate::support::traffic::read_or_create_seed;
use crate::support::windrow::{TestJob, set_s3_environment, telling_pipeline};

const KILLS: usize = 5;

/// The bucket of `dev/s3.sh`.
const BUCKET: &str = "windrow";

fn kill_with_state_in_s3(kafka: &TestKafka, variable: &str) {
    let Ok(endpoint) = std::env::var(variable) else {
        println!("skipped: checkpoints in S3 need one ({variable}=http://host:port)");
        return;
    };
    let redis = Redis::start();
    let topic = kafka.create_unique_topic(PARTITIONS, &[]);
    let mut run = TestJob::with_pipeline(telling_pipeline(), &kafka.brokers, &redis.url(), &topic);
    run.set_override(&format!("checkpoint.store=s3://{BUCKET}/{}", TestKafka::generate_unique_name("state")));
    set_s3_environment(&mut run, &endpoint);
    kill_repeatedly(kafka, &redis, &topic, &run, KILLS, read_or_create_seed());
}

#[test]
fn killed_with_its_state_in_s3() {
    let kafka = kafka_or_skip!();
    kill_with_state_in_s3(&kafka, "WINDROW_TEST_S3");
}

#[test]
fn killed_with_its_state_in_an_s3_that_fails() {
    let kafka = kafka_or_skip!();
    kill_with_state_in_s3(&kafka, "WINDROW_TEST_S3_FAULTS");
}
