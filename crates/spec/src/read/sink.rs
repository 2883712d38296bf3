//! `[sink.redis]`: the Redis server to which rows are written, the login, and what acknowledges rows.

use crate::diagnostics::code::DiagnosticCode;
use crate::diagnostics::collector::DiagnosticCollector;
use crate::document::DocumentValue;
use crate::login_redaction::{find_passwords, has_login, remove_references};
use crate::pipeline::RowAcknowledgement;
use crate::read::boolean::BooleanDefinition;
use crate::read::integer::{IntegerRange, IntegerUnit};
use crate::read::secret::{SecretDefinition, SecretText, read_secret};
use crate::read::section::{SectionDefinition, SettingDefinition};
use crate::read::setting::{MistakeAlreadyReported, PipelineSetting};
use crate::read::table_reader::TableReader;
use crate::read::text::TextPattern;
use crate::secrets::SecretSource;

const REDIS_URL_SCHEMES: [&str; 3] = ["redis://", "rediss://", "unix://"];

pub(super) static SINK: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "sink",
    "[sink.redis]",
    &SectionDefinition { expected: "a table: `[sink.redis]`", alternatives: &[], settings: &[&REDIS] },
    "Where rows are written.",
);
static REDIS: SettingDefinition<&SectionDefinition> = SettingDefinition::required(
    "redis",
    "[sink.redis]",
    &SectionDefinition {
        expected: "a table: `[sink.redis]`",
        alternatives: &[],
        settings: &[&URL, &USER, &PASSWORD, &WAIT_REPLICAS, &WAIT_AOF],
    },
    "The Redis server to which rows are written, one hash per row.",
);
static URL: SettingDefinition<SecretDefinition> = SettingDefinition::required(
    "url",
    "url = \"redis://localhost:6379\"",
    SecretDefinition { pattern: TextPattern::Url { schemes: &REDIS_URL_SCHEMES, rest: r"\S+$" } },
    "The URL of the server: `redis://host:port`, `rediss://…` (TLS) or `unix://path`.",
);
static USER: SettingDefinition<SecretDefinition> = SettingDefinition::optional(
    "user",
    SecretDefinition { pattern: TextPattern::NotBlank },
    "The user of the login. Without it, Redis logs in the user `default`.",
);
static PASSWORD: SettingDefinition<SecretDefinition> = SettingDefinition::optional(
    "password",
    SecretDefinition { pattern: TextPattern::NotBlank },
    "The password of the login.",
);
static WAIT_REPLICAS: SettingDefinition<IntegerRange> = SettingDefinition::optional(
    "wait_replicas",
    IntegerRange { min: 0, max: 100, default: 0, unit: IntegerUnit::Replicas },
    "The number of replicas that must have a row before it counts as acknowledged. Checkpoints wait for this.",
);
static WAIT_AOF: SettingDefinition<BooleanDefinition> = SettingDefinition::optional(
    "wait_aof",
    BooleanDefinition { default: false },
    "Whether a row counts as acknowledged only once it is in the append-only file on the disk of Redis, and of \
     `wait_replicas` replicas. Needs Redis 7.2 or newer.",
);

/// `[sink.redis]`, without the settings of the views.
pub(super) struct RedisSinkSettings {
    pub(super) address: RedisAddressSpec,
    pub(super) required_acknowledgement: RowAcknowledgement,
}

/// The address and the login of the Redis server.
pub(super) struct RedisAddressSpec {
    /// The URL with the login.
    pub(super) url: String,
    /// The part of the URL that the pipeline file contains.
    pub(super) url_part_in_pipeline_file: String,
    /// The passwords as messages and pages must not contain them.
    pub(super) passwords: Vec<String>,
    /// Whether the pipeline file contains a literal `password`.
    pub(super) has_password_in_pipeline_file: bool,
}

/// Reads `[sink.redis]`. The other Redis settings belong to single views, and are in the sections of the views.
pub(super) fn read_redis_sink(
    root: &mut TableReader<'_>,
    secrets: &dyn SecretSource,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<RedisSinkSettings> {
    let mut sink = root.read_setting(&SINK, mistakes)?;
    let redis = sink.read_setting(&REDIS, mistakes);
    // A misspelt name, or one that belongs below `sink.redis`, may stand for the URL or the password.
    for entry in sink.unknown_entries() {
        mistakes.protect_secret(&entry.node.location);
    }
    sink.report_unknown_and_missing_fields(mistakes);
    let mut redis = redis?;
    let replica_count = redis.read_setting(&WAIT_REPLICAS, mistakes);
    let requires_append_only_file = redis.read_setting(&WAIT_AOF, mistakes);
    let address = read_redis_address(redis, secrets, mistakes);
    let required_acknowledgement =
        RowAcknowledgement { replica_count: replica_count?, requires_append_only_file: requires_append_only_file? };
    Some(RedisSinkSettings { address: address?, required_acknowledgement })
}

/// Reads the address and the login, and reports what is unknown or missing in `[sink.redis]`.
fn read_redis_address(
    mut redis: TableReader<'_>,
    secrets: &dyn SecretSource,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<RedisAddressSpec> {
    let url_setting = redis.find_setting(&URL);
    let url = url_setting.as_ref().and_then(|setting| read_redis_url(setting, secrets, mistakes));
    let user = read_optional_secret(redis.find_setting(&USER), "the name of a user", secrets, mistakes);
    let password_setting = redis.find_setting(&PASSWORD);
    let has_literal_text = |value: &DocumentValue| match value {
        DocumentValue::Text(text) => !remove_references(text).is_empty(),
        value => !matches!(value, DocumentValue::Table(_)),
    };
    if let Some(setting) = password_setting.as_ref().filter(|setting| has_literal_text(setting.value)) {
        mistakes.protect_secret(setting.location);
    }
    for entry in redis.unknown_entries() {
        mistakes.protect_secret(&entry.node.location);
    }
    let login_setting = password_setting.clone().or(redis.find_setting(&USER));
    let password = read_optional_secret(password_setting, "a password", secrets, mistakes);
    redis.report_unknown_and_missing_fields(mistakes);

    let (url, user, password, login_setting) = (url?, user.ok()?, password.ok()?, login_setting);
    let Some(login_setting) = login_setting else {
        return Some(RedisAddressSpec {
            passwords: find_passwords(&url.value),
            url: url.value,
            url_part_in_pipeline_file: url.part_in_pipeline_file,
            has_password_in_pipeline_file: false,
        });
    };
    let Some(password) = password else {
        let message = "`sink.redis.user` needs a password";
        mistakes.report(DiagnosticCode::MissingField, login_setting.location, message, "also `password = \"${…}\"`");
        return None;
    };
    if has_login(&url.value) {
        let message = "the login is both in `sink.redis.url` and in settings of its own";
        mistakes.report(DiagnosticCode::ConflictingFields, login_setting.location, message, "one of the two");
        return None;
    }
    let user = user.map_or(String::new(), |user| user.value);
    Some(RedisAddressSpec {
        url: add_login(&url.value, &user, &password.value),
        url_part_in_pipeline_file: url.part_in_pipeline_file,
        has_password_in_pipeline_file: !password.part_in_pipeline_file.is_empty(),
        passwords: vec![percent_encode(&password.value), password.value],
    })
}

fn read_optional_secret(
    setting: Option<PipelineSetting<'_>>,
    expected: &str,
    secrets: &dyn SecretSource,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Result<Option<SecretText>, MistakeAlreadyReported> {
    let read = |setting: PipelineSetting<'_>| read_secret(&setting, expected, secrets, mistakes);
    setting.map(read).map_or(Ok(None), |secret| secret.map(Some).ok_or(MistakeAlreadyReported))
}

fn read_redis_url(
    setting: &PipelineSetting<'_>,
    secrets: &dyn SecretSource,
    mistakes: &mut DiagnosticCollector<'_>,
) -> Option<SecretText> {
    const EXPECTED_REDIS_URL: &str = "\"redis://host:port\", \"rediss://…\" (TLS) or \"unix://path\"";
    if let DocumentValue::Text(text) = setting.value
        && !find_passwords(&remove_references(text)).is_empty()
    {
        mistakes.protect_secret(setting.location);
    }
    let url = read_secret(setting, EXPECTED_REDIS_URL, secrets, mistakes)?;
    let server = REDIS_URL_SCHEMES.iter().find_map(|scheme| url.value.strip_prefix(scheme));
    let fine = server.is_some_and(|server| !server.is_empty()) && !url.value.contains(char::is_whitespace);
    if !fine {
        let message = format!("`{}` is not the URL of a Redis server", setting.path);
        mistakes.report(DiagnosticCode::BadValue, setting.location, message, EXPECTED_REDIS_URL).redact_line();
    }
    fine.then_some(url)
}

/// Returns `url` with a login. `user` may be empty.
fn add_login(url: &str, user: &str, password: &str) -> String {
    let (user, password) = (percent_encode(user), percent_encode(password));
    match url.split_once("://") {
        Some(("unix", path)) => {
            let separator = if path.contains('?') { '&' } else { '?' };
            let user = if user.is_empty() { String::new() } else { format!("user={user}&") };
            format!("unix://{path}{separator}{user}pass={password}")
        }
        Some((scheme, server)) => format!("{scheme}://{user}:{password}@{server}"),
        None => url.to_owned(),
    }
}

/// Encodes each byte that a URL may not contain in a login.
fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| {
        let is_unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if is_unreserved { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}
