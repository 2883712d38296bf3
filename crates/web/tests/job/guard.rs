//! Which requests are accepted.

use std::net::SocketAddr;

use windrow_web::guard::{AccessToken, ServerProtection};

use crate::support::{ACCESS_TOKEN, TestServer};

#[test]
fn only_names_of_this_machine_are_answered() {
    let site = TestServer::start();
    for host in ["localhost", "localhost:8081", "127.0.0.1", "127.1.2.3:1", "[::1]:8081", "LocalHost"] {
        assert_eq!(site.request("GET", "/api/overview", &[&format!("Host: {host}")], "").status, 200, "{host}");
    }
    for host in ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.", "0.0.0.0", "u@localhost"]
    {
        let answer = site.request("GET", "/api/overview", &[&format!("Host: {host}")], "");
        assert_eq!(answer.status, 403, "{host}");
        assert!(answer.errors().contains("only requests to localhost") && answer.errors().contains("an access token"));
    }
    let two = site.request("GET", "/", &["Host: localhost", "Host: evil.example"], "");
    assert!(two.status == 400 || two.status == 403, "{}", two.status);
    assert_ne!(site.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").status, 200);
    let absolute = site.send("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(absolute.status, 403);
}

#[test]
fn what_changes_anything_comes_from_here() {
    let site = TestServer::start();
    let json = "Content-Type: application/json";
    let post = |headers: &[&str]| site.post("/api/savepoints", &[&[json], headers].concat(), "{\"to\":\"relative\"}");
    let own = format!("Origin: http://{}", site.address);
    for headers in [&[][..], &[own.as_str()], &[own.as_str(), "Sec-Fetch-Site: same-origin"], &["Sec-Fetch-Site: none"]]
    {
        assert_eq!(post(headers).status, 400, "taken, and its place refused: {headers:?}");
    }
    for headers in [
        &["Origin: http://evil.example"][..],
        &["Origin: null"],
        &["Origin: http://localhost:1"],
        &["Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: same-site"],
        &[own.as_str(), "Sec-Fetch-Site: cross-site"],
        &[own.as_str(), "Origin: http://evil.example"],
    ] {
        assert_eq!(post(headers).status, 403, "{headers:?}");
    }
    for method in ["PATCH", "DELETE", "PUT"] {
        assert_eq!(site.request(method, "/api/overview", &["Origin: http://evil.example"], "").status, 403, "{method}");
    }
}

/// Otherwise a page elsewhere could make this server scan Redis again and again.
#[test]
fn other_pages_may_link_here_and_no_more() {
    let site = TestServer::start();
    let get = |headers: &[&str]| site.request("GET", "/api/features?user=1", headers, "").status;
    for foreign in ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"] {
        assert_eq!(get(&[foreign, "Sec-Fetch-Mode: no-cors"]), 403, "{foreign}");
        assert_eq!(get(&[foreign, "Sec-Fetch-Mode: cors"]), 403, "{foreign}");
        assert_eq!(get(&[foreign]), 403, "{foreign}");
        assert_ne!(get(&[foreign, "Sec-Fetch-Mode: navigate"]), 403, "a link: {foreign}");
    }
    assert_ne!(get(&["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors"]), 403);
}

#[test]
fn every_answer_tells_browsers_what_they_may_do() {
    let site = TestServer::start();
    for path in ["/", "/api/overview", "/nothing", "/assets/job/app.js", "/features/%3Cscript%3E"] {
        let answer = site.get(path);
        let policy = answer.header("content-security-policy").expect(path);
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        let cache = answer.header("cache-control").expect(path);
        assert_eq!(cache == "no-store", path.contains("api") || path == "/nothing", "{path}: {cache}");
    }
}

#[test]
fn no_path_leads_out_of_the_pages() {
    let site = TestServer::start();
    for path in [
        "/assets/../Cargo.toml",
        "/assets/../../src/lib.rs",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/job/..%5c..%5cCargo.toml",
        "/assets/job%00/app.js",
        "/assets/",
        "/assets/job",
        "//etc/passwd",
        "/../etc/passwd",
        "/%2e%2e/etc/passwd",
    ] {
        let answer = site.get(path);
        assert!(answer.status == 404 || answer.status == 400, "{path}: {}", answer.status);
        assert!(!answer.body.contains("windrow-web") && !answer.body.contains("root:"), "{path}");
    }
    assert_eq!(site.get("/assets/job/app.js").status, 200);
}

#[test]
fn files_are_sent_again_only_when_they_changed() {
    let site = TestServer::start();
    let first = site.get("/assets/shared/base.css");
    assert_eq!(first.header("content-type"), Some("text/css; charset=utf-8"));
    let tag = first.header("etag").expect("a tag");
    let again = site.request("GET", "/assets/shared/base.css", &[&format!("If-None-Match: {tag}")], "");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
}

#[test]
fn what_nobody_answers_says_so() {
    let site = TestServer::start();
    let answer = site.get("/api/nothing");
    assert_eq!(answer.status, 404);
    assert!(answer.errors().contains("/api/nothing"));
    let answer = site.request("DELETE", "/api/overview", &[], "");
    assert_eq!(answer.status, 405);
    assert!(answer.errors().contains("method"));
    for page in ["/", "/partitions", "/checkpoints", "/features", "/features/a%2Fb%00%0A", "/problems", "/pipeline"] {
        let answer = site.get(page);
        assert_eq!(answer.status, 200, "{page}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{page}");
    }
}

#[test]
fn others_are_let_in_only_with_a_token() {
    for address in ["0.0.0.0:8081", "[::]:8081", "10.1.2.3:8081"] {
        let address: SocketAddr = address.parse().expect("an address");
        let error = ServerProtection::new(address, None).expect_err("a token is needed");
        assert_eq!(error.address, address);
        assert_eq!(error.to_string(), format!("{address} can be reached from other machines, so a token is needed"));
        assert!(ServerProtection::new(address, AccessToken::new(ACCESS_TOKEN).ok()).is_ok());
    }
}
