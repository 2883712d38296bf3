//! Hints for names and expressions of other systems: what a pipeline file has in their place.
//!
//! Owns: the words of SQL, Flink, Spark and pandas that users write in features and windows. Does not own: reporting the
//! mistakes (the reader of each section).

/// Returns what to write in place of an aggregate of another system. Returns `None` for an unknown name.
pub(super) fn suggest_aggregate(name: &str) -> Option<&'static str> {
    Some(match normalize_name(name).as_str() {
        "mean" | "average" => "the average is called `avg`",
        "total" | "plus" => "the sum is called `sum`",
        "minimum" | "least" | "lowest" => "the smallest value is called `min`",
        "maximum" | "greatest" | "highest" => "the largest value is called `max`",
        "firstvalue" | "earliest" | "oldest" | "argmin" | "minby" => {
            "the value with the earliest event time is called `first`"
        }
        "lastvalue" | "latest" | "newest" | "anyvalue" | "any" | "value" | "argmax" | "maxby" => {
            "the value with the latest event time is called `last`"
        }
        "number" | "size" | "rows" | "events" | "countall" | "countif" => {
            "the number of events is called `count`: `{ count = \"*\" }`; `where` chooses the events"
        }
        "distinct"
        | "unique"
        | "nunique"
        | "uniq"
        | "countunique"
        | "approxcountdistinct"
        | "approxdistinct"
        | "hll"
        | "hyperloglog"
        | "cardinality" => "the number of different values is called `count_distinct`",
        "stddev" | "std" | "stdev" | "stddevpop" | "stddevsamp" | "standarddeviation" | "variance" | "var"
        | "varpop" | "varsamp" => {
            "there is neither a standard deviation nor a variance; `avg`, `min` and `max` describe the values"
        }
        "percentile" | "quantile" | "median" | "percentilecont" | "percentiledisc" | "approxpercentile"
        | "approxquantile" | "tdigest" | "p50" | "p90" | "p95" | "p99" | "histogram" => {
            "there are no quantiles; count the events above a limit: `{ count = \"*\", where = \"price > 100\" }`"
        }
        "topk" | "approxtopk" | "topn" | "mode" | "mostcommon" | "mostfrequent" | "bottomk" => {
            "there are no most frequent values; write one feature for each value: \
             `{ count = \"*\", where = \"event_type = 'view'\" }`"
        }
        "collect" | "collectlist" | "collectset" | "list" | "listagg" | "arrayagg" | "stringagg" | "groupconcat"
        | "set" | "lastn" | "firstn" => "a feature holds one value; `first` and `last` keep one value of the window",
        "elapsed" | "timespan" | "span" | "length" => {
            "the time from the first to the last event is called `duration`: `{ duration = \"seconds\" }`"
        }
        _ => return None,
    })
}

/// Returns what to write in place of a setting of a feature in another system.
pub(super) fn suggest_feature_setting(name: &str) -> Option<String> {
    let hint = match normalize_name(name).as_str() {
        "having" | "filter" | "if" | "when" | "condition" | "predicate" => {
            "the condition of a feature is called `where`"
        }
        "fillna" | "otherwise" | "else" | "ifnull" | "fallback" | "coalesce" => {
            "the value of a feature without events is called `default`"
        }
        "type" | "dtype" => "the type of a feature follows from its aggregate and its field",
        "window" | "size" | "slide" | "gap" | "ttl" | "key" => "this setting belongs to the view, not to a feature",
        "groupby" | "by" | "partitionby" => "features are grouped by the entity key of the event only",
        "field" | "column" | "on" | "of" => "write the field as the value of the aggregate: `{ sum = \"price\" }`",
        name => return suggest_aggregate(name).map(str::to_owned),
    };
    Some(hint.to_owned())
}

/// Returns what to write in place of a kind of window of another system.
pub(super) fn suggest_window_kind(name: &str) -> Option<String> {
    let hint = match normalize_name(name).as_str() {
        "hop" | "hopping" => "a hopping window is called `sliding`",
        "tumble" | "fixed" => "a window of fixed size without overlap is called `tumbling`",
        "size" => "name the kind of the window: `window.tumbling = { size = \"1h\" }`",
        "slide" | "step" | "every" | "advance" => {
            "name the kind of the window: `window.sliding = { size = \"1h\", slide = \"10m\" }`"
        }
        "gap" => "name the kind of the window: `window.session = { gap = \"10m\" }`",
        "cumulate" | "cumulative" | "global" | "count" => {
            "there are only windows of time: sliding, tumbling and session"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Returns `name` in lower case, without `_`, `-` and white space.
fn normalize_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-') && !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Returns what to write in place of `text`, the value of the aggregate `kind`, if `text` is an expression and not the
/// name of a field.
pub(super) fn suggest_in_place_of_expression(kind: &str, text: &str) -> Option<String> {
    const COMPUTE_BEFORE: &str = "compute the value before the event reaches Kafka, and declare it as a field";
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    if let Some(operand) = strip_distinct(text, &lower) {
        let hint =
            format!("the number of different values has its own aggregate: `{{ count_distinct = \"{operand}\" }}`");
        let other = format!("there is no `{kind}` of different values; `count_distinct` counts them");
        return Some(if kind.starts_with("count") { hint } else { other });
    }
    if let Some((field, condition)) = lower.find(" where ").map(|at| (text[..at].trim(), text[at + 7..].trim())) {
        return Some(format!("put the condition into `where`: `{{ {kind} = \"{field}\", where = \"{condition}\" }}`"));
    }
    if text.contains("->") {
        return None; // a path
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok() {
        return Some("to count events, write `{ count = \"*\" }`".to_owned());
    }
    if words.contains(&"case") || text.contains(['=', '<', '>', '!']) {
        return Some("an aggregate has no conditions; `where` chooses the events: `where = \"price > 1\"`".to_owned());
    }
    if text.contains('(') {
        return Some(format!("an aggregate has no functions; {COMPUTE_BEFORE}"));
    }
    if text.contains(['+', '*', '/', '%', '|']) || text.contains(" - ") {
        return Some(format!("an aggregate has no arithmetic; {COMPUTE_BEFORE}"));
    }
    if text.contains(',') {
        return Some("an aggregate takes one field; write one feature for each field".to_owned());
    }
    None
}

/// Returns the operand of `distinct operand` or `distinct(operand)`. `lower` is `text` in lower case.
fn strip_distinct<'t>(text: &'t str, lower: &str) -> Option<&'t str> {
    let at = lower.find("distinct")?;
    let before = lower[..at].trim_end();
    let rest = &text[at + "distinct".len()..];
    // `distinct_users` and `nondistinct` are names.
    let is_word = rest.starts_with(|c: char| c.is_whitespace() || c == '(') && !before.ends_with(char::is_alphanumeric);
    is_word.then(|| rest.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')')))
}
