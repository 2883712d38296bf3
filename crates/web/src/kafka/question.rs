//! What stands behind the `?`: every mistake has a sentence.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use windrow_connectors::kafka::browse::{BrowseError, PageRequest, PageStart, TailRequest};

use crate::answers::HttpFault;

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;
const VALUE_BYTES_DEFAULT: usize = 4 << 10;
const VALUE_BYTES_MAX: usize = 64 << 10;
/// For one record alone.
const WHOLE_VALUE_BYTES_MAX: usize = 8 << 20;
const PATIENCE_MS_DEFAULT: u64 = 5_000;
const PATIENCE_MS_MAX: u64 = 10_000;
const CONTAINS_BYTES_MAX: usize = 1_000;

/// The parameters of a request.
pub(super) type RawQuery = Result<Query<BTreeMap<String, String>>, QueryRejection>;

struct KafkaQuery {
    parameters: BTreeMap<String, String>,
}

impl KafkaQuery {
    fn new(parameters: RawQuery, known: &[&str]) -> Result<Self, HttpFault> {
        let Query(mut parameters) =
            parameters.map_err(|rejection| BrowseError::InvalidRequest(rejection.body_text()))?;
        // A form sends its empty fields too.
        parameters.retain(|_, value| !value.is_empty());
        match parameters.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(BrowseError::InvalidRequest(format!("`{name}` is not known here; there are {}", known.join(", ")))
                    .into())
            }
            None => Ok(Self { parameters }),
        }
    }

    fn parse_parameter<T: FromStr>(&self, name: &str, must: &str) -> Result<Option<T>, HttpFault> {
        let Some(value) = self.parameters.get(name) else { return Ok(None) };
        let wrong = || BrowseError::InvalidRequest(format!("{name}={value}: {must}")).into();
        value.parse().map(Some).map_err(|_| wrong())
    }

    fn parse_bounded_number(&self, name: &str, otherwise: usize, most: usize) -> Result<usize, HttpFault> {
        let number = self.parse_parameter(name, "it must be a number")?.unwrap_or(otherwise);
        if (1..=most).contains(&number) {
            Ok(number)
        } else {
            Err(BrowseError::InvalidRequest(format!("{name}={number}: it must be 1 to {most}")).into())
        }
    }

    fn parse_partition(&self) -> Result<Option<i32>, HttpFault> {
        let must = "it must be the number of a partition";
        match self.parse_parameter("partition", must)? {
            Some(partition @ ..0) => Err(BrowseError::InvalidRequest(format!("partition={partition}: {must}")).into()),
            partition => Ok(partition),
        }
    }

    fn parse_contains(&self) -> Result<Option<String>, HttpFault> {
        match self.parameters.get("contains") {
            Some(text) if text.len() > CONTAINS_BYTES_MAX => Err(BrowseError::InvalidRequest(format!(
                "contains: at most {CONTAINS_BYTES_MAX} bytes can be looked for"
            ))
            .into()),
            text => Ok(text.cloned()),
        }
    }

    fn parse_start_parameters(&self) -> Result<PageStart, HttpFault> {
        let must = "positions look like 0:120,1:77";
        let before = self.parse_parameter("before", must)?.map(PageStart::Before);
        let after = self.parse_parameter("after", must)?.map(PageStart::After);
        let from = self.parameters.get("from").map(|from| parse_from(from)).transpose()?;
        let mut given = [before, after, from].into_iter().flatten();
        let start = given.next().unwrap_or(PageStart::Newest);
        match given.next() {
            Some(_) => {
                Err(BrowseError::InvalidRequest("only one of from, before and after can be given".to_owned()).into())
            }
            None => Ok(start),
        }
    }
}

fn parse_from(from: &str) -> Result<PageStart, HttpFault> {
    let wrong = || {
        BrowseError::InvalidRequest(format!(
            "from={from}: it must be newest, oldest, offset:N or time:EPOCH_MILLISECONDS"
        ))
        .into()
    };
    let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0).ok_or_else(wrong);
    match from.split_once(':') {
        None if from == "newest" => Ok(PageStart::Newest),
        None if from == "oldest" => Ok(PageStart::Oldest),
        Some(("offset", offset)) => number(offset).map(PageStart::Offset),
        Some(("time", time_ms)) => number(time_ms).map(PageStart::Time),
        _ => Err(wrong()),
    }
}

/// Which page of records is asked for.
pub(super) fn parse_page_request(parameters: RawQuery) -> Result<PageRequest, HttpFault> {
    let known = ["from", "before", "after", "partition", "contains", "limit", "bytes", "patience_ms"];
    let question = KafkaQuery::new(parameters, &known)?;
    let limit = question.parse_bounded_number("limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    let bytes_max = if limit == 1 { WHOLE_VALUE_BYTES_MAX } else { VALUE_BYTES_MAX };
    let patience_ms =
        question.parse_parameter("patience_ms", "it must be a number of milliseconds")?.unwrap_or(PATIENCE_MS_DEFAULT);
    Ok(PageRequest {
        start: question.parse_start_parameters()?,
        partition: question.parse_partition()?,
        contains: question.parse_contains()?,
        limit,
        value_bytes_max: question.parse_bounded_number("bytes", VALUE_BYTES_DEFAULT, bytes_max)?,
        timeout: Duration::from_millis(patience_ms.min(PATIENCE_MS_MAX)),
    })
}

/// Which records are to be followed.
pub(super) fn parse_tail_request(parameters: RawQuery) -> Result<TailRequest, HttpFault> {
    let question = KafkaQuery::new(parameters, &["partition", "contains", "bytes"])?;
    Ok(TailRequest {
        partition: question.parse_partition()?,
        contains: question.parse_contains()?,
        value_bytes_max: question.parse_bounded_number("bytes", VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX)?,
    })
}
