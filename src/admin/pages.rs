//! Pages for browsers: orders and devices, the live report of one order, signing in and out.
//!
//! The script asks for the report's own piece of HTML and puts it in place; it builds no HTML itself.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Form, Path, Query, Request, State as From};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::devices::{self, DeviceRow};
use super::problem::Problem;
use super::tokens::SESSION_LIFE;
use super::{State, caller, tokens};
use crate::clock::Timestamp;
use crate::ids::{DeviceId, OrderId};
use crate::recall::{Coverage, OrderView, ReasonCode};

/// Orders and devices on the first page.
const HOME_ROWS: usize = 200;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    orders: Vec<OrderView>,
    devices: Vec<DeviceRow>,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    report: String,
    id: OrderId,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Report {
    coverage: Coverage,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    code: Option<String>,
    words: &'static str,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    problem: Problem,
}

/// The code of a one-time link.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Code {
    code: Option<String>,
}

/// A problem, as a page.
pub(super) struct PageProblem(Problem);

impl<E: Into<Problem>> std::convert::From<E> for PageProblem {
    fn from(error: E) -> PageProblem {
        PageProblem(error.into())
    }
}

impl IntoResponse for PageProblem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        page(status, &ProblemPage { problem: self.0 })
    }
}

/// `GET /`
pub(super) async fn home(From(state): From<State>) -> Result<Response, PageProblem> {
    let orders = state.recall.orders(None, HOME_ROWS).await?;
    let devices = devices::rows(&state, DeviceId(0), HOME_ROWS).await?;
    Ok(page(StatusCode::OK, &Home { orders, devices }))
}

/// `GET /orders/{id}`
pub(super) async fn order(
    From(state): From<State>,
    id: Result<Path<OrderId>, PathRejection>,
) -> Result<Response, PageProblem> {
    let Path(id) = id?;
    let report = rendered(&state, id).await?;
    Ok(page(StatusCode::OK, &OrderPage { report, id }))
}

/// `GET /orders/{id}/report`: the piece of the page that changes.
pub(super) async fn report(
    From(state): From<State>,
    id: Result<Path<OrderId>, PathRejection>,
) -> Result<Response, PageProblem> {
    let Path(id) = id?;
    Ok(Html(rendered(&state, id).await?).into_response())
}

/// `GET /sign-in`: shows a button, so that nothing but a person uses the link up.
pub(super) async fn sign_in(Query(code): Query<Code>) -> Response {
    page(StatusCode::OK, &SignIn { code: code.code, words: "" })
}

/// `POST /sign-in`
pub(super) async fn signed_in(
    From(state): From<State>,
    Form(code): Form<Code>,
) -> Result<Response, PageProblem> {
    let code = code.code.unwrap_or_default();
    let Some(cookie) = tokens::begin_session(&state, &code).await? else {
        let words = "This link was used before, or is over.";
        return Ok(page(StatusCode::UNAUTHORIZED, &SignIn { code: None, words }));
    };
    let life = SESSION_LIFE.as_secs();
    Ok(with_cookie(&state, &format!("{cookie}; Max-Age={life}"), "/"))
}

/// `POST /sign-out`
pub(super) async fn sign_out(
    From(state): From<State>,
    headers: HeaderMap,
) -> Result<Response, PageProblem> {
    if let Some(cookie) = caller::cookie(&headers) {
        tokens::end_session(&state, cookie).await?;
    }
    Ok(with_cookie(&state, "; Max-Age=0", "/sign-in"))
}

/// For a browser nobody knows.
pub(super) fn who_are_you() -> Response {
    page(StatusCode::UNAUTHORIZED, &SignIn { code: None, words: "" })
}

/// For a path that is none.
pub(super) async fn nothing_here(request: Request) -> Response {
    let problem = Problem::not_found("there is nothing here");
    match request.uri().path().starts_with("/api/") {
        true => problem.into_response(),
        false => PageProblem(problem).into_response(),
    }
}

/// `GET /assets/style.css`
pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("web/style.css"))
}

/// `GET /assets/live.js`
pub(super) async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("web/live.js"))
}

/// Puts on every answer what keeps browsers from doing more than we mean.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HARDENING {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn rendered(state: &State, id: OrderId) -> Result<String, PageProblem> {
    let coverage = state.recall.coverage(id).await?;
    let report = Report { coverage };
    Ok(report.render().map_err(|error| Problem::ours(error.to_string()))?)
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Problem::ours(error.to_string()).into_response(),
    }
}

fn with_cookie(state: &State, rest: &str, to: &'static str) -> Response {
    let secure = if state.base_url.starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!("{}={rest}; Path=/; HttpOnly; SameSite=Strict{secure}", caller::COOKIE);
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, to.to_owned())])
        .into_response()
}

impl Report {
    fn tiles(&self) -> Vec<(&'static str, String)> {
        let coverage = &self.coverage;
        vec![
            ("covered", format!("{} of {}", coverage.covered, coverage.pairs)),
            ("percent", coverage.percent.map_or("none".to_owned(), |p| format!("{p:.1} %"))),
            ("marked read", coverage.read_claimed.to_string()),
            ("answered or forwarded", coverage.acted.to_string()),
            ("to 50 %", self.duration(coverage.to_50_percent_ms)),
            ("to 90 %", self.duration(coverage.to_90_percent_ms)),
            ("to 100 %", self.duration(coverage.to_100_percent_ms)),
        ]
    }

    fn duration(&self, ms: Option<u64>) -> String {
        let is_all = self.coverage.percent.is_some_and(|percent| percent >= 100.0);
        match ms {
            Some(ms) => duration(ms),
            // Whatever was to be done had been done before anybody asked.
            None if is_all => "before the order".to_owned(),
            None => "not yet".to_owned(),
        }
    }
}

/// A serialised enum's word, with blanks for its underscores.
fn words<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

fn time(at: &Timestamp) -> String {
    at.rfc3339().replace('T', " ").replace('Z', "")
}

fn waits_for_owner(reason: &Option<ReasonCode>) -> bool {
    *reason == Some(ReasonCode::WaitsForOwner)
}

fn maybe(at: &Option<Timestamp>) -> String {
    at.as_ref().map(time).unwrap_or_default()
}

fn number(number: &Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn duration(ms: u64) -> String {
    match ms {
        0..=9_999 => format!("{ms} ms"),
        10_000..=599_999 => format!("{} s", ms / 1_000),
        _ => format!("{} min", ms / 60_000),
    }
}

/// Nothing is loaded but our own style and script, nothing is framed, kept, or told to others.
const HARDENING: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];
