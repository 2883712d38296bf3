//! Accepts only requests to host names that are this server's: local ones, and the public ones that the operator has named.
//! Without this check, a page of another server could read this server's answers, if the page's host name resolves to this
//! server's address (DNS rebinding). The host name of such a page is never an IP address.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::login::PATHS_WITHOUT_LOGIN;
use super::tls_proxy::TlsProxies;
use crate::answers::HttpFault;

/// Which host names a server accepts.
#[derive(Debug)]
pub(super) struct HostPolicy {
    /// Whether only this machine reaches the server.
    pub(super) is_on_loopback: bool,
    /// Whether the server requires a login. Only then it accepts other host names than local ones: a page of another
    /// server has no login, because a browser sends a cookie only to the host name that set it.
    pub(super) requires_login: bool,
    pub(super) tls_proxies: TlsProxies,
}

/// How a server answers a request to some host name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum HostVerdict {
    /// The host name is this server's.
    Answer,
    /// The host name may be that of another server's page. The health checks answer without reasons, because they need no
    /// login. Other paths need one.
    AnswerWithoutReasons,
    /// The same, for an operator who has named the public host names: only the health checks answer.
    AnswerHealthOnly,
    Refuse,
}

impl HostPolicy {
    fn judge_host(&self, host: &Authority, extensions: &Extensions) -> HostVerdict {
        let public_hosts = &self.tls_proxies.public_hosts;
        if is_local_host_name(host) {
            return HostVerdict::Answer;
        }
        if !self.requires_login {
            return HostVerdict::Refuse;
        }
        let is_address = !self.is_on_loopback && is_ip_address(host);
        if is_address || public_hosts.iter().any(|public| public.is_host_of(host)) {
            return HostVerdict::Answer;
        }
        let may_be_proxied = !self.is_on_loopback || self.tls_proxies.may_come_from_proxy(extensions);
        match (public_hosts.is_empty(), may_be_proxied) {
            (true, true) => HostVerdict::AnswerWithoutReasons,
            (true, false) => HostVerdict::Refuse,
            (false, _) => HostVerdict::AnswerHealthOnly,
        }
    }
}

/// Refuses a request if the host name in the URL or in the `Host` header is not one of the server's. Behind a proxy, any
/// host name is accepted as long as the operator has named none; a page of another server then learns only whether this
/// server is healthy.
pub(super) async fn require_own_host(State(policy): State<Arc<HostPolicy>>, request: Request, next: Next) -> Response {
    let Some(host) = requested_host(request.headers()) else {
        // Some load balancers send their health checks without a host name. A browser always names one.
        let names_none = !request.headers().contains_key(header::HOST) && request.uri().authority().is_none();
        let is_accepted = names_none && !policy.is_on_loopback && policy.requires_login;
        return if is_accepted { next.run(request).await } else { refuse_host(&policy) };
    };
    let is_health_check = PATHS_WITHOUT_LOGIN.contains(&request.uri().path());
    let target = request.uri().authority().cloned().unwrap_or_else(|| host.clone());
    let verdicts = [&host, &target].map(|name| policy.judge_host(name, request.extensions()));
    if verdicts.contains(&HostVerdict::Refuse) {
        return refuse_host(&policy);
    }
    if verdicts == [HostVerdict::Answer; 2] {
        return next.run(request).await;
    }
    if is_health_check {
        let response = next.run(request).await;
        return if response.status().is_success() { response } else { hide_reasons(response.status()) };
    }
    if verdicts.contains(&HostVerdict::AnswerHealthOnly) { refuse_host(&policy) } else { next.run(request).await }
}

fn hide_reasons(status: StatusCode) -> Response {
    let text = "the reasons are shown only to local host names, IP addresses and the names of --public-host";
    HttpFault::new(status, text).into_response()
}

fn refuse_host(policy: &HostPolicy) -> Response {
    let reason = if policy.tls_proxies.public_hosts.is_empty() {
        "this server answers only requests to localhost, 127.0.0.1 or [::1]; for other host names, start it with an access \
         token, and name the host under which browsers reach it (--public-host, and behind a proxy with TLS also \
         --behind-tls or --trusted-proxy), or let it listen at another address"
    } else if policy.requires_login {
        "this server answers only requests to localhost, 127.0.0.1, [::1] and the host names of --public-host"
    } else {
        "this server answers only requests to localhost, 127.0.0.1 or [::1]; the host names of --public-host also need an \
         access token (--token-file)"
    };
    HttpFault::new(StatusCode::FORBIDDEN, reason).into_response()
}

/// Returns the host name and port in the `Host` header, or `None` if the header is missing, repeated or invalid.
pub(super) fn requested_host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?;
    if hosts.next().is_some() {
        return None;
    }
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

fn is_local_host_name(authority: &Authority) -> bool {
    let host = authority.host();
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match ipv6 {
        Some(ipv6) => ipv6.parse() == Ok(Ipv6Addr::LOCALHOST),
        None => host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    }
}

fn is_ip_address(authority: &Authority) -> bool {
    let host = authority.host();
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    ipv6.unwrap_or(host).parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other machines reach this server, so probes name its address, and browsers the name of a proxy.
    #[test]
    fn a_server_for_other_machines_accepts_addresses_and_the_named_hosts() {
        let judge = |public_hosts: &[&str], host: &str| {
            let public_hosts = public_hosts.iter().map(|name| name.parse().expect("a name")).collect();
            let tls_proxies = TlsProxies { public_hosts, ..TlsProxies::default() };
            let policy = HostPolicy { is_on_loopback: false, requires_login: true, tls_proxies };
            policy.judge_host(&host.parse().expect("an authority"), &Extensions::new())
        };
        for host in ["10.1.2.3:8081", "[2001:db8::1]:8081", "localhost:8081", "127.0.0.1"] {
            assert_eq!(judge(&[], host), HostVerdict::Answer, "{host}");
            assert_eq!(judge(&["windrow.example"], host), HostVerdict::Answer, "{host}");
        }
        assert_eq!(judge(&[], "any.example:8081"), HostVerdict::AnswerWithoutReasons);
        assert_eq!(judge(&["windrow.example"], "any.example"), HostVerdict::AnswerHealthOnly);
        assert_eq!(judge(&["other.example", "windrow.example"], "WINDROW.example:443"), HostVerdict::Answer);
    }

    #[test]
    fn only_names_of_this_machine_are_taken() {
        let is_local = |host: &str| host.parse().is_ok_and(|authority| is_local_host_name(&authority));
        for good in ["localhost", "LOCALHOST:8081", "127.0.0.1", "127.0.0.1:1", "127.9.9.9:80", "[::1]", "[::1]:8081"] {
            assert!(is_local(good), "{good}");
        }
        for bad in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "[::]", "10.0.0.1:8081", ""]
        {
            assert!(!is_local(bad), "{bad}");
        }
    }
}
