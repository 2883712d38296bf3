//! The host names under which browsers reach a server through a proxy.

use std::str::FromStr;

use axum::http::uri::Authority;

/// A host name under which browsers reach a server, without a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicHost(String);

/// The error for a text that is no host name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a host name or an IP address without scheme, port and path, for example windrow.example.com")]
pub struct InvalidPublicHost;

impl PublicHost {
    /// Returns whether `authority` has this host name, with any port.
    pub(super) fn is_host_of(&self, authority: &Authority) -> bool {
        authority.host().eq_ignore_ascii_case(&self.0)
    }
}

impl FromStr for PublicHost {
    type Err = InvalidPublicHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let authority: Authority = text.parse().map_err(|_| InvalidPublicHost)?;
        if authority.as_str() == authority.host() { Ok(Self(text.to_owned())) } else { Err(InvalidPublicHost) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_host_is_a_name_without_a_port() {
        for good in ["windrow.example.com", "Windrow", "10.0.0.1", "[2001:db8::1]"] {
            assert!(good.parse::<PublicHost>().is_ok(), "{good}");
        }
        for bad in ["", "windrow:8081", "http://windrow", "windrow/", "a@b", "a b", "[::1]:80"] {
            assert!(bad.parse::<PublicHost>().is_err(), "{bad}");
        }
    }
}
