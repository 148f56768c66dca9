//! What must a device obey, and may it talk at all?
//!
//! [`Policies`] is the whole room for others: the phone's edge asks it to admit, to provision and to take acknowledgements;
//! operators decide about policies, access and wipes through it. Every decision is audited in the transaction that makes it, and
//! after the commit the device's waiting request is rung for, so that a block or a wipe does not wait for a heartbeat.

mod access;
mod by_rule;
mod operate;
mod provision;
mod rules;
mod tables;
mod wipe;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use access::{Access, Asking, Standing, Verdict, decide, is_unprovisionable};
pub use by_rule::{DeviceRule, RuleBook};
pub use operate::shut_out_by_directory;
pub use operate::{DeviceView, NotDone, ShutOut, WipeOrder};
pub use provision::{Acknowledged, Compliance, Offer};
pub use rules::{Attachments, Policy, Rules};
pub use wipe::{AWAY_FOR, Wipe, WipeAnswer, WipeKind, WipeState};

use crate::clock::Clock;
use crate::database::{Database, Error, Tx};
use crate::directory;
use crate::ids::DeviceId;
use crate::ledger::{self, Device};

/// Called with a device whose access changed, after the commit; the server rings the device's bell.
pub type Ring = Arc<dyn Fn(DeviceId) + Send + Sync>;

/// The policy of users that have none of their own.
pub const DEFAULT_POLICY: &str = "default";

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Policies {
    database: Database,
    clock: Clock,
    ring: Ring,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Policies")
    }
}

/// What a device says of itself in DeviceInformation. What could name a person beyond need (IMEI, phone number) is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Model.
    pub model: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// The name its owner gave it.
    pub friendly_name: Option<String>,
}

impl Policies {
    /// The room over a database.
    pub fn new(database: Database, clock: Clock, ring: Ring) -> Policies {
        Policies { database, clock, ring }
    }

    /// Whether a request of a device is served. A refusal that sends it to Provision for a wipe is noted, and so is what a device
    /// does after it promised to wipe itself.
    pub async fn admit(
        &self,
        device: &Device,
        asking: Asking,
        key: Option<u32>,
        begins_anew: bool,
    ) -> Result<Verdict, Error> {
        let (device, now) = (device.clone(), self.clock.now());
        let (verdict, standing) = {
            let device = device.clone();
            let job = move |tx: &Tx<'_>| {
                let standing = standing(tx, &device)?;
                Ok::<_, Error>((decide(&standing, asking, key), standing))
            };
            self.database.read(job).await?
        };
        let has_old_key = key.is_some() && key == standing.key;
        let is_signal = verdict == Verdict::WipeRequested
            && asking == Asking::Other
            && standing.wipe == Some(WipeState::Requested);
        let says_something = asking == Asking::Other
            && match standing.wipe {
                Some(WipeState::Acked) => has_old_key || (begins_anew && key.unwrap_or(0) == 0),
                Some(WipeState::Corroborated) => has_old_key,
                _ => false,
            };
        if is_signal || says_something {
            let job = move |tx: &Tx<'_>| match is_signal {
                true => wipe::signalled(tx, device.id, now),
                false => wipe::returned(tx, device.id, has_old_key, now),
            };
            self.database.write(job).await?;
        }
        Ok(verdict)
    }

    /// Says of promised wipes whose devices were not heard since for [`AWAY_FOR`] that they were borne out, so many a job.
    pub async fn sweep(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let job = move |tx: &Tx<'_>| wipe::stayed_away(tx, now, WIPES_PER_JOB);
        while self.database.write(job).await? == WIPES_PER_JOB {}
        Ok(())
    }

    /// Sweeps every [`SWEEP_PERIOD`] until `stop` says so.
    pub async fn run(&self, mut stop: tokio::sync::watch::Receiver<bool>) {
        while !*stop.borrow_and_update() {
            if let Err(error) = self.sweep().await {
                tracing::error!(%error, "promised wipes could not be looked at; it is tried again");
            }
            tokio::select! {
                stopped = stop.changed() => if stopped.is_err() { return },
                () = tokio::time::sleep(SWEEP_PERIOD) => {}
            }
        }
    }

    /// First phase: what a device that asks for its policy is given. The directive of a pending wipe comes in place of it.
    pub async fn begin(&self, device: &Device) -> Result<Begun, Error> {
        let (device, now, fresh) = (device.clone(), self.clock.now(), fresh_key()?);
        let job = move |tx: &Tx<'_>| {
            if let Some(kind) = wipe::directive(tx, device.id, now)? {
                return Ok(Begun::Wipe(kind));
            }
            let policy = policy_of(tx, &device)?;
            provision::offer(tx, device.id, policy, fresh).map(Begun::Policy)
        };
        self.database.write(job).await
    }

    /// Second phase: the device acknowledges the policy that went out under `key`.
    pub async fn acknowledge(
        &self,
        device: &Device,
        key: u32,
        said: Compliance,
    ) -> Result<Acknowledged, Error> {
        let (device, now, fresh) = (device.clone(), self.clock.now(), fresh_key()?);
        let job = move |tx: &Tx<'_>| {
            let accepts = policy_of(tx, &device)?.accepts_partial;
            provision::acknowledge(tx, device.id, key, said, accepts, fresh, now)
        };
        self.database.write(job).await
    }

    /// The directive a device has to be given now, whatever it asked Provision for.
    pub async fn directive(&self, device: DeviceId) -> Result<Option<WipeKind>, Error> {
        let now = self.clock.now();
        self.database.write(move |tx| wipe::directive(tx, device, now)).await
    }

    /// The device answers a directive: Status 1 is a promise, anything else a failure.
    pub async fn wipe_answered(
        &self,
        device: DeviceId,
        kind: WipeKind,
        is_promise: bool,
    ) -> Result<WipeAnswer, Error> {
        let (now, ring) = (self.clock.now(), self.ring.clone());
        let job = move |tx: &Tx<'_>| {
            let answer = wipe::answered(tx, device, kind, is_promise, now)?;
            let ring = ring.clone();
            tx.on_commit(move || ring(device));
            Ok(answer)
        };
        self.database.write(job).await
    }

    /// Keeps what a device says of itself.
    pub async fn describe(&self, device: DeviceId, says: Description) -> Result<(), Error> {
        let job = move |tx: &Tx<'_>| {
            let Some(mut device) = ledger::device::load(tx, device)? else { return Ok(()) };
            let old = device.clone();
            for (said, kept) in [
                (&says.model, &mut device.model),
                (&says.os, &mut device.os),
                (&says.friendly_name, &mut device.friendly_name),
            ] {
                if let Some(said) = said {
                    *kept = said.chars().take(DESCRIPTION_CHARS_MAX).collect();
                }
            }
            if device == old { Ok(()) } else { ledger::device::store(tx, &device) }
        };
        self.database.write(job).await
    }

    /// The policy a device must obey.
    pub async fn policy_of(&self, device: &Device) -> Result<Policy, Error> {
        let device = device.clone();
        self.database.read(move |tx| policy_of(tx, &device)).await
    }
}

/// What a device that begins to provision is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Its policy.
    Policy(Offer),
    /// The directive to wipe.
    Wipe(WipeKind),
}

/// The policy a device must obey now.
fn policy_of(tx: &Tx<'_>, device: &Device) -> Result<Policy, Error> {
    let user = directory::user(tx, device.user)?;
    let own = user.as_ref().and_then(|user| user.policy_name.clone());
    if let Some(name) = own
        && let Some(policy) = tables::policy(tx, &name)?
    {
        return Ok(policy);
    }
    let book = tables::rule_book(tx)?;
    let user = user.map(|user| user.name).unwrap_or_default();
    let groups = groups(tx, &book, device)?;
    let ruled = book.rule_for(device, &user, &groups).and_then(|rule| rule.policy.as_deref());
    if let Some(name) = ruled
        && let Some(policy) = tables::policy(tx, name)?
    {
        return Ok(policy);
    }
    let policy = tables::policy(tx, DEFAULT_POLICY)?;
    policy.ok_or_else(|| Error::Corrupt("the default policy is gone".to_owned()))
}

/// The groups the directory has a device's user in, where a rule asks.
fn groups(tx: &Tx<'_>, book: &RuleBook, device: &Device) -> Result<BTreeSet<String>, Error> {
    if !book.asks_for_groups() {
        return Ok(BTreeSet::new());
    }
    directory::groups_of(tx, device.user)
}

/// Whether a device may talk where nobody decided about it: as the first rule says that matches, else as all new devices.
fn usual_access(tx: &Tx<'_>, device: &Device) -> Result<Access, Error> {
    let book = tables::rule_book(tx)?;
    if book.rules.iter().any(|rule| rule.access.is_some()) {
        let user = directory::user(tx, device.user)?.map(|user| user.name).unwrap_or_default();
        let groups = groups(tx, &book, device)?;
        let ruled = book.rule_for(device, &user, &groups).and_then(|rule| rule.access);
        if let Some(access) = ruled {
            return Ok(access);
        }
    }
    tables::default_access(tx)
}

/// Whether a device may not talk at all: blocked, quarantined, or promised to be wiped. A wipe that waits is fetched, so it is not
/// among them.
pub fn is_barred(tx: &Tx<'_>, device: DeviceId) -> Result<bool, Error> {
    let Some(device) = ledger::device::load(tx, device)? else { return Ok(false) };
    let verdict = decide(&standing(tx, &device)?, Asking::Ping, None);
    Ok(matches!(verdict, Verdict::Blocked | Verdict::Quarantined))
}

/// Whether a device is given nothing but, at most, the directive of a wipe: barred, shut out behind a wipe that waits, or still talking
/// after its wipe failed or was only promised.
pub fn gets_nothing(tx: &Tx<'_>, device: DeviceId) -> Result<bool, Error> {
    let Some(known) = ledger::device::load(tx, device)? else { return Ok(false) };
    let standing = standing(tx, &known)?;
    let is_out = standing.access != Access::Allow || standing.wipe == Some(WipeState::Refused);
    Ok(is_out || is_barred(tx, device)?)
}

/// What is on the books about a device.
fn standing(tx: &Tx<'_>, device: &Device) -> Result<Standing, Error> {
    let row = tables::device_policy(tx, device.id)?;
    let policy = policy_of(tx, device)?;
    let access = match row.access {
        Some(access) => access,
        None => usual_access(tx, device)?,
    };
    let acknowledged = row.acknowledged.as_ref();
    Ok(Standing {
        access,
        wipe: tables::wipe(tx, device.id)?.map(|wipe| wipe.state),
        key: acknowledged.map(|done| done.key),
        is_current: acknowledged
            .is_some_and(|done| done.name == policy.name && done.revision == policy.revision),
        is_exempt: policy.exempts_unprovisionable && is_unprovisionable(&device.device_type),
    })
}

/// A policy key nobody can guess: never 0, which means none.
fn fresh_key() -> Result<u32, Error> {
    let mut octets = [0; 4];
    loop {
        getrandom::fill(&mut octets).map_err(|e| Error::Io(format!("no randomness: {e}")))?;
        match u32::from_le_bytes(octets) {
            0 => {}
            key => return Ok(key),
        }
    }
}

/// How often promised wipes are looked at.
pub const SWEEP_PERIOD: Duration = Duration::from_hours(1);
/// Wipes of one job of the sweep.
const WIPES_PER_JOB: usize = 100;
/// Characters of each thing a device says of itself.
const DESCRIPTION_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests;
