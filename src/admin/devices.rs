//! Devices over the API: who they are, what they sync, and the orders an operator gives them.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as From};
use axum::{Extension, Json};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::State;
use super::caller::{Caller, second_person};
use super::problem::Problem;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::directory;
use crate::ids::{DeviceId, FolderId};
use crate::ledger::holding::{self, Kind};
use crate::ledger::{self, Collection, Device, Place, device};
use crate::policy::{Access, DeviceView, Wipe, WipeKind, WipeOrder};

/// Devices of one page when none are asked for, and at most.
const PAGE_DEVICES: usize = 500;

/// A device as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DeviceRow {
    #[serde(flatten)]
    pub(super) device: Device,
    pub(super) user_name: String,
    /// What was decided about it; none where the default counts.
    pub(super) access: Option<Access>,
    /// The policy it must obey.
    pub(super) policy: String,
    /// Whether it acknowledged that policy as it is now.
    pub(super) is_provisioned: bool,
    /// What it said it did with it: 1 whole, 2 in part, 3 not, 4 managed elsewhere.
    pub(super) compliance: Option<u8>,
    pub(super) wipe: Option<Wipe>,
}

#[derive(Serialize)]
pub(super) struct Devices {
    devices: Vec<DeviceRow>,
}

/// A device with the collections it syncs.
#[derive(Serialize)]
pub(super) struct DeviceDetail {
    #[serde(flatten)]
    row: DeviceRow,
    collections: Vec<CollectionView>,
}

/// What a device syncs of a folder, by the ledger.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CollectionView {
    folder: FolderId,
    name: String,
    /// Items it acknowledged.
    held: u64,
    /// Answers it has not acknowledged yet.
    in_flight: usize,
    key: Option<u64>,
    last_asked: Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<DeviceId>,
    limit: Option<usize>,
}

/// What has to be said for a wipe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WipeBody {
    /// `account_only` or `full`.
    scope: WipeScope,
    /// For a full wipe: the DeviceId as the phone shows it, typed.
    device_id: Option<String>,
    /// Whether the device is blocked once it has promised.
    #[serde(default)]
    block_after: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WipeScope {
    AccountOnly,
    Full,
}

/// `GET /api/v1/devices`
pub(super) async fn list(
    From(state): From<State>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Devices>, Problem> {
    let Query(page) = page?;
    let limit = page.limit.unwrap_or(PAGE_DEVICES).min(PAGE_DEVICES);
    let devices = rows(&state, page.after.unwrap_or(DeviceId(0)), limit).await?;
    Ok(Json(Devices { devices }))
}

/// `GET /api/v1/devices/{id}`
pub(super) async fn show(
    From(state): From<State>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceDetail>, Problem> {
    let Path(id) = id?;
    let collections = state.database.read(move |tx| collections(tx, id)).await?;
    Ok(Json(DeviceDetail { row: row(&state, id).await?, collections }))
}

/// `POST /api/v1/devices/{id}/wipe`: the second person, where there is one, comes as a second token.
pub(super) async fn wipe(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    id: Result<Path<DeviceId>, PathRejection>,
    body: Result<Json<WipeBody>, JsonRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    let (Path(device), Json(body)) = (id?, body?);
    let second = second_person(&state, &headers).await?.map(|second| second.0.name());
    let kind = match body.scope {
        WipeScope::AccountOnly => WipeKind::Account,
        WipeScope::Full => WipeKind::Device,
    };
    let order = WipeOrder {
        device,
        kind,
        typed_id: body.device_id,
        by: caller.name(),
        second,
        block_after: body.block_after,
    };
    state.policies.wipe(order).await?;
    Ok(Json(row(&state, device).await?))
}

/// `DELETE /api/v1/devices/{id}/wipe`: calls off what has not left, or closes what was answered, a failure too.
pub(super) async fn clear_wipe(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    let Path(id) = id?;
    state.policies.clear_wipe(id, &caller.name()).await?;
    Ok(Json(row(&state, id).await?))
}

/// `POST /api/v1/devices/{id}/resync`
pub(super) async fn resync(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    let Path(id) = id?;
    state.policies.resync(id, &caller.name()).await?;
    Ok(Json(row(&state, id).await?))
}

/// `POST /api/v1/devices/{id}/block`
pub(super) async fn block(
    state: From<State>,
    caller: Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    decide(state, caller, id, Access::Block).await
}

/// `POST /api/v1/devices/{id}/allow`
pub(super) async fn allow(
    state: From<State>,
    caller: Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    decide(state, caller, id, Access::Allow).await
}

/// `POST /api/v1/devices/{id}/quarantine`
pub(super) async fn quarantine(
    state: From<State>,
    caller: Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    decide(state, caller, id, Access::Quarantine).await
}

/// A page of devices with the names of their users.
pub(super) async fn rows(
    state: &State,
    after: DeviceId,
    limit: usize,
) -> Result<Vec<DeviceRow>, Problem> {
    let found = state.database.read(move |tx| device::page(tx, after, limit)).await?;
    let mut rows = Vec::with_capacity(found.len());
    for device in found {
        rows.push(row(state, device.id).await?);
    }
    Ok(rows)
}

async fn decide(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
    access: Access,
) -> Result<Json<DeviceRow>, Problem> {
    let Path(id) = id?;
    state.policies.set_access(id, Some(access), &caller.name()).await?;
    Ok(Json(row(&state, id).await?))
}

async fn row(state: &State, id: DeviceId) -> Result<DeviceRow, Problem> {
    let DeviceView { device, access, policy, is_provisioned, compliance, wipe, .. } =
        state.policies.device(id).await?;
    let user = device.user;
    let user = state.database.read(move |tx| directory::user(tx, user)).await?;
    let user_name = user.map_or_else(|| format!("user {}", device.user), |user| user.name);
    Ok(DeviceRow { device, user_name, access, policy, is_provisioned, compliance, wipe })
}

fn collections(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<CollectionView>, Error> {
    let told = ledger::hierarchy::Hierarchy::load(tx, device)?;
    let mut views = Vec::new();
    for folder in ledger::folders_of(tx, device)? {
        let place = Place { device, folder };
        let Some(collection) = Collection::load(tx, place)? else { continue };
        let name = told.folders.iter().find(|told| told.folder == folder.0);
        views.push(CollectionView {
            folder,
            name: name.map(|told| told.name.clone()).unwrap_or_default(),
            held: holding::all(tx, place, Kind::Held)?.len(),
            in_flight: collection.in_flight.len(),
            key: collection.proven.map(|key| key.seq),
            last_asked: collection.last_asked,
        });
    }
    Ok(views)
}

impl DeviceRow {
    /// Its access in a word, for pages.
    pub(super) fn access_word(&self) -> &'static str {
        self.access.map_or("default", Access::name)
    }

    /// Its wipe in a few words, for pages.
    pub(super) fn wipe_words(&self) -> String {
        let words = |wipe: &Wipe| format!("{} {}", wipe.kind.name(), wipe.state.name());
        self.wipe.as_ref().map(words).unwrap_or_default()
    }
}
