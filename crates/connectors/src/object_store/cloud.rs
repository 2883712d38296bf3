//! Buckets of S3, Google Cloud Storage, Azure and compatible services.
//!
//! Owns: timeouts, retries, conditional writes. Does not own: credentials, endpoints, regions; the `object_store` crate
//! reads them from the environment.

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

/// After this time no refused request is sent again. With one more that hangs, a call stays within [`super::io::CALL_TIMEOUT`].
const RETRY_TIMEOUT: Duration = Duration::from_secs(9);

/// The limit for one request with its body, as the `object_store` crate writes it. An object of 64 MiB needs 27 Mbit/s.
const REQUEST_TIMEOUT: &str = "20 seconds";

/// Opens the bucket, with `settings` that override the environment.
pub(super) fn open_bucket(
    bucket: &CloudBucket,
    settings: &[(String, String)],
) -> Result<Arc<dyn ObjectStore>, StoreFault> {
    let place = StorePlace::Cloud(bucket.clone()).to_string();
    // Settings go through the same keys, not as `ClientOptions`, which would discard those of the environment
    // (AWS_ALLOW_HTTP, …). Unknown keys belong to other programs; `from_env` ignores them, too.
    let built: Result<Arc<dyn ObjectStore>, (object_store::Error, &str)> = match bucket.provider {
        CloudProvider::Aws => recognized_settings("AWS_", settings)
            .fold(AmazonS3Builder::from_env(), |builder, (key, value)| builder.with_config(key, value))
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
            .with_bucket_name(&bucket.name)
            // A store without conditional writes would let two processes own a partition.
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(retry_config())
            .build()
            .map(|store| wrap_in_prefix(store, bucket))
            .map_err(|error| (error, "look at the AWS_… variables of the environment")),
        CloudProvider::Google => recognized_settings("GOOGLE_", settings)
            .fold(GoogleCloudStorageBuilder::from_env(), |builder, (key, value)| builder.with_config(key, value))
            .with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
            .with_bucket_name(&bucket.name)
            .with_retry(retry_config())
            .build()
            .map(|store| wrap_in_prefix(store, bucket))
            .map_err(|error| (error, "look at the GOOGLE_… variables of the environment")),
        CloudProvider::Azure => recognized_settings("AZURE_", settings)
            .fold(MicrosoftAzureBuilder::from_env(), |builder, (key, value)| builder.with_config(key, value))
            .with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
            .with_container_name(&bucket.name)
            .with_retry(retry_config())
            .build()
            .map(|store| wrap_in_prefix(store, bucket))
            .map_err(|error| {
                (error, "set AZURE_STORAGE_ACCOUNT_NAME, and look at the other AZURE_… variables of the environment")
            }),
    };
    built.map_err(|(error, hint)| fault::invalid_settings(&place, hint, &error))
}

fn recognized_settings<'a, K: FromStr>(
    begin: &'a str,
    settings: &'a [(String, String)],
) -> impl Iterator<Item = (K, &'a String)> {
    settings
        .iter()
        .filter(move |(name, _)| name.starts_with(begin))
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
}

fn wrap_in_prefix(store: impl ObjectStore, bucket: &CloudBucket) -> Arc<dyn ObjectStore> {
    if bucket.prefix.as_ref().is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, bucket.prefix.clone()))
    }
}

fn retry_config() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        // The timeout limits them.
        max_retries: 100,
        retry_timeout: RETRY_TIMEOUT,
    }
}
