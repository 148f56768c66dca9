//! Where users come from besides us, over the API, for administrators: how it stands, what a look would change, and a look at once.

use axum::Extension;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as From};
use serde::{Deserialize, Serialize};

use super::State;
use super::caller::Caller;
use super::problem::Problem;
use crate::audit::{self, Event};
use crate::database::{Error, Tx};
use crate::directory::{Group, Report, Standing};
use crate::ids::UserId;

/// A group as the API shows one.
#[derive(Debug, Serialize)]
pub(super) struct GroupView {
    id: i64,
    name: String,
    address: Option<String>,
    display_name: String,
}

/// Groups, by their numbers.
#[derive(Debug, Serialize)]
pub(super) struct Groups {
    groups: Vec<GroupView>,
}

/// A group with everybody in it, also through groups within it.
#[derive(Debug, Serialize)]
pub(super) struct Members {
    #[serde(flatten)]
    group: GroupView,
    members: Vec<Member>,
}

/// Somebody in a group.
#[derive(Debug, Serialize)]
pub(super) struct Member {
    id: UserId,
    name: String,
    address: String,
}

/// How a look is taken.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncBody {
    /// Although many are gone at once.
    #[serde(default)]
    confirm: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<i64>,
}

/// `GET /api/v1/directory`
pub(super) async fn show(From(state): From<State>) -> Result<Json<Standing>, Problem> {
    Ok(Json(state.directory.standing().await?))
}

/// `POST /api/v1/directory/check`: what a look would change; nothing is changed.
pub(super) async fn check(From(state): From<State>) -> Result<Json<Report>, Problem> {
    Ok(Json(state.directory.rehearse().await?))
}

/// `POST /api/v1/directory/sync`: a look at once.
pub(super) async fn sync(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    body: Result<Option<Json<SyncBody>>, JsonRejection>,
) -> Result<Json<Report>, Problem> {
    let SyncBody { confirm } = body?.map(|Json(body)| body).unwrap_or_default();
    let report = state.directory.sync(confirm).await?;
    if confirm {
        let (now, by, gone) = (state.clock.now(), caller.name(), report.gone);
        let job = move |tx: &Tx<'_>| {
            let gone = i64::try_from(gone).unwrap_or(i64::MAX);
            let event = Event::new("directory.confirmed").id("gone", gone);
            audit::note(tx, now, &event.personal("by", &by))
        };
        state.database.write::<_, Error, _>(job).await?;
    }
    Ok(Json(report))
}

/// `GET /api/v1/groups`
pub(super) async fn groups(
    From(state): From<State>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Groups>, Problem> {
    let Query(page) = page?;
    let groups = state.directory.list_groups(page.after.unwrap_or(0), PAGE_GROUPS).await?;
    Ok(Json(Groups { groups: groups.into_iter().map(view).collect() }))
}

/// `GET /api/v1/groups/{name}`
pub(super) async fn group(
    From(state): From<State>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Members>, Problem> {
    let Path(name) = name?;
    let group = state.directory.group(&name).await?;
    let group = group.ok_or_else(|| Problem::not_found("no such group"))?;
    let members = state.directory.members(&group).await?.into_iter();
    let members =
        members.map(|user| Member { id: user.id, name: user.name, address: user.address });
    Ok(Json(Members { members: members.collect(), group: view(group) }))
}

fn view(group: Group) -> GroupView {
    let Group { id, name, address, display_name } = group;
    GroupView { id, name, address, display_name }
}

/// Groups of one page.
const PAGE_GROUPS: usize = 500;
