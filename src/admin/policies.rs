//! Policies over the API: what devices must obey, for whom, and what counts for devices nobody decided about.

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State as From};
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::State;
use super::caller::Caller;
use super::problem::Problem;
use crate::policy::{Access, Policy, RuleBook, Rules};

#[derive(Serialize)]
pub(super) struct All {
    policies: Vec<Policy>,
}

/// What a policy is made or changed to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyBody {
    #[serde(default)]
    rules: Rules,
    #[serde(default)]
    exempts_unprovisionable: bool,
    #[serde(default)]
    accepts_partial: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessBody {
    access: Access,
}

/// `GET /api/v1/policies`
pub(super) async fn list(From(state): From<State>) -> Result<Json<All>, Problem> {
    Ok(Json(All { policies: state.policies.list().await? }))
}

/// `PUT /api/v1/policies/{name}`: devices under it fetch it at their next request.
pub(super) async fn put(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    body: Result<Json<PolicyBody>, JsonRejection>,
) -> Result<Json<Policy>, Problem> {
    let (Path(name), Json(body)) = (name?, body?);
    let PolicyBody { rules, exempts_unprovisionable, accepts_partial } = body;
    let mut policy = Policy { name, revision: 0, rules, exempts_unprovisionable, accepts_partial };
    policy.revision = state.policies.put(policy.clone(), &caller.name()).await?;
    Ok(Json(policy))
}

/// `DELETE /api/v1/policies/{name}`: its users fall back to the default one.
pub(super) async fn remove(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(name) = name?;
    state.policies.remove(&name, &caller.name()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /api/v1/default-access`: what counts for devices nobody decided about.
pub(super) async fn set_default_access(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<AccessBody>, JsonRejection>,
) -> Result<Json<AccessBody>, Problem> {
    let Json(body) = body?;
    state.policies.set_default_access(body.access, &caller.name()).await?;
    Ok(Json(body))
}

/// `GET /api/v1/policy-rules`
pub(super) async fn rule_book(From(state): From<State>) -> Result<Json<RuleBook>, Problem> {
    Ok(Json(state.policies.rule_book().await?))
}

/// `PUT /api/v1/policy-rules`: all rules and groups at once, in their order; the first that matches decides.
pub(super) async fn put_rule_book(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<RuleBook>, JsonRejection>,
) -> Result<Json<RuleBook>, Problem> {
    let Json(book) = body?;
    state.policies.put_rule_book(book.clone(), &caller.name()).await?;
    Ok(Json(book))
}
