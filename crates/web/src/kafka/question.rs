//! What stands behind the `?`: every mistake has a sentence.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use windrow_connectors::kafka::browse::{BrowseError, PageRequest, Start, TailRequest};

use crate::answers::Fault;

const LIMIT: usize = 50;
const LIMIT_MAX: usize = 500;
const VALUE_BYTES: usize = 4 << 10;
const VALUE_BYTES_MAX: usize = 64 << 10;
/// For one record alone.
const WHOLE_VALUE_MAX: usize = 8 << 20;
const PATIENCE_MS: u64 = 5_000;
const PATIENCE_MS_MAX: u64 = 10_000;
const CONTAINS_MAX: usize = 1_000;

/// The parameters of a request.
pub(super) type Parameters = Result<Query<BTreeMap<String, String>>, QueryRejection>;

struct Question {
    parameters: BTreeMap<String, String>,
}

impl Question {
    fn new(parameters: Parameters, known: &[&str]) -> Result<Self, Fault> {
        let Query(mut parameters) = parameters.map_err(|rejection| BrowseError::Wrong(rejection.body_text()))?;
        // A form sends its empty fields too.
        parameters.retain(|_, value| !value.is_empty());
        match parameters.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(BrowseError::Wrong(format!("`{name}` is not known here; there are {}", known.join(", "))).into())
            }
            None => Ok(Self { parameters }),
        }
    }

    fn read<T: FromStr>(&self, name: &str, must: &str) -> Result<Option<T>, Fault> {
        let Some(value) = self.parameters.get(name) else { return Ok(None) };
        let wrong = || BrowseError::Wrong(format!("{name}={value}: {must}")).into();
        value.parse().map(Some).map_err(|_| wrong())
    }

    fn number(&self, name: &str, otherwise: usize, most: usize) -> Result<usize, Fault> {
        let number = self.read(name, "it must be a number")?.unwrap_or(otherwise);
        if (1..=most).contains(&number) {
            Ok(number)
        } else {
            Err(BrowseError::Wrong(format!("{name}={number}: it must be 1 to {most}")).into())
        }
    }

    fn partition(&self) -> Result<Option<i32>, Fault> {
        let must = "it must be the number of a partition";
        match self.read("partition", must)? {
            Some(partition @ ..0) => Err(BrowseError::Wrong(format!("partition={partition}: {must}")).into()),
            partition => Ok(partition),
        }
    }

    fn contains(&self) -> Result<Option<String>, Fault> {
        match self.parameters.get("contains") {
            Some(text) if text.len() > CONTAINS_MAX => {
                Err(BrowseError::Wrong(format!("contains: at most {CONTAINS_MAX} bytes can be looked for")).into())
            }
            text => Ok(text.cloned()),
        }
    }

    fn start(&self) -> Result<Start, Fault> {
        let must = "positions look like 0:120,1:77";
        let before = self.read("before", must)?.map(Start::Before);
        let after = self.read("after", must)?.map(Start::After);
        let from = self.parameters.get("from").map(|from| start(from)).transpose()?;
        let mut given = [before, after, from].into_iter().flatten();
        let start = given.next().unwrap_or(Start::Newest);
        match given.next() {
            Some(_) => Err(BrowseError::Wrong("only one of from, before and after can be given".to_owned()).into()),
            None => Ok(start),
        }
    }
}

fn start(from: &str) -> Result<Start, Fault> {
    let wrong = || {
        BrowseError::Wrong(format!("from={from}: it must be newest, oldest, offset:N or time:EPOCH_MILLISECONDS"))
            .into()
    };
    let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0).ok_or_else(wrong);
    match from.split_once(':') {
        None if from == "newest" => Ok(Start::Newest),
        None if from == "oldest" => Ok(Start::Oldest),
        Some(("offset", offset)) => number(offset).map(Start::Offset),
        Some(("time", time_ms)) => number(time_ms).map(Start::Time),
        _ => Err(wrong()),
    }
}

/// Which page of records is asked for.
pub(super) fn page(parameters: Parameters) -> Result<PageRequest, Fault> {
    let known = ["from", "before", "after", "partition", "contains", "limit", "bytes", "patience_ms"];
    let question = Question::new(parameters, &known)?;
    let limit = question.number("limit", LIMIT, LIMIT_MAX)?;
    let bytes_max = if limit == 1 { WHOLE_VALUE_MAX } else { VALUE_BYTES_MAX };
    let patience_ms = question.read("patience_ms", "it must be a number of milliseconds")?.unwrap_or(PATIENCE_MS);
    Ok(PageRequest {
        start: question.start()?,
        partition: question.partition()?,
        contains: question.contains()?,
        limit,
        value_bytes: question.number("bytes", VALUE_BYTES, bytes_max)?,
        patience: Duration::from_millis(patience_ms.min(PATIENCE_MS_MAX)),
    })
}

/// Which records are to be followed.
pub(super) fn tail(parameters: Parameters) -> Result<TailRequest, Fault> {
    let question = Question::new(parameters, &["partition", "contains", "bytes"])?;
    Ok(TailRequest {
        partition: question.partition()?,
        contains: question.contains()?,
        value_bytes: question.number("bytes", VALUE_BYTES, VALUE_BYTES_MAX)?,
    })
}
