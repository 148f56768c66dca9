//! Tokens for programs, one-time links and sessions for browsers.
//!
//! Each is 256 random bits that only its holder has: the database keeps their SHA-256. A token can be revoked and says no more than
//! its row does. A link works once and for a quarter of an hour; it becomes a session only by a POST, so that a program that
//! previews links cannot use it up.

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State as From};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::caller::{Caller, Role};
use super::problem::Problem;
use super::{State, tables};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::secret::Secret;

/// What a token looks like begins with this, so that scanners for leaked secrets can find it.
const TOKEN_PREFIX: &str = "retract_";
/// How long a one-time link works.
const LINK_LIFE: std::time::Duration = std::time::Duration::from_mins(15);
/// How long a browser stays signed in.
pub(super) const SESSION_LIFE: std::time::Duration = std::time::Duration::from_hours(12);
/// The days a token may live at most: ten years.
const TOKEN_DAYS_MAX: u32 = 3_660;
/// Octets of a token's name at most.
const NAME_BYTES_MAX: usize = 64;
/// Tokens listed at most.
const TOKENS_MAX: usize = 10_000;

/// The SHA-256 of a secret: what the database has of it.
pub(super) type SecretHash = [u8; 32];

/// Who somebody is, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) name: String,
    pub(super) role: Role,
}

/// A token as it is listed: everything but the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenView {
    /// Its name, also in orders and in the audit.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Until when it works; without a value, until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// The hash a secret is found by.
pub(super) fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

/// 256 random bits as text.
pub(super) fn random() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| Problem::ours("the machine gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Makes a token; the answer is the only time it is shown.
pub(super) async fn create(
    state: &State,
    by: String,
    name: &str,
    role: Role,
    days: Option<u32>,
) -> Result<(Secret, TokenView), Problem> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(is_plain) {
        return Err(Problem::bad_request(
            "a token's name has 1 to 64 of a-z, A-Z, 0-9, '-', '_', '.'",
        ));
    }
    if days.is_some_and(|days| days == 0 || days > TOKEN_DAYS_MAX) {
        return Err(Problem::bad_request("a token lives for 1 to 3660 days"));
    }
    let token = format!("{TOKEN_PREFIX}{}", random()?);
    let (now, hash) = (state.clock.now(), hash(&token));
    let expires_at = days.map(|days| now.after(std::time::Duration::from_hours(24) * days));
    let view = TokenView {
        name: name.to_owned(),
        role,
        created_at: now,
        created_by: by,
        expires_at,
        revoked_at: None,
    };
    let row = view.clone();
    let is_new = state
        .database
        .write(move |tx| {
            let is_new = tables::insert_token(tx, hash, &row)?;
            if is_new {
                note(tx, now, "token.created", &row.name, &row.created_by)?;
            }
            Ok::<_, Error>(is_new)
        })
        .await?;
    match is_new {
        true => Ok((Secret::new(token), view)),
        false => Err(Problem::conflict("name_taken", "a token of this name exists or existed")),
    }
}

/// All tokens, without the tokens.
pub(super) async fn list(state: &State) -> Result<Vec<TokenView>, Problem> {
    Ok(state.database.read(|tx| tables::list_tokens(tx, TOKENS_MAX)).await?)
}

/// Ends a token. Again: nothing.
pub(super) async fn revoke(state: &State, by: String, name: String) -> Result<(), Problem> {
    let now = state.clock.now();
    let is_known = state
        .database
        .write(move |tx| {
            if tables::revoke_token(tx, &name, now)? {
                note(tx, now, "token.revoked", &name, &by)?;
                return Ok(true);
            }
            tables::has_token(tx, &name)
        })
        .await?;
    if is_known { Ok(()) } else { Err(Problem::not_found("there is no token of this name")) }
}

/// What a token may do; `None` for one that is unknown or over.
pub(super) async fn check(state: &State, token: &str) -> Result<Option<Grant>, Error> {
    let (hash, now) = (hash(token), state.clock.now());
    state.database.read(move |tx| tables::token(tx, hash, now)).await
}

/// A one-time link for `name` to the pages. The server prints one at its first start.
pub async fn sign_in_link(state: &State, name: &str, role: Role) -> Result<Secret, Problem> {
    let code = random()?;
    let (now, hash) = (state.clock.now(), hash(&code));
    let grant = Grant { name: name.to_owned(), role };
    let expires_at = now.after(LINK_LIFE);
    state
        .database
        .write(move |tx| {
            note(tx, now, "session.link_made", &grant.name, &grant.name)?;
            tables::insert_link(tx, hash, &grant, now, expires_at)
        })
        .await?;
    let base = state.base_url.trim_end_matches('/');
    Ok(Secret::new(format!("{base}/sign-in?code={code}")))
}

/// Uses a link up and begins a session; answers the cookie's value.
pub(super) async fn begin_session(state: &State, code: &str) -> Result<Option<String>, Problem> {
    let cookie = random()?;
    let (link, session, now) = (hash(code), hash(&cookie), state.clock.now());
    let begun = state
        .database
        .write(move |tx| {
            let Some(grant) = tables::take_link(tx, link, now)? else { return Ok(false) };
            note(tx, now, "session.begun", &grant.name, &grant.name)?;
            tables::insert_session(tx, session, &grant, now, now.after(SESSION_LIFE))?;
            Ok::<_, Error>(true)
        })
        .await?;
    Ok(begun.then_some(cookie))
}

/// Whose session a cookie is.
pub(super) async fn check_session(state: &State, cookie: &str) -> Result<Option<Grant>, Error> {
    let (hash, now) = (hash(cookie), state.clock.now());
    state.database.read(move |tx| tables::session(tx, hash, now)).await
}

/// Ends a session.
pub(super) async fn end_session(state: &State, cookie: &str) -> Result<(), Error> {
    let hash = hash(cookie);
    state.database.write(move |tx| tables::delete_session(tx, hash)).await
}

fn note(
    tx: &Tx<'_>,
    now: Timestamp,
    kind: &'static str,
    name: &str,
    by: &str,
) -> Result<(), Error> {
    audit::note(tx, now, &Event::new(kind).personal("name", name).personal("by", by)).map(drop)
}

/// What makes a token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    name: String,
    role: Role,
    expires_in_days: Option<u32>,
}

/// Who gets a link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLink {
    name: String,
    #[serde(default = "admin")]
    role: Role,
}

#[derive(Serialize)]
pub(super) struct Tokens {
    tokens: Vec<TokenView>,
}

/// A token that was made; it is shown here and never again.
#[derive(Serialize)]
pub(super) struct Made {
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

#[derive(Serialize)]
pub(super) struct Link {
    url: String,
}

fn admin() -> Role {
    Role::Admin
}

/// `GET /api/v1/tokens`
pub(super) async fn answer_list(From(state): From<State>) -> Result<Json<Tokens>, Problem> {
    Ok(Json(Tokens { tokens: list(&state).await? }))
}

/// `POST /api/v1/tokens`
pub(super) async fn answer_create(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<NewToken>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(new) = body?;
    let made = create(&state, caller.name(), &new.name, new.role, new.expires_in_days).await?;
    let made = Made { token: made.0.reveal().to_owned(), view: made.1 };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// `DELETE /api/v1/tokens/{name}`
pub(super) async fn answer_revoke(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(name) = name?;
    revoke(&state, caller.name(), name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/sign-in-links`
pub(super) async fn answer_link(
    From(state): From<State>,
    body: Result<Json<NewLink>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(new) = body?;
    if new.name.trim().is_empty() || new.name.len() > NAME_BYTES_MAX {
        return Err(Problem::bad_request("a link is for somebody with a name"));
    }
    let url = sign_in_link(&state, new.name.trim(), new.role).await?;
    let link = Link { url: url.reveal().to_owned() };
    Ok((StatusCode::CREATED, Json(link)).into_response())
}
