//! The command line: its commands, its flags and their help texts.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use windrow_spec::PipelineOverride;
use windrow_web::guard::{PublicHost, TlsProxies};
use windrow_web::server::ListenAddress;

use crate::exit;
use crate::logging::LogFormat;

/// Real-time features: events from Kafka, event-time windows per user, rows in Redis.
#[derive(Parser, Debug)]
#[command(version, after_help = exit::EXIT_CODE_HELP, arg_required_else_help = true, propagate_version = true)]
pub(crate) struct CommandLine {
    /// Log details too; the variable RUST_LOG overrides this flag
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// Format of log lines: text, or one JSON object per line
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    pub(crate) command: WindrowCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum WindrowCommand {
    /// Run a pipeline: Kafka → windows → Redis
    #[command(after_help = "\
Examples:
  windrow run
      the shipped e-commerce pipeline, on localhost
  windrow run my.toml --workers 4
  windrow run my.toml --set source.kafka.brokers=kafka:9092 --set sink.redis.url=redis://redis:6379
  windrow run my.toml --set source.kafka.group=backfill --bounded
      up to the current end of the topic, then exit")]
    Run(RunArgs),
    /// Run a pipeline over a file: JSON lines in, JSON lines out; no Kafka, no Redis, no clock
    #[command(after_help = "\
Examples:
  windrow replay my.toml --input events.jsonl --output rows.jsonl
  zcat events.jsonl.gz | windrow replay my.toml --input - --output - | head

Each window that fires is one line
  {\"feature_view\", <entity key>, \"window_start\", \"window_end\", <features>}
and each event that was late for every window of a view
  {\"feature_view\", <entity key>, \"late\": true, \"event_time\"}
Times are epoch milliseconds. At the end of the input all remaining windows fire.")]
    Replay(ReplayArgs),
    /// Check a pipeline file and print its plan, or all its mistakes
    #[command(after_help = "\
Examples:
  windrow check my.toml
  windrow check my.toml --json | jq .feature_views
  windrow check new.toml --against ./.windrow/checkpoints
      which state of which feature a job with the new file keeps, and from when on each feature is complete

Exits with 0 when there are no mistakes and, with --against, no state is lost. Otherwise:
  3  the pipeline file has mistakes
 13  there is no state, or it is of another pipeline (--against)
 14  state would be lost; the message names the flags --drop-state that permit it (--against)
 15  something can be read only by a newer version of Windrow (--against)
 16  a partition has no readable checkpoint, or the savepoint is incomplete (--against)
 17  the store is unreachable or refuses access (--against)")]
    Check(CheckArgs),
    /// Run the tests of a pipeline file; no Kafka, no Redis, no secrets
    #[command(after_help = "\
Examples:
  windrow test my.toml
  windrow test my.toml --filter late
      only the tests with `late` in their names
  windrow test my.toml --json | jq '.tests[] | select(.passed | not)'

A test is a block [[test]] of the pipeline file: events, and the rows, late events and dead letters that they must give.
Exits with 0 if all tests pass, and with 20 if a test fails.")]
    Test(TestArgs),
    /// Print the JSON Schema of the pipeline file, with which editors complete and check it
    #[command(after_help = "\
Examples:
  windrow schema > windrow.schema.json
      then, as the first line of a pipeline file beside it:  #:schema ./windrow.schema.json
      Editors with Taplo (VS Code: Even Better TOML) use it; windrow check finds more mistakes")]
    Schema,
    /// Generate realistic events of shoppers, to Kafka or to a file
    #[command(after_help = "\
Examples:
  windrow generate --to kafka --backlog 2h --rate 20
      two hours of history at once, then 20 events/s until it is stopped
  windrow generate --to events.jsonl --count 4000000 --users 200000 --backlog 2h
      four million events spread over two hours
  windrow generate --to - --count 10 --disorder 9s --late 5 --malformed 1

The same flags and seed give the same bytes (for Kafka: the same events, dated back from now, or continuing after \
the topic's newest event).")]
    Generate(GenerateArgs),
    /// Run a demo that needs no installation: in-process broker, generator, engine, rows in the terminal
    #[command(after_help = "\
Examples:
  windrow demo
  windrow demo --redis redis://localhost:6379
      rows to a real Redis instead of the terminal")]
    Demo(DemoArgs),
    /// Show the rows of a user in Redis
    #[command(after_help = "\
Examples:
  windrow features 111
  windrow features 111 --json | jq '.rows[] | select(.feature_view == \"user_features\")'")]
    Features(FeaturesArgs),
    /// Show a Kafka cluster in the browser: topics, records, consumer groups; send a record
    #[command(after_help = "\
Examples:
  windrow kafka-ui
      the Kafka of the shipped pipeline, on http://127.0.0.1:8080
  windrow kafka-ui --brokers kafka-1:9092,kafka-2:9092 --listen 127.0.0.1:8180
  windrow kafka-ui my.toml --listen 0.0.0.0:8080 --token-file token
      also for other machines, which need the token

It needs no job and disturbs none: it joins no group and commits nothing. All pages have JSON too: docs/kafka_ui.md.")]
    KafkaUi(KafkaUiArgs),
    /// Take a savepoint of a running pipeline, to keep it or to start a job from it
    #[command(after_help = "\
Examples:
  windrow savepoint
      of the shipped pipeline, beside its checkpoints; prints its location
  windrow savepoint my.toml --to s3://bucket/savepoints --timeout 5m
  windrow run my.toml --set source.kafka.group=second --from \"$(windrow savepoint my.toml)\"
      another job that starts from the current state of this one

All instances of the pipeline take part, on all machines, and continue meanwhile. All of them must reach the \
location: a shared directory, or an object store. Windrow never deletes a savepoint.")]
    Savepoint(SavepointArgs),
    /// Show checkpoints and savepoints; changes nothing
    State(StateArgs),
    /// Ask a running job whether it is healthy
    #[command(after_help = "\
Examples:
  windrow health
      whether all workers of the job on 127.0.0.1:8081 make progress (/healthz)
  windrow health --ready --address 127.0.0.1:8181
      whether the job has started and reaches Kafka and Redis (/readyz)

Exits with 0 when the job is healthy. Otherwise:
  6  the job's web server did not answer in time
 19  the job answered that it is not healthy")]
    Health(HealthArgs),
}

/// The pipeline file and its overrides.
#[derive(Args, Debug)]
pub(crate) struct PipelineArgs {
    /// The pipeline file [default: the shipped e-commerce pipeline]
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipeline_path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) override_args: OverrideArgs,
}

#[derive(Args, Debug)]
pub(crate) struct OverrideArgs {
    /// Override a value of the pipeline file; may be repeated
    #[arg(long = "set", value_name = "PATH.TO.KEY=VALUE")]
    pub(crate) overrides: Vec<PipelineOverride>,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) pipeline_args: PipelineArgs,
    /// Worker threads, each a member of the consumer group [default: the number of cores]
    #[arg(long = "workers", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) worker_count: Option<u16>,
    /// Name of this process in the consumer group. After a restart within the session timeout, a process with the same
    /// name gets its partitions back without a rebalance [default: a new member with every start]
    #[arg(long = "instance", value_name = "NAME", conflicts_with = "bounded")]
    pub(crate) group_instance_name: Option<String>,
    /// Continue although partitions were added to the topic. Windows that were open at that moment may be
    /// split in two. `source.kafka.partitioner` is not used, because older records are where fewer partitions put them
    #[arg(long = "accept-partitions")]
    pub(crate) accept_added_partitions: bool,
    /// Create the topic with this number of partitions if it does not exist [default: a missing topic is exit code 4]
    #[arg(long = "create-topic", value_name = "PARTITIONS", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub(crate) created_topic_partition_count: Option<i32>,
    /// Start from a savepoint, or from another job's checkpoints, instead of this job's own. Applies once: after a
    /// restart with this flag the job resumes from its own checkpoints
    #[arg(long = "from", value_name = "DIR|URL")]
    pub(crate) restore_location: Option<String>,
    /// Discard the stored state of a feature view or of one feature that changed or was removed; may be repeated
    #[arg(long = "drop-state", value_name = "VIEW[.FEATURE]")]
    pub(crate) droppable_state_names: Vec<String>,
    /// Read to the current end of the topic, fire all remaining windows, and exit
    #[arg(long)]
    pub(crate) bounded: bool,
    /// Fail when Kafka or Redis is unreachable for this long at the start [default: wait without limit]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) start_timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) web_args: WebArgs,
}

/// The address of the pages, and the access token that protects the pages.
#[derive(Args, Debug)]
pub(crate) struct WebArgs {
    /// Address of the job's pages, JSON, metrics and Flink's REST API [default: 127.0.0.1:8081, or the next free port
    /// up to 8091]. An address that other machines can reach needs a token
    #[arg(long = "listen", value_name = "ADDRESS:PORT|off")]
    pub(crate) listen_address: Option<ListenAddress>,
    /// File with the token that clients must send [default: the variable WINDROW_TOKEN; if unset, no token]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) proxy_args: ProxyArgs,
}

/// The proxies with TLS in front of a web server.
#[derive(Args, Debug)]
pub(crate) struct ProxyArgs {
    /// Browsers reach the pages over TLS only, through a proxy: they send the login cookie over TLS only
    #[arg(long)]
    pub(crate) behind_tls: bool,
    /// Address of a proxy whose header X-Forwarded-Proto says whether a browser uses TLS; may be repeated
    #[arg(long = "trusted-proxy", value_name = "IP")]
    pub(crate) trusted_proxies: Vec<IpAddr>,
    /// Host name under which browsers reach the pages through a proxy; may be repeated. With it, requests to any other
    /// name are refused [default: behind a proxy any name, with the token]
    #[arg(long = "public-host", value_name = "NAME")]
    pub(crate) public_hosts: Vec<PublicHost>,
}

impl ProxyArgs {
    pub(crate) fn to_tls_proxies(&self) -> TlsProxies {
        TlsProxies {
            is_always_used: self.behind_tls,
            trusted_addresses: self.trusted_proxies.clone(),
            public_hosts: self.public_hosts.clone(),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) pipeline_args: PipelineArgs,
    /// File of events, one JSON object per line; - is standard input
    #[arg(long = "input", value_name = "FILE")]
    pub(crate) input_path: PathBuf,
    /// File for rows and late events; - is standard output
    #[arg(long = "output", value_name = "FILE")]
    pub(crate) output_path: PathBuf,
    /// File for lines that are not events [default: such lines are only counted]
    #[arg(long = "dead-letters", value_name = "FILE")]
    pub(crate) dead_letter_path: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) pipeline_args: PipelineArgs,
    /// Instead of the plan, print which stored state a job with this file keeps: of a savepoint, a job's folder, or the
    /// checkpoint store. Changes nothing
    #[arg(long = "against", value_name = "STATE")]
    pub(crate) compared_state_location: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    /// Destination of events: kafka (the pipeline's topic), a file, or - for standard output
    #[arg(long = "to", value_name = "kafka|FILE|-", default_value = "kafka")]
    pub(crate) event_destination: String,
    /// Events per second of event time [default: 50; with --backlog and --count, the count divided by the backlog]
    #[arg(long = "rate", value_name = "N", allow_negative_numbers = true)]
    pub(crate) events_per_second: Option<f64>,
    /// Number of events [default: to Kafka, unlimited; to a file, --rate times --backlog]
    #[arg(long = "count", value_name = "N")]
    pub(crate) event_count: Option<u64>,
    /// Number of shoppers
    #[arg(long = "users", value_name = "N", default_value_t = 500)]
    pub(crate) user_count: u32,
    /// Span of event time from the first event to --now. Events before --now are sent at once. In Kafka, the backlog
    /// begins after the topic's newest event
    #[arg(long = "backlog", value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) backlog_event_time_span: Option<Duration>,
    /// Longest time from the event time to the arrival of an event that is not late
    #[arg(long = "disorder", value_name = "DURATION", value_parser = parse_duration, default_value = "0s")]
    pub(crate) max_disorder: Duration,
    /// Percentage of events that arrive 11 seconds to two hours late
    #[arg(long = "late", value_name = "PERCENT", default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) late_percent: f64,
    /// Percentage of records that are not events
    #[arg(long = "malformed", value_name = "PERCENT", default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) malformed_percent: f64,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Event time at which the backlog ends [default: to Kafka, the current time; to a file, 2024-01-01T12:00:00Z]
    #[arg(long = "now", value_name = "TIME")]
    pub(crate) backlog_end_event_time: Option<Timestamp>,
    /// The pipeline file with Kafka's address [default: the shipped e-commerce pipeline]
    #[arg(long = "pipeline", value_name = "FILE")]
    pub(crate) pipeline_path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) override_args: OverrideArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) pipeline_args: PipelineArgs,
    /// Write rows to this Redis instead of the terminal
    #[arg(long = "redis", value_name = "URL")]
    pub(crate) redis_url: Option<String>,
    /// Print lines instead of a live table
    #[arg(long = "plain")]
    pub(crate) print_plain_lines: bool,
    /// Stop after this long [default: run until Ctrl-C]
    #[arg(long = "time", value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) run_duration: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct FeaturesArgs {
    /// The user (the entity key) to look up
    #[arg(value_name = "USER")]
    pub(crate) user_id: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The pipeline file [default: the shipped e-commerce pipeline]
    #[arg(long = "pipeline", value_name = "FILE")]
    pub(crate) pipeline_path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) override_args: OverrideArgs,
}

#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) pipeline_args: PipelineArgs,
    /// Run only the tests whose names contain this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct KafkaUiArgs {
    #[command(flatten)]
    pub(crate) pipeline_args: PipelineArgs,
    /// Address of Kafka [default: as in the pipeline file]
    #[arg(long, value_name = "HOST:PORT,…", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) brokers: Option<String>,
    /// Address to listen on; an address that other machines can reach needs a token
    #[arg(long = "listen", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen_address: ListenAddress,
    /// File with the token that clients must send [default: the variable WINDROW_TOKEN; if unset, no token]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) proxy_args: ProxyArgs,
}

#[derive(Args, Debug)]
pub(crate) struct SavepointArgs {
    #[command(flatten)]
    pub(crate) pipeline_args: PipelineArgs,
    /// Location in which to create the savepoint's folder [default: beside the pipeline's checkpoints]
    #[arg(long = "to", value_name = "DIR|URL")]
    pub(crate) savepoint_parent_location: Option<String>,
    /// Fail if the savepoint takes longer than this
    #[arg(long = "timeout", value_name = "DURATION", value_parser = parse_duration, default_value = "60s")]
    pub(crate) savepoint_timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct HealthArgs {
    /// Address of the job's web server (`--listen` of `windrow run`)
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    pub(crate) address: SocketAddr,
    /// Ask for readiness instead of progress
    #[arg(long = "ready")]
    pub(crate) check_readiness: bool,
    /// Fail if the answer takes longer than this
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "3s")]
    pub(crate) timeout: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) command: StateCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum StateCommand {
    /// List the checkpoints and savepoints of a pipeline's job
    #[command(after_help = "\
Examples:
  windrow state list
  windrow state list my.toml --json | jq '.checkpoints[] | select(.age_ms > 300000)'")]
    List(StateListArgs),
    /// Show the contents of a savepoint, or of the newest checkpoints of a job
    #[command(after_help = "\
Examples:
  windrow state show .windrow/checkpoints/ecommerce/feature-engineering-group
  windrow state show s3://bucket/savepoints/savepoint-ecommerce-20261125T103000Z-a1b2 --json")]
    Show(StateShowArgs),
    /// Check that everything in a savepoint or a job's folder can be used
    #[command(after_help = "\
Examples:
  windrow state verify /backup/savepoint-ecommerce-20261125T103000Z-a1b2
  windrow state verify /backup/savepoint-ecommerce-20261125T103000Z-a1b2 --pipeline new.toml
      also reports which feature views keep their state

Exits with 0 only when everything can be used. Otherwise:
 13  there is no state, or it is of another pipeline (--pipeline)
 14  feature views changed, and their state must be dropped first (--pipeline)
 15  something can be read only by a newer version of Windrow
 16  something is damaged, missing or incomplete
 17  the store is unreachable or refuses access")]
    Verify(StateVerifyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct StateListArgs {
    #[command(flatten)]
    pub(crate) pipeline_args: PipelineArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct StateShowArgs {
    /// A savepoint or a job's folder: DIR, file:DIR, s3://…, gs://…, az://…
    #[arg(value_name = "PATH")]
    pub(crate) state_location: String,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub(crate) partition: Option<i32>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct StateVerifyArgs {
    /// A savepoint or a job's folder: DIR, file:DIR, s3://…, gs://…, az://…
    #[arg(value_name = "PATH")]
    pub(crate) state_location: String,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub(crate) partition: Option<i32>,
    /// Also report which feature views would keep their state in a job with this pipeline file
    #[arg(long = "pipeline", value_name = "FILE")]
    pub(crate) pipeline_path: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Parses a duration such as `10s`, `500ms` or `1h 30m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| format!("`{text}` is not a duration; write for example 500ms, 10s, 2h or 1h30m"))
}
