//! Accepts only requests to a local host name, or through a proxy that the operator has named. Without this check, a page
//! of another server could read this server's answers, if the page's host name resolves to `127.0.0.1` (DNS rebinding).

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::login::PATHS_WITHOUT_LOGIN;
use super::tls_proxy::TlsProxies;
use crate::answers::HttpFault;

/// Refuses a request if the host name in the URL or in the `Host` header is not a local host name. Through one of
/// `proxies_with_login`, any host name is allowed: the server must then require a login, and a page of another server
/// has none, because a browser sends a cookie only to the host name that set it. The health checks need no login, so they
/// keep to local host names.
pub(super) async fn require_local_host(
    State(proxies_with_login): State<TlsProxies>,
    request: Request,
    next: Next,
) -> Response {
    let needs_login = !PATHS_WITHOUT_LOGIN.contains(&request.uri().path());
    let may_name_any_host = needs_login && proxies_with_login.may_come_from_proxy(request.extensions());
    if may_name_any_host && requested_host(request.headers()).is_some() {
        return next.run(request).await;
    }
    let target_is_local = request.uri().authority().is_none_or(is_local_host_name);
    if target_is_local && requested_host(request.headers()).is_some_and(|host| is_local_host_name(&host)) {
        return next.run(request).await;
    }
    let reason = "this server answers only requests to localhost, 127.0.0.1 or [::1]; for other host names, start it \
                  with an access token, and let it listen at another address or name its proxy (--behind-tls, \
                  --trusted-proxy)";
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

#[cfg(test)]
mod tests {
    use super::*;

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
