//! Users over the API, for administrators: made, listed, given a password, shut out, reached by more addresses.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as From};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::State;
use super::caller::Caller;
use super::problem::Problem;
use super::tokens;
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::Error;
use crate::directory::{NewUser, User};
use crate::ids::UserId;
use crate::policy::{NotDone, ShutOut};
use crate::secret::Secret;

/// Users of one page when none are asked for, and at most.
const PAGE_USERS: usize = 500;

/// A user as the API shows one.
#[derive(Clone, Debug, Serialize)]
pub(super) struct UserView {
    id: UserId,
    name: String,
    address: String,
    addresses: Vec<String>,
    display_name: String,
    disabled: bool,
    /// Where they come from: `local`, `csv`, `ldap` or `imap`.
    origin: &'static str,
    /// Are they gone from there?
    is_gone: bool,
    is_admin: bool,
    policy: Option<String>,
    /// Are automatic replies sent in their name at this moment?
    is_away: bool,
    created_at: Timestamp,
    /// Shown once, when we made it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Users {
    users: Vec<UserView>,
}

/// What makes a user; a password is made up where none is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserBody {
    name: String,
    address: String,
    #[serde(default)]
    display_name: String,
    password: Option<Secret>,
    #[serde(default)]
    is_admin: bool,
    policy: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordBody {
    password: Option<Secret>,
    /// Although a wipe waits for a device that could not sign in to fetch it any more.
    #[serde(default)]
    now: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DisableBody {
    /// Although a wipe waits for a device that could not sign in to fetch it any more.
    #[serde(default)]
    now: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasBody {
    address: String,
}

/// The name of a policy; null for the default one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserPolicyBody {
    policy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<UserId>,
    limit: Option<usize>,
}

/// `POST /api/v1/users`
pub(super) async fn create(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<NewUserBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    if let Some(name) = &body.policy
        && !state.policies.list().await?.iter().any(|policy| policy.name == *name)
    {
        return Err(NotDone::NoSuchPolicy.into());
    }
    let (password, shown) = password(body.password)?;
    let id = state
        .directory
        .add_user(NewUser {
            name: body.name,
            address: body.address,
            display_name: body.display_name,
            password,
            is_admin: body.is_admin,
            policy_name: body.policy,
        })
        .await?;
    state.prepare_mailbox(id).await?;
    note(&state, &caller, "user.added", id).await?;
    let user = state.directory.user(id).await?;
    let view = UserView { password: shown, ..view(&state, user).await? };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// `GET /api/v1/users`
pub(super) async fn list(
    From(state): From<State>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Users>, Problem> {
    let Query(page) = page?;
    let limit = page.limit.unwrap_or(PAGE_USERS).min(PAGE_USERS);
    let mut users = Vec::new();
    for user in state.directory.list(page.after, limit).await? {
        users.push(view(&state, user).await?);
    }
    Ok(Json(Users { users }))
}

/// `GET /api/v1/users/{name}`
pub(super) async fn show(
    From(state): From<State>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<UserView>, Problem> {
    let Path(name) = name?;
    let user = state.directory.find(&name).await?;
    Ok(Json(view(&state, user).await?))
}

/// `POST /api/v1/users/{name}/password`
pub(super) async fn set_password(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    body: Result<Json<PasswordBody>, JsonRejection>,
) -> Result<Json<UserView>, Problem> {
    let (Path(name), Json(body)) = (name?, body?);
    let user = state.directory.find(&name).await?;
    state.directory.keeps_password_of(&user)?;
    let (password, shown) = password(body.password)?;
    let how = ShutOut::Password(state.directory.hash_password(password).await?);
    state.policies.shut_out(user.id, how, body.now, &caller.name()).await?;
    Ok(Json(UserView { password: shown, ..view(&state, user).await? }))
}

/// `POST /api/v1/users/{name}/disable`
pub(super) async fn disable(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    body: Result<Option<Json<DisableBody>>, JsonRejection>,
) -> Result<Json<UserView>, Problem> {
    let (Path(name), body) = (name?, body?);
    let DisableBody { now } = body.map(|Json(body)| body).unwrap_or_default();
    let user = state.directory.find(&name).await?;
    state.policies.shut_out(user.id, ShutOut::Disabled, now, &caller.name()).await?;
    Ok(Json(view(&state, User { disabled: true, ..user }).await?))
}

/// `POST /api/v1/users/{name}/enable`
pub(super) async fn enable(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<UserView>, Problem> {
    let Path(name) = name?;
    let user = state.directory.find(&name).await?;
    state.directory.set_disabled(user.id, false).await?;
    note(&state, &caller, "user.enabled", user.id).await?;
    Ok(Json(view(&state, User { disabled: false, ..user }).await?))
}

/// `POST /api/v1/users/{name}/policy`
pub(super) async fn set_policy(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    body: Result<Json<UserPolicyBody>, JsonRejection>,
) -> Result<Json<UserView>, Problem> {
    let (Path(name), Json(body)) = (name?, body?);
    let user = state.directory.find(&name).await?;
    state.policies.set_user_policy(user.id, body.policy.as_deref(), &caller.name()).await?;
    Ok(Json(view(&state, User { policy_name: body.policy, ..user }).await?))
}

/// `POST /api/v1/users/{name}/aliases`
pub(super) async fn add_alias(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    body: Result<Json<AliasBody>, JsonRejection>,
) -> Result<Json<UserView>, Problem> {
    let (Path(name), Json(body)) = (name?, body?);
    let user = state.directory.find(&name).await?;
    state.directory.add_alias(user.id, &body.address).await?;
    note(&state, &caller, "user.alias_added", user.id).await?;
    Ok(Json(view(&state, user).await?))
}

/// `DELETE /api/v1/users/{name}/aliases/{address}`
pub(super) async fn remove_alias(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<UserView>, Problem> {
    let Path((name, address)) = path?;
    let user = state.directory.find(&name).await?;
    state.directory.remove_alias(user.id, &address).await?;
    note(&state, &caller, "user.alias_removed", user.id).await?;
    Ok(Json(view(&state, user).await?))
}

/// `POST /api/v1/users/{name}/back`: an absence ends, and automatic replies with it.
pub(super) async fn end_absence(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<UserView>, Problem> {
    let Path(name) = name?;
    let user = state.directory.find(&name).await?;
    state.directory.end_absence(user.id).await?;
    note(&state, &caller, "user.absence_ended", user.id).await?;
    Ok(Json(view(&state, user).await?))
}

async fn view(state: &State, user: User) -> Result<UserView, Problem> {
    Ok(UserView {
        addresses: state.directory.addresses(user.id).await?,
        id: user.id,
        name: user.name,
        address: user.address,
        display_name: user.display_name,
        disabled: user.disabled,
        origin: user.origin.name(),
        is_gone: user.is_gone,
        is_admin: user.is_admin,
        policy: user.policy_name,
        is_away: state.directory.away(user.id).await?.is_away(state.clock.now()),
        created_at: user.created_at,
        password: None,
    })
}

/// The password given, or one made up and to be shown once.
fn password(given: Option<Secret>) -> Result<(Secret, Option<String>), Problem> {
    if let Some(given) = given {
        return Ok((given, None));
    }
    let made = tokens::random()?.get(..MADE_UP_CHARS).unwrap_or_default().to_owned();
    Ok((Secret::new(made.clone()), Some(made)))
}

async fn note(
    state: &State,
    caller: &Caller,
    kind: &'static str,
    user: UserId,
) -> Result<(), Problem> {
    let (now, by) = (state.clock.now(), caller.name());
    let job = move |tx: &crate::database::Tx<'_>| {
        audit::note(tx, now, &Event::new(kind).id("user", user).personal("by", &by))
    };
    state.database.write::<_, Error, _>(job).await?;
    Ok(())
}

/// Characters of a password we make up: 120 bits.
const MADE_UP_CHARS: usize = 20;
