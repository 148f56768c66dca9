//! What operators do: policies, access, wipes and resyncs, each with an honest refusal where it cannot be done.

use serde::Serialize;

use super::by_rule::RuleBook;
use super::rules::Policy;
use super::wipe::{self, Wipe, WipeKind, WipeState};
use super::{Access, DEFAULT_POLICY, Policies, tables};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::directory::{self, PasswordHash};
use crate::ids::{DeviceId, UserId};
use crate::ledger::{self, Device};
use crate::recall::ReasonCode;
use crate::recall::retraction::{self, Evidence};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// There is no such device.
    #[error("there is no such device")]
    NoSuchDevice,
    /// There is no such user.
    #[error("there is no such user")]
    NoSuchUser,
    /// There is no such policy.
    #[error("there is no such policy")]
    NoSuchPolicy,
    /// The default policy stays.
    #[error("the default policy cannot be removed")]
    DefaultStays,
    /// A policy's name is one word of letters, digits, dots and dashes.
    #[error("a policy's name is up to 64 letters, digits, dots, dashes and underscores")]
    BadName,
    /// A rule has a value that phones do not know.
    #[error("{0} has a value that phones do not know")]
    BadRule(&'static str),
    /// Rules that make no sense.
    #[error("{0}")]
    BadRules(String),
    /// Only devices that speak 16.1 can erase the account alone.
    #[error("this device speaks {version}: only 16.1 can erase the account alone")]
    WipeUnsupported {
        /// What it speaks.
        version: String,
    },
    /// The whole device is only erased when its id was typed.
    #[error("to erase the whole device, type its id")]
    IdNotTyped,
    /// A wipe is under way.
    #[error("a wipe is under way: {0}")]
    WipeUnderWay(&'static str),
    /// No wipe was ordered.
    #[error("no wipe was ordered")]
    NoWipe,
    /// A directive that left cannot be taken back before the device has answered one.
    #[error("the directive has left and cannot be taken back before the device has answered it")]
    DirectiveLeft,
    /// A blocked device never fetches the directive or the deletes it is owed.
    #[error("a wipe waits for this device: a blocked one would never fetch it")]
    BlockBeforeWipe,
    /// Nor does a device whose user cannot sign in with what it knows.
    #[error(
        "a wipe waits for {devices} of this user's devices, and none that cannot sign in would ever fetch it: wait until the wipe is \
         promised, call it off, or say --now (in the API: \"now\": true) to do it all the same"
    )]
    ShutOutBeforeWipe {
        /// How many.
        devices: usize,
    },
    /// The database.
    #[error(transparent)]
    Ours(#[from] Error),
}

impl NotDone {
    /// The word for it in interfaces.
    pub fn code(&self) -> &'static str {
        match self {
            NotDone::NoSuchDevice => "no_such_device",
            NotDone::NoSuchUser => "no_such_user",
            NotDone::NoSuchPolicy => "no_such_policy",
            NotDone::DefaultStays => "default_stays",
            NotDone::BadName => "bad_name",
            NotDone::BadRule(_) => "bad_rule",
            NotDone::BadRules(_) => "bad_rules",
            NotDone::WipeUnsupported { .. } => ReasonCode::WipeUnsupported.text(),
            NotDone::IdNotTyped => "id_not_typed",
            NotDone::WipeUnderWay(_) => "wipe_under_way",
            NotDone::NoWipe => "no_wipe",
            NotDone::DirectiveLeft => "directive_left",
            NotDone::BlockBeforeWipe | NotDone::ShutOutBeforeWipe { .. } => {
                ReasonCode::BlockedBeforeWipe.text()
            }
            NotDone::Ours(_) => "internal",
        }
    }
}

/// A wipe somebody wants.
#[derive(Clone, Debug)]
pub struct WipeOrder {
    /// Which device.
    pub device: DeviceId,
    /// What is to be erased.
    pub kind: WipeKind,
    /// The id of the device as the operator typed it; needed for [`WipeKind::Device`].
    pub typed_id: Option<String>,
    /// Who orders it.
    pub by: String,
    /// A second person who agreed; without one, recall does not count on the wipe.
    pub second: Option<String>,
    /// Whether the device is blocked once it has promised.
    pub block_after: bool,
}

/// How a user's devices lose their way in.
#[derive(Clone, Debug)]
pub enum ShutOut {
    /// The user is disabled.
    Disabled,
    /// The password is another one now.
    Password(PasswordHash),
}

/// A device as policy sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceView {
    /// The device.
    pub device: Device,
    /// What was decided about it; none where the default counts.
    pub access: Option<Access>,
    /// Its policy.
    pub policy: String,
    /// Whether it acknowledged that policy as it is now.
    pub is_provisioned: bool,
    /// What it said it did with it: 1 whole, 2 in part, 3 not, 4 managed elsewhere.
    pub compliance: Option<u8>,
    /// When it said so.
    pub acknowledged_at: Option<Timestamp>,
    /// Its wipe, if one was ordered and is not cleared.
    pub wipe: Option<Wipe>,
}

/// Notes, inside the transaction that shuts a user out because the directory has them no longer, what becomes of wipes that wait for their
/// devices: nobody will fetch them any more.
pub fn shut_out_by_directory(tx: &Tx<'_>, user: UserId, now: Timestamp) -> Result<(), Error> {
    for device in tables::wipes_waiting(tx, user)? {
        let copies = retraction::shut_out_before_wipe(tx, device, now)?;
        let event = Event::new("device.shut_out_before_wipe").id("device", device);
        let event = event.text("by_way_of", "user.disabled").id("copies", copies);
        audit::note(tx, now, &event.text("by", "directory"))?;
    }
    Ok(())
}

impl Policies {
    /// Every policy.
    pub async fn list(&self) -> Result<Vec<Policy>, NotDone> {
        Ok(self.database.read(tables::policies).await?)
    }

    /// Makes or changes a policy; its devices fetch it at their next request. Gives the revision.
    pub async fn put(&self, policy: Policy, by: &str) -> Result<u64, NotDone> {
        let name_is_good = (1..=NAME_OCTETS_MAX).contains(&policy.name.len())
            && policy.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !name_is_good {
            return Err(NotDone::BadName);
        }
        if let Some(rule) = policy.rules.wrong() {
            return Err(NotDone::BadRule(rule));
        }
        self.change(by, move |tx, now, by| {
            let revision = tables::put_policy(tx, &policy, now)?;
            let event = Event::new("policy.changed").text("policy", policy.name.clone());
            audit::note(tx, now, &event.id("revision", revision).personal("by", by))?;
            Ok((revision, tables::devices_under(tx, &policy.name)?))
        })
        .await
    }

    /// Removes a policy; its users fall back to the default one.
    pub async fn remove(&self, name: &str, by: &str) -> Result<(), NotDone> {
        if name == DEFAULT_POLICY {
            return Err(NotDone::DefaultStays);
        }
        let name = name.to_owned();
        self.change(by, move |tx, now, by| {
            let devices = tables::devices_under(tx, &name)?;
            if !tables::delete_policy(tx, &name)? {
                return Err(NotDone::NoSuchPolicy);
            }
            let event = Event::new("policy.removed").text("policy", name.clone());
            audit::note(tx, now, &event.personal("by", by))?;
            Ok(((), devices))
        })
        .await
    }

    /// Gives a user a policy, or the default one.
    pub async fn set_user_policy(
        &self,
        user: UserId,
        name: Option<&str>,
        by: &str,
    ) -> Result<(), NotDone> {
        let name = name.map(str::to_owned);
        self.change(by, move |tx, now, by| {
            if let Some(name) = &name
                && tables::policy(tx, name)?.is_none()
            {
                return Err(NotDone::NoSuchPolicy);
            }
            if !tables::set_user_policy(tx, user, name.as_deref())? {
                return Err(NotDone::NoSuchUser);
            }
            let to = name.clone().unwrap_or_else(|| DEFAULT_POLICY.to_owned());
            let event = Event::new("user.policy").id("user", user).text("policy", to);
            audit::note(tx, now, &event.personal("by", by))?;
            Ok(((), tables::devices_of(tx, user)?))
        })
        .await
    }

    /// What counts for devices nobody decided about.
    pub async fn set_default_access(&self, access: Access, by: &str) -> Result<(), NotDone> {
        self.change(by, move |tx, now, by| {
            tables::set_default_access(tx, access)?;
            let event = Event::new("policy.default_access").text("to", access.name());
            audit::note(tx, now, &event.personal("by", by))?;
            Ok(((), Vec::new()))
        })
        .await
    }

    /// The rules that give devices their policies.
    pub async fn rule_book(&self) -> Result<RuleBook, NotDone> {
        Ok(self.database.read(tables::rule_book).await?)
    }

    /// Puts other rules in their place; devices that must obey another policy from now on fetch it at their next request.
    pub async fn put_rule_book(&self, book: RuleBook, by: &str) -> Result<(), NotDone> {
        if let Some(what) = book.wrong() {
            return Err(NotDone::BadRules(what));
        }
        self.change(by, move |tx, now, by| {
            for name in book.rules.iter().filter_map(|rule| rule.policy.as_ref()) {
                if tables::policy(tx, name)?.is_none() {
                    return Err(NotDone::NoSuchPolicy);
                }
            }
            for name in book.groups_elsewhere() {
                if directory::group(tx, name)?.is_none() {
                    return Err(NotDone::BadRules(format!("there is no group {name}")));
                }
            }
            tables::put_rule_book(tx, &book)?;
            let event = Event::new("policy.rules")
                .id("rules", i64::try_from(book.rules.len()).unwrap_or(i64::MAX));
            audit::note(tx, now, &event.personal("by", by))?;
            Ok(((), tables::devices(tx)?))
        })
        .await
    }

    /// Decides about a device; `None` goes back to the default. While a wipe waits for it, it cannot be blocked: it would never
    /// fetch the directive.
    pub async fn set_access(
        &self,
        device: DeviceId,
        access: Option<Access>,
        by: &str,
    ) -> Result<(), NotDone> {
        self.change(by, move |tx, now, by| {
            let known = ledger::device::load(tx, device)?.ok_or(NotDone::NoSuchDevice)?;
            let access_now = match access {
                Some(access) => access,
                None => super::usual_access(tx, &known)?,
            };
            let waits = tables::wipe(tx, device)?.is_some_and(|wipe| wipe.state.is_pending());
            if waits && access_now != Access::Allow {
                return Err(NotDone::BlockBeforeWipe);
            }
            tables::set_access(tx, device, access)?;
            let to = access.map_or(DEFAULT_POLICY, Access::name);
            let event = Event::new("device.access").id("device", device).text("to", to);
            audit::note(tx, now, &event.personal("by", by))?;
            tell_access(tx, device, now)?;
            Ok(((), vec![device]))
        })
        .await
    }

    /// Shuts a user out, or gives another password. While a wipe waits for one of the user's devices that is refused, since the device
    /// could not sign in to fetch the directive; done `at_once` all the same, the audit and every copy that waits for the wipe say so.
    pub async fn shut_out(
        &self,
        user: UserId,
        how: ShutOut,
        at_once: bool,
        by: &str,
    ) -> Result<(), NotDone> {
        self.change(by, move |tx, now, by| {
            let waiting = tables::wipes_waiting(tx, user)?;
            if !waiting.is_empty() && !at_once {
                return Err(NotDone::ShutOutBeforeWipe { devices: waiting.len() });
            }
            let (found, kind) = match &how {
                ShutOut::Disabled => (directory::disable(tx, user)?, "user.disabled"),
                ShutOut::Password(hash) => {
                    (directory::put_password(tx, user, hash)?, "user.password_set")
                }
            };
            if !found {
                return Err(NotDone::NoSuchUser);
            }
            audit::note(tx, now, &Event::new(kind).id("user", user).personal("by", by))?;
            for device in waiting {
                let copies = retraction::shut_out_before_wipe(tx, device, now)?;
                let event = Event::new("device.shut_out_before_wipe").id("device", device);
                let event = event.text("by_way_of", kind).id("copies", copies);
                audit::note(tx, now, &event.personal("by", by))?;
            }
            Ok(((), Vec::new()))
        })
        .await
    }

    /// Orders a wipe.
    pub async fn wipe(&self, order: WipeOrder) -> Result<Wipe, NotDone> {
        let by = order.by.clone();
        self.change(&by, move |tx, now, by| {
            let device = ledger::device::load(tx, order.device)?.ok_or(NotDone::NoSuchDevice)?;
            check(&order, &device)?;
            if let Some(old) = tables::wipe(tx, device.id)?.filter(|old| old.state.is_pending()) {
                return Err(NotDone::WipeUnderWay(old.state.name()));
            }
            let wipe = Wipe {
                device: device.id,
                kind: order.kind,
                state: WipeState::Requested,
                block_after: order.block_after,
                sent_count: 0,
                refused_count: 0,
                requested_at: now,
                changed_at: now,
            };
            let second = order.second.as_deref().filter(|second| *second != order.by);
            let mut event = Event::new("device.wipe_ordered")
                .id("device", device.id)
                .text("kind", order.kind.name())
                .personal("by", by);
            if let Some(second) = second {
                event = event.personal("second", second);
            }
            audit::note(tx, now, &event)?;
            wipe::request(tx, &wipe, second.is_some())?;
            Ok((wipe, vec![device.id]))
        })
        .await
    }

    /// Calls a wipe off whose directive has not left, or closes one that was answered: a device that promised may be used again, as a
    /// new one, and one that failed goes on.
    pub async fn clear_wipe(&self, device: DeviceId, by: &str) -> Result<(), NotDone> {
        self.change(by, move |tx, now, by| {
            let mut known = ledger::device::load(tx, device)?.ok_or(NotDone::NoSuchDevice)?;
            let wipe = tables::wipe(tx, device)?.ok_or(NotDone::NoWipe)?;
            if wipe.is_unanswered() {
                return Err(NotDone::DirectiveLeft);
            }
            if !wipe.state.is_pending() {
                known.generation += 1;
                ledger::device::store(tx, &known)?;
                let mut row = tables::device_policy(tx, device)?;
                (row.offered, row.acknowledged, row.acknowledged_offer) = (None, None, None);
                if wipe.block_after {
                    row.access = None;
                }
                tables::put_device_policy(tx, device, &row)?;
            }
            tables::delete_wipe(tx, device)?;
            let event = Event::new("device.wipe_cleared").id("device", device);
            audit::note(tx, now, &event.text("was", wipe.state.name()).personal("by", by))?;
            if wipe.state.is_pending() {
                retraction::about_device(tx, device, Evidence::WipeCalledOff, None, now)?;
            }
            tell_access(tx, device, now)?;
            if !wipe.state.is_pending() {
                retraction::began_again(tx, device, now)?;
            }
            Ok(((), vec![device]))
        })
        .await
    }

    /// Makes a device begin all its folders anew: its keys stop counting. It downloads everything again and may notify again.
    pub async fn resync(&self, device: DeviceId, by: &str) -> Result<(), NotDone> {
        self.change(by, move |tx, now, by| {
            let mut known = ledger::device::load(tx, device)?.ok_or(NotDone::NoSuchDevice)?;
            known.generation += 1;
            ledger::device::store(tx, &known)?;
            for folder in ledger::folders_of(tx, device)? {
                retraction::resync_ordered(tx, device, folder, now)?;
            }
            let event = Event::new("device.resync").id("device", device);
            audit::note(tx, now, &event.personal("by", by))?;
            Ok(((), vec![device]))
        })
        .await
    }

    /// A device as policy sees it.
    pub async fn device(&self, id: DeviceId) -> Result<DeviceView, NotDone> {
        let job = move |tx: &Tx<'_>| {
            let device = ledger::device::load(tx, id)?.ok_or(NotDone::NoSuchDevice)?;
            let row = tables::device_policy(tx, id)?;
            Ok(DeviceView {
                access: row.access,
                policy: super::policy_of(tx, &device)?.name,
                is_provisioned: super::standing(tx, &device)?.is_current,
                compliance: row.compliance,
                acknowledged_at: row.acknowledged_at,
                wipe: tables::wipe(tx, id)?,
                device,
            })
        };
        self.database.read(job).await
    }

    /// A change by somebody: in one transaction, and the devices it concerns are rung for after the commit.
    async fn change<T: Send + 'static>(
        &self,
        by: &str,
        job: impl Fn(&Tx<'_>, Timestamp, &str) -> Result<(T, Vec<DeviceId>), NotDone> + Send + 'static,
    ) -> Result<T, NotDone> {
        let (now, by, ring) = (self.clock.now(), by.to_owned(), self.ring.clone());
        let job = move |tx: &Tx<'_>| {
            let (done, devices) = job(tx, now, &by)?;
            let ring = ring.clone();
            tx.on_commit(move || devices.into_iter().for_each(|device| ring(device)));
            Ok(done)
        };
        self.database.write(job).await
    }
}

/// Recall hears whether the device may talk: what it is owed is blocked with it, and owed again once it may.
fn tell_access(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    match super::is_barred(tx, device)? {
        true => retraction::about_device(tx, device, Evidence::AccessBlocked, None, now).map(drop),
        false => retraction::let_in(tx, device, now),
    }
}

fn check(order: &WipeOrder, device: &Device) -> Result<(), NotDone> {
    match order.kind {
        WipeKind::Account if device.version != "16.1" => {
            Err(NotDone::WipeUnsupported { version: device.version.clone() })
        }
        WipeKind::Account => Ok(()),
        WipeKind::Device => {
            let typed = order.typed_id.as_deref().unwrap_or_default().trim();
            let is_it = typed.eq_ignore_ascii_case(&device.wire_id);
            if is_it { Ok(()) } else { Err(NotDone::IdNotTyped) }
        }
    }
}

/// Octets of a policy's name.
const NAME_OCTETS_MAX: usize = 64;
