//! The dry run: what an order would cover and what has left already, before the click. It changes nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::order::{self, Actor, Ask, OrderRequest};
use super::reason::ReasonCode;
use super::selector::Body;
use super::tables::{self, Verdict};
use super::{CANNOT_KNOW, Limits, Recall, RecallError, address_of, coverage, run};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, IdentityId, MailboxId};
use crate::ledger::{self, Device, Exposure};

/// What an order would do, before it is given.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRun {
    /// The Message-ID, without angle brackets.
    pub message_id: String,
    /// The bodies that go by it; more than one means that somebody rewrote or forged it.
    pub bodies: Vec<Body>,
    /// Copies in the store that would be withdrawn.
    pub copies: u64,
    /// Mailboxes they would be withdrawn from.
    pub mailboxes: u64,
    /// Set when the order would want this count typed and a second person.
    pub confirm_count: Option<u64>,
    /// Nothing is known under this Message-ID: the order would stand for it.
    pub is_unseen: bool,
    /// Devices of those mailboxes.
    pub devices: u64,
    /// Devices that were sent something of it.
    pub devices_exposed: u64,
    /// Devices on which it was marked read.
    pub devices_read: u64,
    /// Devices from which it was replied to or forwarded.
    pub devices_acted: u64,
    /// Recipients not served here.
    pub outside: Vec<String>,
    /// Mailbox by mailbox, at most [`DRY_RUN_ROWS_MAX`].
    pub recipients: Vec<DryRecipient>,
    /// There are more recipients than listed.
    pub is_truncated: bool,
    /// What the gateway cannot know.
    pub cannot_know: &'static str,
}

/// One mailbox of a dry run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRecipient {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Its address.
    pub recipient: String,
    /// The message.
    pub identity: IdentityId,
    /// What the order would do.
    pub verdict: Verdict,
    /// Its devices.
    pub devices: Vec<DryDevice>,
}

/// One device of a dry run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryDevice {
    /// The device.
    pub device: DeviceId,
    /// What it calls itself.
    pub device_name: String,
    /// Its last authenticated request.
    pub last_seen: Timestamp,
    /// What left for it.
    pub exposure: String,
}

impl Recall {
    /// Shows what an order would cover, and what has left already. Not for senders.
    pub async fn dry_run(&self, request: OrderRequest, by: Actor) -> Result<DryRun, RecallError> {
        if matches!(by, Actor::Sender { .. }) {
            return Err(order::refuse(ReasonCode::NotEnabled, "senders get no dry run"));
        }
        let limits = self.limits;
        let ask = Ask { request, by, idempotency_key: None, asked_at: self.clock.now() };
        let mut run = self.db.read(move |tx| dry_run(tx, &limits, &ask)).await?;
        let covered = run.bodies.iter().filter(|body| body.is_covered);
        let identities: Vec<IdentityId> = covered.map(|body| body.identity).collect();
        run.outside = self.outside_of(identities).await?;
        Ok(run)
    }
}

fn dry_run(tx: &Tx<'_>, limits: &Limits, ask: &Ask) -> Result<DryRun, RecallError> {
    let message_id = order::check(ask, limits)?;
    let selection = order::survey(tx, ask, &message_id)?;
    let all = tables::mailboxes(tx)?;
    let now = ask.asked_at;
    let mut dry = DryRun {
        message_id,
        is_unseen: selection.bodies.is_empty(),
        confirm_count: order::brake(limits, selection.copies, selection.mailboxes, all),
        bodies: selection.bodies,
        copies: selection.copies,
        mailboxes: selection.mailboxes,
        devices: 0,
        devices_exposed: 0,
        devices_read: 0,
        devices_acted: 0,
        outside: Vec::new(),
        recipients: Vec::new(),
        is_truncated: selection.pairs.len() > DRY_RUN_ROWS_MAX,
        cannot_know: CANNOT_KNOW,
    };
    for (identity, mailbox, verdict) in selection.pairs {
        let seen = seen_by(tx, identity, mailbox)?;
        if verdict == Verdict::Withdraw {
            let having = |flag| seen.iter().filter(|(_, seen)| seen.contains(flag)).count() as u64;
            dry.devices += seen.len() as u64;
            dry.devices_exposed +=
                seen.iter().filter(|(_, seen)| *seen != Exposure::NEVER).count() as u64;
            dry.devices_read += having(Exposure::READ_CLAIMED);
            dry.devices_acted += having(Exposure::ACTED);
        }
        if dry.recipients.len() < DRY_RUN_ROWS_MAX {
            let recipient = address_of(tx, mailbox)?.unwrap_or_default();
            let mut devices = Vec::new();
            for (device, mut exposure) in seen {
                if exposure == Exposure::NEVER && !device.gap {
                    exposure |= run::woken(tx, identity, &device, now)?;
                }
                devices.push(dry_device((device, exposure)));
            }
            dry.recipients.push(DryRecipient { mailbox, recipient, identity, verdict, devices });
        }
    }
    Ok(dry)
}

/// The devices of a mailbox, and what left for each of one message.
fn seen_by(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<(Device, Exposure)>, Error> {
    let mut seen: BTreeMap<DeviceId, Exposure> = BTreeMap::new();
    for held in ledger::who_holds(tx, identity, mailbox)? {
        *seen.entry(held.device).or_default() |= held.exposure;
    }
    let devices = ledger::device::of_mailbox(tx, mailbox)?;
    let exposure = |device: &Device| seen.get(&device.id).copied().unwrap_or_default();
    Ok(devices.into_iter().map(|device| (device.clone(), exposure(&device))).collect())
}

fn dry_device((device, exposure): (Device, Exposure)) -> DryDevice {
    DryDevice {
        device: device.id,
        device_name: coverage::device_name(&device),
        last_seen: device.last_seen,
        exposure: coverage::chips(exposure, device.gap),
    }
}

/// Recipients a dry run lists; the totals count all.
pub const DRY_RUN_ROWS_MAX: usize = 1_000;
