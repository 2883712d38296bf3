//! The login to a server that has an access token. Each request must contain the token in a header, or a session
//! cookie. A browser receives the session cookie after the user has entered the token on the login page.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, map_response};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::session::{LoginSessions, SESSION_LIFETIME, SessionEnd};
use super::tls_proxy::TlsProxies;
use super::token::AccessToken;
use crate::answers::HttpFault;
use crate::assets;
use crate::event_stream_end::end_event_stream_after;
use crate::query::QueryParameters;

/// The delay before the answer to a request with a wrong token. The delay slows down a client that guesses tokens.
const WRONG_TOKEN_DELAY: Duration = Duration::from_secs(1);
/// The largest number of requests with a wrong token whose answers are delayed at the same time. The server refuses
/// further requests with a wrong token at once.
const MAX_DELAYED_WRONG_TOKENS: usize = 4;
/// The paths of the health checks. Clients need no token for these paths, because the answers contain no data of the
/// job.
pub(super) const PATHS_WITHOUT_LOGIN: [&str; 2] = ["/healthz", "/readyz"];
/// The folders with the files of the login page. Clients need no token for these files, because the files contain no
/// data of the job.
const PATH_PREFIXES_WITHOUT_LOGIN: [&str; 2] = ["/assets/login/", "/assets/shared/"];
/// The largest length, in bytes, of the path to which this server redirects a browser after a login.
const MAX_RETURN_PATH_BYTES: usize = 2_048;

/// Checks tokens and session cookies.
pub(super) struct LoginChecker {
    token: Arc<AccessToken>,
    /// The name of the session cookie. The name contains the port, because a browser shares the cookies of a host
    /// between the servers on all its ports.
    cookie_name: String,
    sessions: LoginSessions,
    tls_proxies: TlsProxies,
    wrong_token_permits: Semaphore,
}

/// The session cookie that an answer sets.
enum SessionCookie<'s> {
    /// The cookie of a new session.
    Begin { session_id: &'s str },
    /// The browser discards the cookie.
    Discard,
}

impl LoginChecker {
    pub(super) fn new(token: Arc<AccessToken>, port: u16, tls_proxies: TlsProxies) -> Self {
        let wrong_token_permits = Semaphore::new(MAX_DELAYED_WRONG_TOKENS);
        let cookie_name = format!("windrow_session_{port}");
        Self { token, cookie_name, sessions: LoginSessions::default(), tls_proxies, wrong_token_permits }
    }

    /// Returns the ids of sessions in the cookies of a request. The sessions need not exist.
    fn read_session_ids<'h>(&'h self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        pairs.filter(|(name, _)| *name == self.cookie_name).map(|(_, value)| value)
    }

    /// Returns the end of the session of a request. Returns `None` if the request has no session.
    fn find_session(&self, headers: &HeaderMap) -> Option<SessionEnd> {
        self.read_session_ids(headers).find_map(|id| self.sessions.subscribe_to_end(id))
    }

    fn render_set_cookie_header(
        &self,
        cookie: &SessionCookie<'_>,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Option<HeaderValue> {
        let (value, max_age_s) = match cookie {
            SessionCookie::Begin { session_id } => (*session_id, SESSION_LIFETIME.as_secs()),
            SessionCookie::Discard => ("", 0),
        };
        let name = &self.cookie_name;
        let secure = if self.tls_proxies.has_browser_tls(headers, extensions) { "; Secure" } else { "" };
        let header = format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&header).ok()
    }

    /// Delays the answer to a request with a wrong token. Returns a fault at once if too many answers are delayed
    /// already. Because of this limit, a client cannot guess tokens faster over many connections. The answer to a
    /// correct token is never delayed.
    async fn delay_wrong_token(&self) -> Result<(), HttpFault> {
        let Ok(_permit) = self.wrong_token_permits.try_acquire() else {
            return Err(HttpFault::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens; try again in a second"));
        };
        sleep(WRONG_TOKEN_DELAY).await;
        Ok(())
    }
}

/// Refuses a request without a valid token or session cookie, unless the path needs no login. If a browser requests a
/// page without a login, redirects the browser to the login page.
pub(super) async fn require_login(State(gate): State<Arc<LoginChecker>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let path = request.uri().path();
    let is_open = PATHS_WITHOUT_LOGIN.contains(&path)
        || PATH_PREFIXES_WITHOUT_LOGIN.iter().any(|folder| path.starts_with(folder));
    if let Some(session_end) = gate.find_session(headers) {
        return end_event_stream_after(session_end.wait(), next.run(request).await);
    }
    if is_open {
        return add_connection_close_header(next.run(request).await).await;
    }
    let reason = match bearer_token(headers) {
        Some(token) if gate.token.matches(token) => return next.run(request).await,
        Some(_) => match gate.delay_wrong_token().await {
            Ok(()) => "the token is wrong",
            Err(fault) => return fault.into_response(),
        },
        None => "a token is needed: send the header `Authorization: Bearer TOKEN`, or log in at /login",
    };
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if *request.method() == Method::GET && accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        return Redirect::to(&format!("/login?to={}", local_path_or_root(request.uri().path()))).into_response();
    }
    let mut response = HttpFault::new(StatusCode::UNAUTHORIZED, reason).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Adds the header that closes the connection after the response, because a client without a login must not keep a
/// connection open.
async fn add_connection_close_header(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Returns the routes that log in and out.
pub(super) fn router(gate: Arc<LoginChecker>) -> Router {
    Router::new()
        .route("/login", get(get_login_page).post(log_in))
        .route("/logout", post(log_out))
        .with_state(gate)
        .layer(map_response(add_connection_close_header))
}

#[derive(Deserialize)]
struct LoginQuery {
    /// The path to which this server redirects the browser after the login.
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
struct LoginForm {
    #[serde(default)]
    token: String,
}

/// The message on the login page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LoginNotice {
    Nothing,
    WrongToken,
}

async fn get_login_page(QueryParameters(query): QueryParameters<LoginQuery>) -> Html<String> {
    render_login_page(&query.to, LoginNotice::Nothing)
}

async fn log_in(
    State(gate): State<Arc<LoginChecker>>,
    QueryParameters(query): QueryParameters<LoginQuery>,
    headers: HeaderMap,
    extensions: Extensions,
    Form(form): Form<LoginForm>,
) -> Response {
    if !gate.token.matches(&form.token) {
        return match gate.delay_wrong_token().await {
            Ok(()) => (StatusCode::UNAUTHORIZED, render_login_page(&query.to, LoginNotice::WrongToken)).into_response(),
            Err(fault) => fault.into_response(),
        };
    }
    let session_id = match gate.sessions.begin_session() {
        Ok(session_id) => session_id,
        Err(error) => {
            let reason = format!("the operating system returned no random numbers: {error}");
            return HttpFault::new(StatusCode::INTERNAL_SERVER_ERROR, reason).into_response();
        }
    };
    let cookie = SessionCookie::Begin { session_id: &session_id };
    let cookie = gate.render_set_cookie_header(&cookie, &headers, &extensions);
    let mut response = Redirect::to(local_path_or_root(&query.to)).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

async fn log_out(State(gate): State<Arc<LoginChecker>>, headers: HeaderMap, extensions: Extensions) -> Response {
    gate.read_session_ids(&headers).for_each(|id| gate.sessions.end_session(id));
    let cookie = gate.render_set_cookie_header(&SessionCookie::Discard, &headers, &extensions);
    let mut response = Redirect::to("/login").into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// Renders the login page. The HTML contains the message, and the path `to` to which the server redirects the browser
/// after the login. So the page needs no script.
fn render_login_page(to: &str, notice: LoginNotice) -> Html<String> {
    let action = format!("action=\"/login?to={}\"", local_path_or_root(to));
    let mut page = assets::asset_text_or_empty("login/login.html").replace("action=\"/login\"", &action);
    if notice == LoginNotice::WrongToken {
        page = page.replace(" role=\"alert\" hidden", " role=\"alert\"");
    }
    Html(page)
}

/// Returns `to` if it is a path of this server, has at most [`MAX_RETURN_PATH_BYTES`] bytes, and contains no characters
/// that are special in HTML. Otherwise returns `/`. Also returns `/` for the login page, so that a login does not lead
/// back to this page.
fn local_path_or_root(to: &str) -> &str {
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    let is_local = to.starts_with('/')
        && !to.starts_with("//")
        && to.bytes().all(is_harmless)
        && to.len() <= MAX_RETURN_PATH_BYTES;
    if is_local && !to.starts_with("/login") { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request as HttpRequest;
    use futures_util::{StreamExt, stream};
    use tower::ServiceExt;

    use super::*;

    const ACCESS_TOKEN: &str = "a-token-that-is-long-enough";

    /// Answers with an event stream that sends an event every hour, for ever.
    async fn endless_event_stream() -> Response {
        let events = stream::unfold((), |()| async {
            sleep(Duration::from_secs(3_600)).await;
            Some((Ok::<_, std::io::Error>("data: 1\n\n"), ()))
        });
        ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_stream_ends_when_its_session_expires() {
        let token = Arc::new(AccessToken::new(ACCESS_TOKEN).expect("a token"));
        let gate = Arc::new(LoginChecker::new(token, 8081, TlsProxies::default()));
        let router = Router::new()
            .route("/live", get(endless_event_stream))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&gate), require_login))
            .merge(router(gate));
        let form = HttpRequest::post("/login")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("token={ACCESS_TOKEN}")))
            .expect("a request");
        let logged_in = router.clone().oneshot(form).await.expect("an answer");
        let cookie = logged_in.headers()[header::SET_COOKIE].to_str().expect("text").split(';').next().expect("a pair");
        let open_stream = |client: (header::HeaderName, String)| {
            let request = HttpRequest::get("/live").header(client.0, client.1).body(Body::empty()).expect("a request");
            let router = router.clone();
            async move {
                let answer = router.oneshot(request).await.expect("an answer");
                assert_eq!(answer.status(), StatusCode::OK);
                answer.into_body().into_data_stream()
            }
        };
        let began = tokio::time::Instant::now();
        let mut with_session = open_stream((header::COOKIE, cookie.to_owned())).await;
        let mut with_token = open_stream((header::AUTHORIZATION, format!("Bearer {ACCESS_TOKEN}"))).await;
        let mut event_count = 0;
        while with_session.next().await.is_some() {
            event_count += 1;
            assert!(began.elapsed() <= SESSION_LIFETIME, "the stream outlives its session");
        }
        assert!((7 * 24 - 1..=7 * 24).contains(&event_count), "{event_count} events");
        with_token.next().await.expect("a client with the token has no session").expect("an event");
    }
}
