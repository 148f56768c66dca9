//! Wipes: ordered by a person, fetched by the device in Provision, promised or refused there ([MS-ASPROV] 2.2.2.45, 3.1.5.1).
//!
//! ```text
//!   Requested ──140──> Signalled ──directive──> Sent ──Status 1──> Acked ──came back empty──> Corroborated
//!                                                ^ └──Status 2──> Refused ─┐        │
//!                                                └──────directive──────────┘<───────┘ went on as before
//! ```
//! A device that stays away for [`AWAY_FOR`] after its promise bears it out as well, until it comes back as it was.
//!
//! A promise precedes the deed: Acked says that the device said so. Status 2 means that the wipe **failed**, and the directive goes
//! out again, until a promise comes or somebody calls it off. Every change of state has its audit entry, and recall hears of it, in
//! the same transaction.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tables;
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::DeviceId;
use crate::recall::retraction::{self, Evidence};

/// What is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WipeKind {
    /// The account and what came with it; 16.1 only.
    Account,
    /// The whole device.
    Device,
}

/// How far a wipe has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WipeState {
    /// Somebody ordered it.
    Requested,
    /// The device was told to provision.
    Signalled,
    /// The directive is in an answer.
    Sent,
    /// The device promised.
    Acked,
    /// The device said that it failed, or went on as before.
    Refused,
    /// After its promise the device came back with nothing, or stayed away.
    Corroborated,
}

impl WipeKind {
    /// The word in tables and on screens.
    pub fn name(self) -> &'static str {
        match self {
            WipeKind::Account => "account",
            WipeKind::Device => "device",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<WipeKind> {
        [WipeKind::Account, WipeKind::Device].into_iter().find(|kind| kind.name() == name)
    }
}

impl WipeState {
    const ALL: [WipeState; 6] = [
        WipeState::Requested,
        WipeState::Signalled,
        WipeState::Sent,
        WipeState::Acked,
        WipeState::Refused,
        WipeState::Corroborated,
    ];

    /// The word in tables and on screens.
    pub fn name(self) -> &'static str {
        match self {
            WipeState::Requested => "requested",
            WipeState::Signalled => "signalled",
            WipeState::Sent => "sent",
            WipeState::Acked => "acked",
            WipeState::Refused => "refused",
            WipeState::Corroborated => "corroborated",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<WipeState> {
        WipeState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the directive still has to reach the device, or to be answered.
    pub fn is_pending(self) -> bool {
        !matches!(self, WipeState::Acked | WipeState::Corroborated)
    }
}

/// A wipe of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wipe {
    /// Which device.
    pub device: DeviceId,
    /// What is erased.
    pub kind: WipeKind,
    /// How far it has come.
    pub state: WipeState,
    /// Whether the device is blocked once it has promised.
    pub block_after: bool,
    /// How often the directive went out.
    pub sent_count: u32,
    /// How often the device said that it failed, or went on as before.
    pub refused_count: u32,
    /// When it was ordered.
    pub requested_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

impl Wipe {
    /// Whether a directive left and nothing has come back yet. To a device that said that it failed another directive leaves with the
    /// answer; it has answered all the same, and may fail for ever.
    pub(super) fn is_unanswered(&self) -> bool {
        self.state == WipeState::Sent && self.refused_count == 0
    }
}

/// A wipe is ordered. The caller has checked who may.
pub(super) fn request(tx: &Tx<'_>, wipe: &Wipe, second_person: bool) -> Result<(), Error> {
    tables::put_wipe(tx, wipe)?;
    note(tx, wipe, None)?;
    tell(tx, wipe, Evidence::WipeAsked { second_person })
}

/// The device was sent to Provision.
pub(super) fn signalled(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    match tables::wipe(tx, device)? {
        Some(wipe) if wipe.state == WipeState::Requested => {
            advance(tx, wipe, WipeState::Signalled, Evidence::WipeSignal, now).map(drop)
        }
        _ => Ok(()),
    }
}

/// The directive that has to be in the answer to this Provision; the books say that it left.
pub(super) fn directive(
    tx: &Tx<'_>,
    device: DeviceId,
    now: Timestamp,
) -> Result<Option<WipeKind>, Error> {
    signalled(tx, device, now)?;
    let Some(mut wipe) = tables::wipe(tx, device)?.filter(|wipe| wipe.state.is_pending()) else {
        return Ok(None);
    };
    let kind = wipe.kind;
    wipe.sent_count = wipe.sent_count.saturating_add(1);
    advance(tx, wipe, WipeState::Sent, Evidence::WipeDirective, now)?;
    Ok(Some(kind))
}

/// What the device said of its wipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WipeAnswer {
    /// It promised.
    Promised,
    /// It failed: the directive goes out again with this answer.
    Failed,
    /// No such wipe was ordered, or it was answered before.
    NotAsked,
}

/// The device acknowledges a wipe of this kind: Status 1 is a promise, anything else a failure.
pub(super) fn answered(
    tx: &Tx<'_>,
    device: DeviceId,
    kind: WipeKind,
    is_promise: bool,
    now: Timestamp,
) -> Result<WipeAnswer, Error> {
    let Some(wipe) = tables::wipe(tx, device)?.filter(|wipe| wipe.kind == kind) else {
        return Ok(WipeAnswer::NotAsked);
    };
    match (wipe.state, is_promise) {
        // The answer to the promise was lost, and the device repeats it.
        (WipeState::Acked | WipeState::Corroborated, true) => Ok(WipeAnswer::Promised),
        (WipeState::Sent, true) => {
            let block = wipe.block_after;
            advance(tx, wipe, WipeState::Acked, Evidence::WipePromised, now)?;
            if block {
                tables::set_access(tx, device, Some(super::Access::Block))?;
                let event = Event::new("device.access").id("device", device).text("to", "block");
                audit::note(tx, now, &event.text("why", "wiped"))?;
            }
            // What the wipe was not asked for, because nobody agreed to it, does not reach the device any more either.
            retraction::about_device(tx, device, Evidence::AccessBlocked, None, now)?;
            Ok(WipeAnswer::Promised)
        }
        (WipeState::Sent | WipeState::Acked | WipeState::Corroborated, false) => {
            fail(tx, wipe, "status_2", now)?;
            Ok(WipeAnswer::Failed)
        }
        _ => Ok(WipeAnswer::NotAsked),
    }
}

/// A device whose promise is on the books asks for something: with its old policy key it went on as before, without one it came
/// back with nothing. Neither is more than circumstantial.
pub(super) fn returned(
    tx: &Tx<'_>,
    device: DeviceId,
    has_old_key: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(wipe) = tables::wipe(tx, device)?.filter(|wipe| !wipe.state.is_pending()) else {
        return Ok(());
    };
    if !has_old_key {
        if wipe.state == WipeState::Corroborated {
            return Ok(());
        }
        return advance(tx, wipe, WipeState::Corroborated, Evidence::WipeBorneOut, now).map(drop);
    }
    // Requests that were under way beside the promise prove nothing.
    if now.since(wipe.changed_at) < AFTERMATH {
        return Ok(());
    }
    fail(tx, wipe, "went_on", now)
}

/// Devices that promised and were not heard since, for [`AWAY_FOR`]: circumstantial, and taken back when one comes with its old policy
/// key. Answers how many of at most `limit`.
pub(super) fn stayed_away(tx: &Tx<'_>, now: Timestamp, limit: usize) -> Result<usize, Error> {
    let devices = tables::away_since(tx, now.before(AWAY_FOR), AFTERMATH, limit)?;
    for device in &devices {
        let Some(wipe) = tables::wipe(tx, *device)? else { continue };
        let event = Event::new("device.stayed_away").id("device", *device);
        audit::note(tx, now, &event.id("days", AWAY_FOR.as_secs() / (24 * 60 * 60)))?;
        advance(tx, wipe, WipeState::Corroborated, Evidence::WipeBorneOut, now)?;
    }
    Ok(devices.len())
}

fn fail(tx: &Tx<'_>, mut wipe: Wipe, why: &'static str, now: Timestamp) -> Result<(), Error> {
    wipe.refused_count = wipe.refused_count.saturating_add(1);
    let device = wipe.device;
    advance(tx, wipe, WipeState::Refused, Evidence::WipeFailed, now)?;
    let event = Event::new("device.wipe_failed").id("device", device).text("why", why);
    audit::note(tx, now, &event)?;
    tx.on_commit(move || tracing::warn!(%device, why, "a device did not wipe itself"));
    Ok(())
}

fn advance(
    tx: &Tx<'_>,
    mut wipe: Wipe,
    to: WipeState,
    evidence: Evidence,
    now: Timestamp,
) -> Result<Wipe, Error> {
    let from = wipe.state;
    wipe.state = to;
    wipe.changed_at = now;
    tables::put_wipe(tx, &wipe)?;
    if from != to {
        note(tx, &wipe, Some(from))?;
    }
    tell(tx, &wipe, evidence)?;
    Ok(wipe)
}

fn note(tx: &Tx<'_>, wipe: &Wipe, from: Option<WipeState>) -> Result<(), Error> {
    let event = Event::new("device.wipe")
        .id("device", wipe.device)
        .text("kind", wipe.kind.name())
        .text("from", from.map_or("none", WipeState::name))
        .text("to", wipe.state.name())
        .id("sent", wipe.sent_count);
    audit::note(tx, wipe.changed_at, &event).map(drop)
}

fn tell(tx: &Tx<'_>, wipe: &Wipe, evidence: Evidence) -> Result<(), Error> {
    retraction::about_device(tx, wipe.device, evidence, None, wipe.changed_at).map(drop)
}

/// A wiped phone is set up again, if ever, within two weeks; one that went on as before would have been heard.
pub const AWAY_FOR: Duration = Duration::from_hours(14 * 24);
/// For how long after a promise requests of the device prove nothing: they may have been under way.
const AFTERMATH: Duration = Duration::from_secs(300);
