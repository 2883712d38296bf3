//! The maximum out-of-orderness in the text with which a manifest describes how records are read.
//!
//! Invariant: the text never changes, because manifests of all versions contain it.

const PREFIX: &str = "out of order up to ";
const SUFFIX: &str = " ms";

/// Describes the maximum out-of-orderness of event times.
pub(crate) fn describe_max_out_of_orderness(max_out_of_orderness_ms: i64) -> String {
    format!("{PREFIX}{max_out_of_orderness_ms}{SUFFIX}")
}

/// Returns the maximum out-of-orderness in a description of how records are read, in milliseconds. Returns `None` if the
/// description does not contain it.
pub(crate) fn parse_max_out_of_orderness_ms(description: &str) -> Option<i64> {
    let (_, rest) = description.rsplit_once(PREFIX)?;
    rest.split_once(SUFFIX)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_described_is_parsed() {
        let description = format!("json, {}, Windrow 0.1.0", describe_max_out_of_orderness(10_000));
        assert_eq!(description, "json, out of order up to 10000 ms, Windrow 0.1.0");
        assert_eq!(parse_max_out_of_orderness_ms(&description), Some(10_000));
        assert_eq!(parse_max_out_of_orderness_ms("json, Windrow 0.1.0"), None);
    }
}
