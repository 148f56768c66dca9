//! Devices over the API: who they are, what they sync, and the orders an operator gives them.

use std::future::Future;
use std::pin::Pin;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as From};
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::State;
use super::caller::Caller;
use super::problem::Problem;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::directory;
use crate::ids::{DeviceId, FolderId};
use crate::ledger::holding::{self, Kind};
use crate::ledger::{self, Collection, Device, Place, device};

/// Devices of one page when none are asked for, and at most.
const PAGE_DEVICES: usize = 500;

/// What an operator may order of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceOrder {
    /// Remove the account and its mail (from 16.1).
    WipeAccount,
    /// Remove everything on the device.
    WipeFull,
    /// Have it forget and fetch everything again.
    Resync,
    /// Answer it no more. A wipe that waits goes out first.
    Block,
    /// Answer it again, or at last.
    Allow,
}

/// How a device stands with us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceStanding {
    /// `allowed`, `quarantined` or `blocked`.
    pub access: String,
    /// The state of a wipe, in the words of the coverage report; `None` when none was ordered.
    pub wipe: Option<String>,
}

/// The answer of a device room that takes its time.
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send>>;

/// Whoever carries out what is ordered of devices: the policy room, through the server.
pub trait DeviceControl: Send + Sync {
    /// How a device stands.
    fn standing(&self, device: DeviceId) -> Later<DeviceStanding>;
    /// Orders something of a device; answers how it stands now. The words for `by` go to the audit.
    fn order(&self, device: DeviceId, order: DeviceOrder, by: String) -> Later<DeviceStanding>;
}

/// A device as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DeviceRow {
    #[serde(flatten)]
    pub(super) device: Device,
    pub(super) user_name: String,
    pub(super) access: Option<String>,
    pub(super) wipe: Option<String>,
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
    let found = state
        .database
        .read(move |tx| {
            let Some(device) = device::load(tx, id)? else { return Ok(None) };
            let name = user_name(tx, &device)?;
            Ok::<_, Error>(Some((device, name, collections(tx, id)?)))
        })
        .await?;
    let (device, name, collections) = found.ok_or_else(no_such_device)?;
    let row = row(&state, device, name).await?;
    Ok(Json(DeviceDetail { row, collections }))
}

/// `POST /api/v1/devices/{id}/wipe`
pub(super) async fn wipe(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
    body: Result<Json<WipeBody>, JsonRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    let (Path(id), Json(body)) = (id?, body?);
    let order = match body.scope {
        WipeScope::AccountOnly => DeviceOrder::WipeAccount,
        WipeScope::Full => {
            let device = state.database.read(move |tx| device::load(tx, id)).await?;
            let device = device.ok_or_else(no_such_device)?;
            let typed = body.device_id.as_deref().unwrap_or_default().trim();
            if !typed.eq_ignore_ascii_case(&device.wire_id) {
                let words = "a full wipe erases the whole phone: type its DeviceId in device_id";
                return Err(Problem::conflict("device_not_confirmed", words));
            }
            DeviceOrder::WipeFull
        }
    };
    give(&state, &caller, id, order).await
}

/// `POST /api/v1/devices/{id}/resync`
pub(super) async fn resync(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    let Path(id) = id?;
    give(&state, &caller, id, DeviceOrder::Resync).await
}

/// `POST /api/v1/devices/{id}/block`
pub(super) async fn block(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    let Path(id) = id?;
    give(&state, &caller, id, DeviceOrder::Block).await
}

/// `POST /api/v1/devices/{id}/allow`
pub(super) async fn allow(
    From(state): From<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<DeviceId>, PathRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    let Path(id) = id?;
    give(&state, &caller, id, DeviceOrder::Allow).await
}

/// A page of devices with the names of their users.
pub(super) async fn rows(
    state: &State,
    after: DeviceId,
    limit: usize,
) -> Result<Vec<DeviceRow>, Problem> {
    let found = state
        .database
        .read(move |tx| {
            let devices = device::page(tx, after, limit)?.into_iter();
            devices.map(|device| user_name(tx, &device).map(|name| (device, name))).collect()
        })
        .await;
    let found: Vec<(Device, String)> = found.map_err(|error: Error| Problem::from(error))?;
    let mut rows = Vec::with_capacity(found.len());
    for (device, name) in found {
        rows.push(row(state, device, name).await?);
    }
    Ok(rows)
}

async fn give(
    state: &State,
    caller: &Caller,
    id: DeviceId,
    order: DeviceOrder,
) -> Result<Json<DeviceRow>, Problem> {
    let found = state
        .database
        .read(move |tx| match device::load(tx, id)? {
            Some(device) => user_name(tx, &device).map(|name| Some((device, name))),
            None => Ok(None),
        })
        .await?;
    let (device, user_name) = found.ok_or_else(no_such_device)?;
    let Some(control) = &state.devices else {
        let words = "this gateway gives devices no orders";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "not_enabled", words));
    };
    let DeviceStanding { access, wipe } = control.order(id, order, caller.name()).await?;
    Ok(Json(DeviceRow { device, user_name, access: Some(access), wipe }))
}

async fn row(state: &State, device: Device, user_name: String) -> Result<DeviceRow, Problem> {
    let Some(control) = &state.devices else {
        return Ok(DeviceRow { device, user_name, access: None, wipe: None });
    };
    let DeviceStanding { access, wipe } = control.standing(device.id).await?;
    Ok(DeviceRow { device, user_name, access: Some(access), wipe })
}

fn user_name(tx: &Tx<'_>, device: &Device) -> Result<String, Error> {
    let user = directory::user(tx, device.user)?;
    Ok(user.map_or_else(|| format!("user {}", device.user), |user| user.name))
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

fn no_such_device() -> Problem {
    Problem::not_found("there is no such device")
}
