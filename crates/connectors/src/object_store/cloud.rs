//! Buckets of S3, Google Cloud Storage, Azure and compatible services.
//!
//! Owns: timeouts and retries of requests, and conditional writes. Does not own: credentials, endpoints and regions,
//! which the `object_store` crate reads from the environment.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use windrow_engine::StoreFault;

use super::fault;
use super::place::{CloudBucket, CloudProvider, StorePlace};

/// A failed request is repeated only within this time after its first attempt. The sum of this time and
/// [`REQUEST_TIMEOUT`] is smaller than [`super::runtime::CALL_TIMEOUT`]. A call therefore ends in time even if its last
/// request hangs.
const RETRY_TIMEOUT: Duration = Duration::from_secs(9);

/// The timeout of one request including the transfer of its body, in the notation of the `object_store` crate. The
/// timeout suffices to transfer an object of 64 MiB at 27 Mbit/s.
const REQUEST_TIMEOUT: &str = "20 seconds";

/// Returns a store for `bucket` without sending a request. `settings` override environment variables of the same names.
pub(super) fn open_bucket(
    bucket: &CloudBucket,
    settings: &[(String, String)],
) -> Result<Arc<dyn ObjectStore>, StoreFault> {
    let place = StorePlace::Cloud(bucket.clone()).to_string();
    // Each setting is passed to the builder separately. A `ClientOptions` value would replace the HTTP settings that
    // `from_env` has read, such as AWS_ALLOW_HTTP. Settings that the builder does not know are ignored, as `from_env`
    // ignores unknown variables.
    let built: Result<Arc<dyn ObjectStore>, (object_store::Error, &'static str)> = match bucket.provider {
        CloudProvider::Aws => parse_provider_settings("AWS_", settings)
            .fold(AmazonS3Builder::from_env(), |builder, (key, value)| builder.with_config(key, value))
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
            .with_bucket_name(&bucket.bucket_name)
            // With unconditional writes, two processes could both create the object that claims a partition. Both would
            // then own this partition.
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(build_retry_config())
            .build()
            .map(|store| wrap_in_prefix_store(store, bucket))
            .map_err(|error| (error, "check the AWS_… variables of the environment")),
        CloudProvider::Google => parse_provider_settings("GOOGLE_", settings)
            .fold(GoogleCloudStorageBuilder::from_env(), |builder, (key, value)| builder.with_config(key, value))
            .with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
            .with_bucket_name(&bucket.bucket_name)
            .with_retry(build_retry_config())
            .build()
            .map(|store| wrap_in_prefix_store(store, bucket))
            .map_err(|error| (error, "check the GOOGLE_… variables of the environment")),
        CloudProvider::Azure => parse_provider_settings("AZURE_", settings)
            .fold(MicrosoftAzureBuilder::from_env(), |builder, (key, value)| builder.with_config(key, value))
            .with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
            .with_container_name(&bucket.bucket_name)
            .with_retry(build_retry_config())
            .build()
            .map(|store| wrap_in_prefix_store(store, bucket))
            .map_err(|error| {
                (error, "set AZURE_STORAGE_ACCOUNT_NAME, and check the other AZURE_… variables of the environment")
            }),
    };
    built.map_err(|(error, hint)| fault::invalid_settings_fault(place, hint, &error))
}

fn parse_provider_settings<'a, K: FromStr>(
    begin: &'a str,
    settings: &'a [(String, String)],
) -> impl Iterator<Item = (K, &'a String)> {
    settings
        .iter()
        .filter(move |(name, _)| name.starts_with(begin))
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
}

fn wrap_in_prefix_store(store: impl ObjectStore, bucket: &CloudBucket) -> Arc<dyn ObjectStore> {
    if bucket.object_name_prefix.as_ref().is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, bucket.object_name_prefix.clone()))
    }
}

fn build_retry_config() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        // This number is never reached, because `retry_timeout` ends the retries earlier.
        max_retries: 100,
        retry_timeout: RETRY_TIMEOUT,
    }
}
