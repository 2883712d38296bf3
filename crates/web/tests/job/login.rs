//! The token, and the cookie instead of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windrow_web::guard::{AccessToken, ServerProtection, TlsProxies, protect};
use windrow_web::report::ReachabilityReport;
use windrow_web::routes;
use windrow_web::server::{HttpServer, bind};

use crate::support::{ACCESS_TOKEN, HttpAnswer, TestServer, instance_report};

fn server_with_token() -> TestServer {
    TestServer::with("memory:", instance_report("00000000000000aa", &[0]), Some(ACCESS_TOKEN))
}

fn log_in(site: &TestServer, path: &str, token: &str) -> HttpAnswer {
    site.post(path, &["Content-Type: application/x-www-form-urlencoded"], &format!("token={token}"))
}

fn session_cookie(answer: &HttpAnswer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    format!("Cookie: other=1; {}", cookie.split(';').next().expect("name and value"))
}

#[test]
fn nothing_of_the_job_is_shown_without_a_token() {
    let site = server_with_token();
    for path in [
        "/api/overview",
        "/api/overview/live",
        "/api/features?user=1",
        "/assets/job/app.js",
        "/nothing",
        "/api/pipeline",
    ] {
        let answer = site.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{path}");
        assert!(answer.errors().contains("/login"), "{path}");
    }
    assert_eq!(site.post("/api/savepoints", &["Content-Type: application/json"], "{}").status, 401);
    for path in ["/healthz", "/readyz", "/login", "/assets/login/login.js", "/assets/shared/base.css"] {
        assert_eq!(site.get(path).status, 200, "{path}");
    }
    let sneaky = site.get("/assets/login/../job/app.js");
    assert_ne!(sneaky.status, 200);
}

#[test]
fn a_token_in_the_header_is_enough() {
    let site = server_with_token();
    let with = |header: &str| site.request("GET", "/api/overview", &[header], "").status;
    assert_eq!(with(&format!("Authorization: Bearer {ACCESS_TOKEN}")), 200);
    assert_eq!(with(&format!("authorization: bearer {ACCESS_TOKEN}")), 200);
    for wrong in [
        format!("Authorization: Bearer {ACCESS_TOKEN}x"),
        format!("Authorization: Basic {ACCESS_TOKEN}"),
        "Authorization:".into(),
    ] {
        assert_eq!(with(&wrong), 401, "{wrong}");
    }
}

#[test]
fn browsers_log_in_once_and_come_back() {
    let site = server_with_token();
    let sent = site.request("GET", "/features/111", &["Accept: text/html,*/*"], "");
    assert_eq!((sent.status, sent.header("location")), (303, Some("/login?to=/features/111")));
    let page = site.get("/login?to=/features/111");
    assert!(page.body.contains("action=\"/login?to=/features/111\""), "{}", page.body);
    let failed = log_in(&site, "/login?to=/features/111", "wrong");
    assert_eq!(failed.status, 401);
    assert!(failed.body.contains("role=\"alert\">"), "the page says that it was wrong: {}", failed.body);
    let in_now = log_in(&site, "/login?to=/features/111", ACCESS_TOKEN);
    assert_eq!((in_now.status, in_now.header("location")), (303, Some("/features/111")));
    let set = in_now.header("set-cookie").expect("a cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && !set.contains(ACCESS_TOKEN), "{set}");
    let cookie = session_cookie(&in_now);
    assert_eq!(site.request("GET", "/features/111", &[&cookie], "").status, 200);
    assert_eq!(site.request("GET", "/api/overview", &[&format!("{cookie}0")], "").status, 401);
    // Browsers send the cookie for every page of this machine: another origin must change nothing with it.
    let elsewhere = site.post("/api/savepoints", &[&cookie, "Origin: http://127.0.0.1:1"], "{}");
    assert_eq!(elsewhere.status, 403);
    let out = site.post("/logout", &[&cookie], "");
    assert!(out.header("set-cookie").expect("a cookie").contains("Max-Age=0"));
}

/// A copy of the cookie is worth nothing after the logout, and the live pages of the session end.
#[test]
fn a_logout_ends_the_session_on_the_server() {
    let site = server_with_token();
    let [cookie, other] = [(); 2].map(|()| session_cookie(&log_in(&site, "/login", ACCESS_TOKEN)));
    let open_stream = |cookie: &str| {
        let mut stream = site.connect();
        write!(stream, "GET /api/overview/live HTTP/1.1\r\nHost: {}\r\n{cookie}\r\n\r\n", site.address).expect("sent");
        let mut beginning = [0; 15];
        stream.read_exact(&mut beginning).expect("an answer");
        assert_eq!(&beginning, b"HTTP/1.1 200 OK");
        stream
    };
    let (mut stream, mut other_stream) = (open_stream(&cookie), open_stream(&other));
    assert_eq!(site.post("/logout", &[&cookie], "").status, 303);
    for path in ["/api/overview", "/api/overview/live", "/assets/job/app.js"] {
        assert_eq!(site.request("GET", path, &[&cookie], "").status, 401, "{path}");
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the live page ends, because the server closes the stream");
    let mut more = [0; 1];
    other_stream.read_exact(&mut more).expect("the live page of the other session goes on");
    // Logging out twice, or without a login, does no harm.
    assert_eq!(site.post("/logout", &[&cookie], "").status, 303);
    assert_eq!(site.post("/logout", &[], "").status, 303);
    assert_eq!(site.request("GET", "/api/overview", &[&other], "").status, 200);
}

/// The cookie is `Secure` where the browser uses TLS. Only the proxies that the operator names are believed.
#[test]
fn the_cookie_is_secure_behind_tls() {
    const HTTPS: &str = "X-Forwarded-Proto: https";
    let here = [[127, 0, 0, 1].into()];
    let elsewhere = [[192, 0, 2, 1].into()];
    for (is_always_used, trusted, header, is_secure) in [
        (false, &here[..], HTTPS, true),
        (false, &here[..], "x-forwarded-proto: HTTPS, http", true),
        (false, &here[..], "X-Forwarded-Proto: http", false),
        (false, &here[..], "X-Other: https", false),
        (false, &elsewhere[..], HTTPS, false),
        (false, &[], HTTPS, false),
        (true, &[], "X-Other: 1", true),
    ] {
        let site = TestServer::behind_proxies(TlsProxies {
            is_always_used,
            trusted_addresses: trusted.to_vec(),
            ..TlsProxies::default()
        });
        let form = "Content-Type: application/x-www-form-urlencoded";
        let answer = site.post("/login", &[header, form], &format!("token={ACCESS_TOKEN}"));
        let out = site.post("/logout", &[header, &session_cookie(&answer)], "");
        for set in [&answer, &out].map(|answer| answer.header("set-cookie").expect("a cookie").to_owned()) {
            assert_eq!(set.ends_with("; Secure"), is_secure, "{header} {trusted:?}: {set}");
        }
    }
}

/// A proxy on the same machine passes on the host name that the browser asked for.
#[test]
fn a_proxy_on_this_machine_passes_on_its_public_name() {
    const PUBLIC: &str = "Host: windrow.example";
    let form = "Content-Type: application/x-www-form-urlencoded";
    let here = vec![[127, 0, 0, 1].into()];
    for tls_proxies in [
        TlsProxies { is_always_used: true, ..TlsProxies::default() },
        TlsProxies { trusted_addresses: here.clone(), ..TlsProxies::default() },
    ] {
        let site = TestServer::behind_proxies(tls_proxies);
        let origin = "Origin: https://windrow.example";
        let answer = site.post(
            "/login",
            &[PUBLIC, origin, "Sec-Fetch-Site: same-origin", form],
            &format!("token={ACCESS_TOKEN}"),
        );
        assert_eq!(answer.status, 303, "{}", answer.body);
        let cookie = session_cookie(&answer);
        assert_eq!(site.request("GET", "/api/overview", &[PUBLIC, &cookie], "").status, 200);
        // Pages of other servers change and read nothing, and without a login nothing is shown.
        let save = |headers: &[&str]| {
            site.post(
                "/api/savepoints",
                &[&[PUBLIC, &cookie, "Content-Type: application/json"], headers].concat(),
                "{}",
            )
        };
        for foreign in ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
            assert_eq!(save(&[foreign]).status, 403, "{foreign}");
        }
        assert_ne!(save(&[origin]).status, 403);
        let read = site.request("GET", "/api/overview", &[PUBLIC, &cookie, "Sec-Fetch-Site: cross-site"], "");
        assert_eq!(read.status, 403);
        assert_eq!(site.request("GET", "/api/overview", &["Host: evil.example"], "").status, 401);
        // The health checks tell reasons without a login, so only to local host names.
        assert_eq!(site.request("GET", "/readyz", &["Host: evil.example"], "").status, 200);
        site.report_source.0.lock().kafka_reachability = unreachable("a secret of the network");
        let foreign = site.request("GET", "/readyz", &["Host: evil.example"], "");
        assert!(foreign.status == 503 && !foreign.body.contains("secret"), "{}", foreign.body);
        let local = site.get("/readyz");
        assert!(local.status == 503 && local.errors().contains("secret"), "{}", local.body);
        assert_eq!(site.request("GET", "/api/overview", &["Host: a@evil.example", &cookie], "").status, 403);
        assert_eq!(site.request("GET", "/api/overview", &[PUBLIC, "Host: localhost", &cookie], "").status, 403);
    }
    // Everywhere else, only names of this machine are taken.
    let elsewhere = TlsProxies { trusted_addresses: vec![[192, 0, 2, 1].into()], ..TlsProxies::default() };
    let without_token = TestServer::behind_proxies_without_token(TlsProxies {
        is_always_used: true,
        trusted_addresses: here,
        ..TlsProxies::default()
    });
    for site in [TestServer::behind_proxies(elsewhere), server_with_token(), TestServer::start(), without_token] {
        let authorization = format!("Authorization: Bearer {ACCESS_TOKEN}");
        let answer = site.request("GET", "/api/overview", &[PUBLIC, &authorization], "");
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert_eq!(site.request("GET", "/api/overview", &[&authorization], "").status, 200);
    }
}

fn unreachable(reason: &str) -> ReachabilityReport {
    ReachabilityReport { unreachable_since_ms: Some(1), unreachable_reason: Some(reason.to_owned()) }
}

/// A page of another server whose name resolves to 127.0.0.1 comes from this machine, as the proxy does.
#[test]
fn only_the_named_public_hosts_are_answered() {
    let public_hosts = ["windrow.example", "other.example"].map(|name| name.parse().expect("a name")).to_vec();
    let here = vec![[127, 0, 0, 1].into()];
    for tls_proxies in [
        TlsProxies { is_always_used: true, public_hosts: public_hosts.clone(), ..TlsProxies::default() },
        TlsProxies { trusted_addresses: here, public_hosts: public_hosts.clone(), ..TlsProxies::default() },
        TlsProxies { public_hosts: public_hosts.clone(), ..TlsProxies::default() },
    ] {
        let site = TestServer::behind_proxies(tls_proxies);
        site.report_source.0.lock().kafka_reachability = unreachable("a secret of the network");
        let authorization = format!("Authorization: Bearer {ACCESS_TOKEN}");
        for host in ["Host: windrow.example", "Host: WINDROW.example:443", "Host: other.example", "Host: localhost"] {
            assert_eq!(site.request("GET", "/api/overview", &[host, &authorization], "").status, 200, "{host}");
            assert_eq!(site.request("GET", "/login", &[host], "").status, 200, "{host}");
            let ready = site.request("GET", "/readyz", &[host], "");
            assert!(ready.status == 503 && ready.errors().contains("secret"), "{host}: {}", ready.body);
        }
        for host in ["Host: evil.example", "Host: windrow.example.evil.example", "Host: 10.0.0.1"] {
            for path in ["/api/overview", "/login", "/", "/assets/login/login.css"] {
                let answer = site.request("GET", path, &[host, &authorization], "");
                assert!(answer.status == 403 && answer.errors().contains("--public-host"), "{}", answer.body);
            }
            let ready = site.request("GET", "/readyz", &[host], "");
            assert!(ready.status == 503 && !ready.body.contains("secret"), "{host}: {}", ready.body);
            assert_eq!(site.request("GET", "/healthz", &[host], "").status, 200, "{host}");
        }
        // Only probes of other machines name no host, and these do not reach this server.
        assert_eq!(site.send("GET /readyz HTTP/1.0\r\n\r\n").status, 403);
    }
    // Without a token, a public name would be open to everyone who reaches the proxy.
    let without_token = TestServer::behind_proxies_without_token(TlsProxies { public_hosts, ..TlsProxies::default() });
    for path in ["/api/overview", "/readyz"] {
        let answer = without_token.request("GET", path, &["Host: windrow.example"], "");
        assert!(answer.status == 403 && answer.errors().contains("--token-file"), "{}", answer.body);
    }
}

/// Probes of a load balancer name the address of the machine, or no host at all.
#[test]
fn a_server_for_other_machines_answers_probes() {
    let site = server_with_token();
    site.report_source.0.lock().kafka_reachability = unreachable("a secret of the network");
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let token = AccessToken::new(ACCESS_TOKEN).expect("a token");
    let public_hosts = vec!["windrow.example".parse().expect("a name")];
    let protection = ServerProtection::new(SocketAddr::from(([0, 0, 0, 0], address.port())), Some(token))
        .expect("a token")
        .with_tls_proxies(TlsProxies { public_hosts, ..TlsProxies::default() });
    let router = protect(routes::build_job_router(Arc::clone(&site.context)), &protection);
    let server = HttpServer::start(listener, router).expect("a thread");
    let ask = |path: &str, host: &str| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.0\r\n{host}\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    for host in ["", "Host: 10.1.2.3:8081\r\n", "Host: windrow.example\r\n"] {
        let ready = ask("/readyz", host);
        assert!(ready.contains(" 503 ") && ready.contains("secret"), "{host}: {ready}");
        let page = ask("/api/overview", host);
        assert!(page.contains(" 401 "), "{host}: {page}");
    }
    let foreign = ask("/readyz", "Host: evil.example\r\n");
    assert!(foreign.contains(" 503 ") && !foreign.contains("secret"), "{foreign}");
    assert!(ask("/login", "Host: evil.example\r\n").contains(" 403 "));
    server.shut_down();
}

#[test]
fn a_login_leads_nowhere_else() {
    let site = server_with_token();
    for to in ["//evil.example", "https://evil.example", "/%5Cevil.example%0d%0aX:1", "/\"><script>", "/login"] {
        let to = to.replace('"', "%22").replace('<', "%3C").replace('>', "%3E");
        let answer = log_in(&site, &format!("/login?to={to}"), ACCESS_TOKEN);
        assert_eq!(answer.header("location"), Some("/"), "{to}");
        let page = site.get(&format!("/login?to={to}"));
        assert!(page.body.contains("action=\"/login?to=/\""), "{to}");
    }
    let twice = site.get("/login?to=/features&to=//evil.example");
    assert_eq!(twice.status, 400);
    assert!(twice.errors().contains("`to`"), "{}", twice.body);
}

#[test]
fn guesses_are_slow_and_few_and_hold_nobody_up() {
    let site = server_with_token();
    let began = Instant::now();
    let told: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..12).map(|_| scope.spawn(|| log_in(&site, "/login", "guess").status)).collect();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(log_in(&site, "/login", ACCESS_TOKEN).status, 303);
        assert!(guesses.iter().any(|guess| !guess.is_finished()), "the right token waited for all guesses");
        guesses.into_iter().map(|guess| guess.join().expect("an answer")).collect()
    });
    assert!(began.elapsed() >= Duration::from_secs(1), "12 guesses took {:?}", began.elapsed());
    assert!(told.iter().all(|status| [401, 429].contains(status)), "{told:?}");
    assert!(told.iter().filter(|status| **status == 401).count() <= 4, "{told:?}");
    let began = Instant::now();
    assert_eq!(site.request("GET", "/api/overview", &["Authorization: Bearer guess"], "").status, 401);
    assert!(began.elapsed() >= Duration::from_secs(1));
}

/// Connections are bounded, so a visitor without a login must not keep one.
#[test]
fn strangers_keep_no_connection() {
    let site = server_with_token();
    for path in ["/healthz", "/api/overview", "/login"] {
        let mut stream = site.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("closed at once, not after ten seconds");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{path}: {answer}");
    }
}
