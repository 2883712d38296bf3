//! Parses the URL query of a request for records. A query with a mistake results in a fault with status 400 and an
//! error text.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use axum::http::StatusCode;
use windrow_connectors::kafka::browse::{PageRequest, PageStart, TailRequest};

use crate::answers::HttpFault;
use crate::query::QueryParameters;

const DEFAULT_RECORD_LIMIT: usize = 50;
const MAX_RECORD_LIMIT: usize = 500;
const DEFAULT_VALUE_BYTES: usize = 4 << 10;
const MAX_VALUE_BYTES: usize = 64 << 10;
/// If a request asks for a single record, the answer holds at most this many bytes of the record's value.
const MAX_SINGLE_RECORD_VALUE_BYTES: usize = 8 << 20;
const DEFAULT_READ_TIMEOUT_MS: u64 = 5_000;
const MAX_READ_TIMEOUT_MS: u64 = 10_000;
const MAX_SEARCH_TEXT_BYTES: usize = 1_000;

const RECORD_PAGE_PARAMETER_NAMES: [&str; 8] =
    ["from", "before", "after", "partition", "contains", "limit", "bytes", "timeout_ms"];
const TAIL_PARAMETER_NAMES: [&str; 3] = ["partition", "contains", "bytes"];

/// The query parameters of a request, by name. Neither names nor values are checked yet.
pub(super) type RawParameters = QueryParameters<BTreeMap<String, String>>;

/// Query parameters whose names are checked: the URL supports all these names. The values are not checked yet.
struct KnownParameters {
    parameters: BTreeMap<String, String>,
}

impl KnownParameters {
    fn new(parameters: RawParameters, known: &[&str]) -> Result<Self, HttpFault> {
        let QueryParameters(mut parameters) = parameters;
        // Empty values are ignored, because an HTML form also sends its empty fields.
        parameters.retain(|_, value| !value.is_empty());
        match parameters.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(bad_query_fault(format!(
                "`{name}` is not a parameter of this URL; the parameters are {}",
                known.join(", ")
            ))),
            None => Ok(Self { parameters }),
        }
    }

    fn parse_parameter<T: FromStr>(&self, name: &str, requirement: &str) -> Result<Option<T>, HttpFault> {
        let Some(value) = self.parameters.get(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| bad_query_fault(format!("{name}={value} is invalid: {requirement}")))
    }

    fn parse_bounded_number(&self, name: &str, default: usize, max: usize) -> Result<usize, HttpFault> {
        let requirement = format!("use a number from 1 to {max}");
        let number = self.parse_parameter(name, &requirement)?.unwrap_or(default);
        if (1..=max).contains(&number) {
            Ok(number)
        } else {
            Err(bad_query_fault(format!("{name}={number} is invalid: {requirement}")))
        }
    }

    fn parse_partition(&self) -> Result<Option<i32>, HttpFault> {
        let requirement = "use the number of a partition";
        match self.parse_parameter("partition", requirement)? {
            Some(partition @ ..0) => Err(bad_query_fault(format!("partition={partition} is invalid: {requirement}"))),
            partition => Ok(partition),
        }
    }

    fn parse_search_text(&self) -> Result<Option<String>, HttpFault> {
        match self.parameters.get("contains") {
            Some(text) if text.len() > MAX_SEARCH_TEXT_BYTES => Err(bad_query_fault(format!(
                "contains is longer than {MAX_SEARCH_TEXT_BYTES} bytes: search for a shorter text"
            ))),
            text => Ok(text.cloned()),
        }
    }

    fn parse_record_page_start(&self) -> Result<PageStart, HttpFault> {
        let requirement = "use positions such as 0:120,1:77 (PARTITION:OFFSET)";
        let before = self.parse_parameter("before", requirement)?.map(PageStart::Before);
        let after = self.parse_parameter("after", requirement)?.map(PageStart::After);
        let from = self.parameters.get("from").map(|from| parse_from_parameter(from)).transpose()?;
        let mut given = [before, after, from].into_iter().flatten();
        let start = given.next().unwrap_or(PageStart::Newest);
        match given.next() {
            Some(_) => {
                Err(bad_query_fault("the query has more than one of from, before and after: give only one of them"))
            }
            None => Ok(start),
        }
    }
}

fn parse_from_parameter(from: &str) -> Result<PageStart, HttpFault> {
    let invalid =
        || bad_query_fault(format!("from={from} is invalid: use newest, oldest, offset:N or time:EPOCH_MILLISECONDS"));
    let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0).ok_or_else(invalid);
    match from.split_once(':') {
        None if from == "newest" => Ok(PageStart::Newest),
        None if from == "oldest" => Ok(PageStart::Oldest),
        Some(("offset", offset)) => number(offset).map(PageStart::Offset),
        Some(("time", time_ms)) => number(time_ms).map(PageStart::Time),
        _ => Err(invalid()),
    }
}

fn bad_query_fault(reason: impl Into<String>) -> HttpFault {
    HttpFault::new(StatusCode::BAD_REQUEST, reason)
}

/// Parses a request for a page of records.
pub(super) fn parse_record_page_request(parameters: RawParameters) -> Result<PageRequest, HttpFault> {
    let query = KnownParameters::new(parameters, &RECORD_PAGE_PARAMETER_NAMES)?;
    let limit = query.parse_bounded_number("limit", DEFAULT_RECORD_LIMIT, MAX_RECORD_LIMIT)?;
    let max_bytes = if limit == 1 { MAX_SINGLE_RECORD_VALUE_BYTES } else { MAX_VALUE_BYTES };
    let timeout_ms =
        query.parse_parameter("timeout_ms", "use a number of milliseconds")?.unwrap_or(DEFAULT_READ_TIMEOUT_MS);
    Ok(PageRequest {
        start: query.parse_record_page_start()?,
        partition: query.parse_partition()?,
        search_text: query.parse_search_text()?,
        max_records: limit,
        max_value_bytes: query.parse_bounded_number("bytes", DEFAULT_VALUE_BYTES, max_bytes)?,
        timeout: Duration::from_millis(timeout_ms.min(MAX_READ_TIMEOUT_MS)),
    })
}

/// Parses a request to stream the new records of a topic.
pub(super) fn parse_tail_request(parameters: RawParameters) -> Result<TailRequest, HttpFault> {
    let query = KnownParameters::new(parameters, &TAIL_PARAMETER_NAMES)?;
    Ok(TailRequest {
        partition: query.parse_partition()?,
        search_text: query.parse_search_text()?,
        max_value_bytes: query.parse_bounded_number("bytes", DEFAULT_VALUE_BYTES, MAX_VALUE_BYTES)?,
    })
}
