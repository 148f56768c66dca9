//! Who asks: a token, a browser's session, or the machine's own shell.
//!
//! The road decides what counts. On the Unix socket the file's mode has decided already; over TCP it takes a token or a cookie. A
//! cookie changes something only when the browser says that our own page sent the request.

use axum::extract::{Request, State as From};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::{State, pages, tokens};
use crate::recall::Actor;

/// The name of the session's cookie.
pub(super) const COOKIE: &str = "retract_session";

/// What somebody may do; each may do what those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads orders, coverage, devices and the audit.
    Viewer,
    /// Recalls messages and gives devices orders.
    Operator,
    /// Manages users, tokens and backups.
    Admin,
}

impl Role {
    pub(super) fn number(self) -> i64 {
        match self {
            Role::Viewer => 1,
            Role::Operator => 2,
            Role::Admin => 3,
        }
    }

    pub(super) fn from_number(number: i64) -> Option<Role> {
        [Role::Viewer, Role::Operator, Role::Admin].into_iter().find(|r| r.number() == number)
    }
}

/// The road a connection came by. A request without one came over TCP.
#[derive(Clone, Debug)]
pub struct Local {
    /// The system's name of the user at the other end.
    pub user: String,
}

/// Who asks, once that is known.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) actor: Actor,
    pub(super) role: Role,
    pub(super) is_local: bool,
}

impl Caller {
    /// The name in audit entries.
    pub(super) fn name(&self) -> String {
        self.actor.name()
    }
}

/// Lets a request through once its sender is known and may read; what changes something is for operators.
pub(super) async fn authenticate(
    From(state): From<State>,
    request: Request,
    next: Next,
) -> Response {
    // The body cannot be looked at from two threads, so it stays out of what waits.
    let (mut parts, body) = request.into_parts();
    let is_page = !parts.uri.path().starts_with("/api/");
    match who(&state, &parts).await {
        Ok(caller) => {
            let is_reading = matches!(parts.method, Method::GET | Method::HEAD);
            if !is_reading && caller.role < Role::Operator {
                return Problem::forbidden("this takes the role operator").into_response();
            }
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) if is_page && problem.code == "unauthorized" => pages::who_are_you(),
        Err(problem) => problem.into_response(),
    }
}

/// Lets administrators through, behind [`authenticate`].
pub(super) async fn administrators(request: Request, next: Next) -> Response {
    match request.extensions().get::<Caller>() {
        Some(caller) if caller.role >= Role::Admin => next.run(request).await,
        _ => Problem::forbidden("this takes the role admin").into_response(),
    }
}

async fn who(state: &State, request: &Parts) -> Result<Caller, Problem> {
    if let Some(local) = request.extensions.get::<Local>() {
        let actor = Actor::Shell(local.user.clone());
        return Ok(Caller { actor, role: Role::Admin, is_local: true });
    }
    if let Some(token) = bearer(&request.headers) {
        let grant = tokens::check(state, token).await?;
        let grant = grant.ok_or_else(|| Problem::unauthorized("this token is unknown or over"))?;
        let actor = Actor::Token(grant.name);
        return Ok(Caller { actor, role: grant.role, is_local: false });
    }
    let Some(cookie) = cookie(&request.headers) else {
        return Err(Problem::unauthorized("send a token: Authorization: Bearer retract_..."));
    };
    let grant = tokens::check_session(state, cookie).await?;
    let grant = grant.ok_or_else(|| Problem::unauthorized("this session is over"))?;
    if !matches!(request.method, Method::GET | Method::HEAD) && !is_own_page(&request.headers) {
        return Err(Problem::forbidden("this request did not come from our own page"));
    }
    Ok(Caller { actor: Actor::Admin(grant.name), role: grant.role, is_local: false })
}

/// The token of an `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session's cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, v)| v)
}

/// Whether a browser vouches that the page that asks is one of ours.
pub(super) fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host))
        }
        _ => false,
    }
}

/// The second person of an order: another token, in a header of its own.
pub(super) async fn second_person(
    state: &State,
    headers: &HeaderMap,
) -> Result<Option<crate::recall::SecondPerson>, Problem> {
    let Some(token) = headers.get(SECOND_TOKEN) else { return Ok(None) };
    let token = token.to_str().unwrap_or_default().trim();
    match tokens::check(state, token).await? {
        Some(grant) if grant.role >= Role::Operator => {
            Ok(Some(crate::recall::SecondPerson(Actor::Token(grant.name))))
        }
        Some(_) => Err(Problem::forbidden("the second token takes the role operator")),
        None => Err(Problem::unauthorized("the second token is unknown or over")),
    }
}

/// The header of a second token.
pub(super) const SECOND_TOKEN: &str = "retract-second-token";
