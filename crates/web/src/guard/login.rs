//! The gate of a server with a token: a header, or a cookie that the login page gives.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, map_response};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::AccessToken;
use crate::answers::HttpFault;
use crate::assets;

/// A wrong token is answered after this long, and only so many at a time.
const WRONG_TOKEN_DELAY: Duration = Duration::from_secs(1);
const WRONG_TOKENS_MAX: usize = 4;
/// For whoever looks whether the process is well: they say nothing of the data.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// What the login page needs; there is nothing of the job in it.
const OPEN_FOLDERS: [&str; 2] = ["/assets/login/", "/assets/shared/"];

pub(super) struct LoginGate {
    token: Arc<AccessToken>,
    /// Browsers send cookies to every port of a machine, so its name holds the port.
    cookie_name: String,
    wrong_token_permits: Semaphore,
}

impl LoginGate {
    pub(super) fn new(token: Arc<AccessToken>, port: u16) -> Self {
        Self {
            token,
            cookie_name: format!("windrow_session_{port}"),
            wrong_token_permits: Semaphore::new(WRONG_TOKENS_MAX),
        }
    }

    fn has_session(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        pairs.filter(|(name, _)| *name == self.cookie_name).any(|(_, value)| self.token.is_valid_session(value))
    }

    fn set_cookie(&self, value: &str, seconds: i64) -> Option<HeaderValue> {
        let cookie = &self.cookie_name;
        HeaderValue::from_str(&format!("{cookie}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict")).ok()
    }
}

/// Lets nobody in who shows neither token nor cookie.
pub(super) async fn require_login(State(gate): State<Arc<LoginGate>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let path = request.uri().path();
    let open = OPEN_PATHS.contains(&path) || OPEN_FOLDERS.iter().any(|folder| path.starts_with(folder));
    if gate.has_session(headers) {
        return next.run(request).await;
    }
    if open {
        return close_connection(next.run(request).await).await;
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    let reason = match bearer {
        Some(token) if gate.token.matches(token) => return next.run(request).await,
        Some(_) => {
            let Ok(_permit) = gate.wrong_token_permits.try_acquire() else {
                return HttpFault::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens; wait a second")
                    .into_response();
            };
            sleep(WRONG_TOKEN_DELAY).await;
            "this is not the token"
        }
        None => "a token is needed: send `Authorization: Bearer TOKEN`, or log in on /login",
    };
    let wants_page = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if *request.method() == Method::GET && wants_page.is_some_and(|accept| accept.contains("text/html")) {
        return Redirect::to(&format!("/login?to={}", local_path_or_root(request.uri().path()))).into_response();
    }
    let mut response = HttpFault::new(StatusCode::UNAUTHORIZED, reason).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Strangers keep no connection.
async fn close_connection(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The login page, and what it needs.
pub(super) fn router(gate: Arc<LoginGate>) -> Router {
    Router::new()
        .route("/login", get(get_login_page).post(log_in))
        .route("/logout", post(log_out))
        .with_state(gate)
        .layer(map_response(close_connection))
}

#[derive(Deserialize)]
struct LoginQuery {
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
struct LoginForm {
    #[serde(default)]
    token: String,
}

async fn get_login_page(Query(back): Query<LoginQuery>) -> Html<String> {
    render_login_page(&back.to, false)
}

async fn log_in(
    State(gate): State<Arc<LoginGate>>,
    Query(back): Query<LoginQuery>,
    Form(attempt): Form<LoginForm>,
) -> Response {
    if !gate.token.matches(&attempt.token) {
        // Who is wrong waits, and few may at a time, so that many connections make hardly more attempts than one. Who is
        // right never waits for them.
        let Ok(_permit) = gate.wrong_token_permits.try_acquire() else {
            return HttpFault::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens; wait a second")
                .into_response();
        };
        sleep(WRONG_TOKEN_DELAY).await;
        return (StatusCode::UNAUTHORIZED, render_login_page(&back.to, true)).into_response();
    }
    let (session, seconds) = gate.token.new_session();
    let cookie = gate.set_cookie(&session, seconds);
    let mut response = Redirect::to(local_path_or_root(&back.to)).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

async fn log_out(State(gate): State<Arc<LoginGate>>) -> Response {
    let mut response = Redirect::to("/login").into_response();
    response.headers_mut().extend(gate.set_cookie("", 0).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// The page, which says where it leads back to, and that a token was wrong; without script.
fn render_login_page(to: &str, failed: bool) -> Html<String> {
    let mut page = assets::asset_text("login/login.html")
        .replace("action=\"/login\"", &format!("action=\"/login?to={}\"", local_path_or_root(to)));
    if failed {
        page = page.replace(" role=\"alert\" hidden", " role=\"alert\"");
    }
    Html(page)
}

/// `to` where it is a path of this server without anything that means something in HTML; else the first page.
fn local_path_or_root(to: &str) -> &str {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    let inside = to.starts_with('/') && !to.starts_with("//") && to.bytes().all(good) && to.len() <= 2_048;
    if inside && !to.starts_with("/login") { to } else { "/" }
}
