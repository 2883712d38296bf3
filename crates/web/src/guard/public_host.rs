//! The host names under which browsers reach a server through a proxy.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use axum::http::uri::Authority;

/// A host name under which browsers reach a server, without a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicHost(String);

/// The error for a text that is no host name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidPublicHost {
    /// The text has a wildcard.
    #[error("a wildcard names no host; give the option once for each host name, for example windrow.example.com")]
    Wildcard,
    /// The text is a list.
    #[error("one host name at a time; give the option once for each")]
    List,
    /// The text is neither a name nor an address.
    #[error("a host name or an IP address without scheme, port and path, for example windrow.example.com")]
    NoHost,
}

impl PublicHost {
    /// Returns whether `authority` has this host name, with any port.
    pub(super) fn is_host_of(&self, authority: &Authority) -> bool {
        authority.host().eq_ignore_ascii_case(&self.0)
    }
}

impl FromStr for PublicHost {
    type Err = InvalidPublicHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('*') {
            return Err(InvalidPublicHost::Wildcard);
        }
        if text.contains([',', ';']) || text.split_whitespace().nth(1).is_some() {
            return Err(InvalidPublicHost::List);
        }
        if is_address(text) || is_host_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidPublicHost::NoHost) }
    }
}

/// Returns whether `text` is an address as an authority has it: an IPv6 address is in brackets.
fn is_address(text: &str) -> bool {
    let ipv6 = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    ipv6.map_or_else(|| text.parse::<Ipv4Addr>().is_ok(), |ipv6| ipv6.parse::<Ipv6Addr>().is_ok())
}

/// Returns whether `text` is a name of DNS: labels of letters, digits, hyphens and underscores, of which the last one is
/// not a number (RFC 952, RFC 1123; browsers also reach names with underscores).
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(is_label) && !name.rsplit('.').next().is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_host_is_a_name_without_a_port() {
        let longest_label = "a".repeat(63);
        for good in [
            "windrow.example.com",
            "Windrow",
            "a-b_c.example.",
            "1.windrow.example",
            "xn--bcher-kva.example",
            "10.0.0.1",
            "[2001:db8::1]",
            &longest_label,
        ] {
            assert!(good.parse::<PublicHost>().is_ok(), "{good}");
        }
        let too_long = ["a".repeat(64), vec!["a"; 128].join(".")];
        for bad in [
            "",
            ".",
            "windrow:8081",
            "http://windrow",
            "windrow/",
            "a@b",
            "[::1]:80",
            "[windrow]",
            "::1",
            "10.0.0.256",
            "a..b",
            ".a",
            "-a",
            "a-.b",
            "a%20b",
            "a!b",
            "bücher.example",
            " a",
            &too_long[0],
            &too_long[1],
        ] {
            assert_eq!(bad.parse::<PublicHost>(), Err(InvalidPublicHost::NoHost), "{bad}");
        }
        for list in ["a,b", "a;b", "a b", "a, b"] {
            assert_eq!(list.parse::<PublicHost>(), Err(InvalidPublicHost::List), "{list}");
        }
        for wildcard in ["*", "*.x", "*.a,b"] {
            assert_eq!(wildcard.parse::<PublicHost>(), Err(InvalidPublicHost::Wildcard), "{wildcard}");
        }
    }
}
