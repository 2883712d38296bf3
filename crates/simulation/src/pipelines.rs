//! The versions of the pipeline that the instances of a simulation run.

use std::sync::atomic::{AtomicBool, Ordering};

use windrow_connectors::job::{JobInput, define_job};
use windrow_connectors::kafka::PartitionGrowthPolicy;
use windrow_core::SipHashKey;
use windrow_engine::{JobDefinition, Partition};
use windrow_spec::Pipeline;

use crate::redis_copies::RequiredCopies;
use crate::topic::TOPIC;

/// The pipeline of all simulations. Its windows are short, so that many of them fire.
const PIPELINE: &str = r#"
name = "simulated"

[source.kafka]
brokers = "simulated:9092"
topic = "events"
group = "simulated"
start = "earliest"

[event]
format = "json"
key = "user_id"
time = "event_time"
[event.fields]
number = "long"

[watermark]
max_out_of_orderness = "5s"

[checkpoint]
every = "2s"
store = "file:./simulated"

[sink.redis]
url = "redis://simulated:6379"

[feature_view.recent]
window.sliding = { size = "1m", slide = "20s" }
key = "recent:{user_id}"
ttl = "2h"
[feature_view.recent.features]
events = { count = "*" }
largest_number = { max = "number" }

[feature_view.sessions]
window.session = { gap = "30s" }
key = "sessions:{user_id}:{window_start}"
ttl = "1h"
[feature_view.sessions.features]
events = { count = "*" }
largest_number = { max = "number" }
"#;

/// The line of [`PIPELINE`] before the settings of acknowledgements.
const REDIS_URL_LINE: &str = "url = \"redis://simulated:6379\"\n";
/// The name of the view that a later version of the pipeline has beside the views of [`PIPELINE`].
pub(crate) const ADDED_VIEW: &str = "added";
/// The view of this name.
const ADDED_VIEW_DEFINITION: &str = r#"
[feature_view.added]
window.tumbling = { size = "40s" }
key = "added:{user_id}"
ttl = "1h"
[feature_view.added.features]
events = { count = "*" }
"#;

/// The order of hash tables is the same in every simulation.
const SIP_HASH_KEY: SipHashKey = [7; 16];

/// The two versions of the pipeline, and the one with which processes start now.
pub(crate) struct PipelineVersions {
    pub(crate) first: PipelineVersion,
    /// The version with another view.
    with_added_view: PipelineVersion,
    has_added_view: AtomicBool,
}

impl PipelineVersions {
    /// Reads both versions, which require `copies` of each row. Fails with the mistakes of the pipeline.
    pub(crate) fn read(partition_count: Partition, copies: RequiredCopies) -> Result<Self, String> {
        let settings = match copies {
            RequiredCopies::None => "",
            RequiredCopies::Replica => "wait_replicas = 1\n",
            RequiredCopies::Disk => "wait_aof = true\n",
            RequiredCopies::Both => "wait_replicas = 1\nwait_aof = true\n",
        };
        let pipeline = PIPELINE.replace(REDIS_URL_LINE, &format!("{REDIS_URL_LINE}{settings}"));
        Ok(Self {
            first: PipelineVersion::read(&pipeline, partition_count)?,
            with_added_view: PipelineVersion::read(&format!("{pipeline}{ADDED_VIEW_DEFINITION}"), partition_count)?,
            has_added_view: AtomicBool::new(false),
        })
    }

    /// Returns the version with which processes start now.
    pub(crate) fn current(&self) -> &PipelineVersion {
        if self.has_added_view.load(Ordering::Relaxed) { &self.with_added_view } else { &self.first }
    }

    /// Adds the view to the pipeline, or removes it. Processes that start later have the new version.
    pub(crate) fn change(&self) {
        self.has_added_view.fetch_xor(true, Ordering::Relaxed);
    }
}

/// A version of the pipeline.
#[derive(Debug)]
pub(crate) struct PipelineVersion {
    pub(crate) pipeline: Pipeline,
    pub(crate) job: JobDefinition,
}

impl PipelineVersion {
    fn read(text: &str, partition_count: Partition) -> Result<Self, String> {
        let pipeline = windrow_spec::parse("the simulated pipeline", text, &[])
            .map_err(|mistakes| mistakes.render(windrow_spec::RenderStyle::Plain))?;
        let input = JobInput { name: TOPIC, partition_count, growth_policy: PartitionGrowthPolicy::Refuse };
        let job = define_job(&pipeline, input, SIP_HASH_KEY);
        Ok(Self { pipeline, job })
    }
}
