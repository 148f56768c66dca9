//! The tally of an order over its pairs: what is proven, what is pending, what cannot be known.
//!
//! A pair is a message on a device and shows its worst copy. Everything is in the denominator: recipients outside, and mailboxes whose
//! devices have not been looked up yet. A percentage never stands alone: reads and answers are counted beside it.

mod rows;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::reason::ReasonCode;
use super::retraction::tables::CopyRow;
use super::state::State;
use super::tables::{OrderRow, Outside, PairRow, Verdict, Work};
use crate::clock::Timestamp;
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, OrderId};
use crate::ledger::{Detail, Device, Exposure};

/// An order as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// Its number.
    pub id: OrderId,
    /// `open` or `cancelled`.
    pub state: &'static str,
    /// Who ordered.
    pub asked_by: String,
    /// How they had signed in.
    pub signed_in: String,
    /// Who agreed, where that was wanted.
    pub second: Option<String>,
    /// Why.
    pub reason: String,
    /// The Message-ID, without angle brackets.
    pub message_id: String,
    /// Only what this address wrote.
    pub from: Option<String>,
    /// Whether the sender's own mailbox is covered.
    pub include_sender: bool,
    /// Copies in the store at the fence.
    pub copies: u64,
    /// T0: when it first came into a mailbox; the sender's own counts only where the order covers it.
    pub delivered_at: Option<Timestamp>,
    /// T1: when it was ordered.
    pub recalled_at: Timestamp,
    /// T2: the fence; no answer committed later contains the message.
    pub fenced_at: Timestamp,
    /// Until when copies that arrive later are withheld too.
    pub stands_until: Timestamp,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// By whom.
    pub cancelled_by: Option<String>,
}

/// How we know what a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Our own committed act.
    WeDid,
    /// The client spoke the protocol.
    ClientClaimed,
    /// It fits, and proves nothing.
    Circumstantial,
    /// None.
    None,
}

/// One pair: a message on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairView {
    /// The mailbox it was synced from.
    pub mailbox: MailboxId,
    /// The address of that mailbox.
    pub recipient: String,
    /// The message.
    pub identity: IdentityId,
    /// The device.
    pub device: DeviceId,
    /// What it calls itself.
    pub device_name: String,
    /// Its user agent.
    pub client: String,
    /// What is known about the client family's Delete.
    pub client_profile: &'static str,
    /// Its last authenticated request.
    pub last_seen: Option<Timestamp>,
    /// Exposure chips: N nothing, H header, B% part of the body, B body, A attachment, S search, F fetched, R read, M moved, X replied to
    /// or forwarded, O aged out; `gap` where the ledger cannot vouch for the device's whole past.
    pub exposure: String,
    /// It was marked read from the device: a claim.
    pub read_claimed: bool,
    /// It was replied to or forwarded from the device.
    pub acted: bool,
    /// The worst copy's state.
    pub state: State,
    /// How we know.
    pub evidence: Grade,
    /// Copies on the device.
    pub copies: u32,
    /// The worst copy's folder, when it has one.
    pub folder: Option<FolderId>,
    /// The worst copy's number there.
    pub item: Option<ItemNumber>,
    /// When the `Delete` was last in an answer.
    pub delete_sent_at: Option<Timestamp>,
    /// The sequence of that answer's key.
    pub delete_key: Option<u64>,
    /// When the app acknowledged; `None` where it had let go before the order.
    pub acknowledged_at: Option<Timestamp>,
    /// The sequence of the key it presented.
    pub acknowledged_key: Option<u64>,
    /// When a waiting request was answered for it.
    pub woken_at: Option<Timestamp>,
    /// How often the answer had to go out again.
    pub replays: u32,
    /// What else is to be known: the first of `reasons`.
    pub reason: Option<ReasonCode>,
    /// All that is to be known beside the state, the worst copy's first.
    pub reasons: Vec<ReasonCode>,
    /// What left, was read and was acted on, event by event, as far as it was asked for by name.
    pub details: Vec<Detail>,
    /// When the state last changed.
    pub updated_at: Timestamp,
}

/// One recipient, in the words a sender reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecipientView {
    /// The address.
    pub recipient: String,
    /// The verdict fixed at the fence; `None` for a recipient outside.
    pub verdict: Option<Verdict>,
    /// How it stands.
    pub result: RecipientResult,
    /// How many devices the mailbox has in this order.
    pub devices: u32,
    /// When it first came into this mailbox.
    pub delivered_at: Option<Timestamp>,
    /// What else is to be known.
    pub reasons: Vec<ReasonCode>,
}

/// One message the order covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageView {
    /// The message.
    pub identity: IdentityId,
    /// Its verified hash in hex, by which an order can name it.
    pub hash: String,
    /// Who it says wrote it.
    pub from: Option<String>,
    /// Its octets, where the store or the vault ever had it.
    pub size: Option<u64>,
}

/// Something the mail store could not do yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreWait {
    /// In which mailbox.
    pub mailbox: MailboxId,
    /// The address of that mailbox.
    pub recipient: String,
    /// With which message.
    pub identity: IdentityId,
    /// `look_up` its devices, `remove` it, or `restore` it.
    pub work: &'static str,
    /// How often it failed.
    pub tries: u32,
    /// When it is tried again.
    pub next_try_at: Timestamp,
    /// Set where the message still lies in the mailbox.
    pub reason: Option<ReasonCode>,
}

/// A mailbox on another server that could not be looked into yet: nobody knows whether the message lies there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unlooked {
    /// Which one.
    pub mailbox: MailboxId,
    /// Its address.
    pub recipient: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried again, at the latest.
    pub next_look_at: Timestamp,
    /// Why.
    pub reason: ReasonCode,
}

/// A road to a covered mailbox that does not pass this gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Its address.
    pub recipient: String,
    /// `imap`: other programs read the mailbox on its own server.
    pub channel: &'static str,
    /// The message was marked read there, and no phone of ours said so: somebody has read it on this road. It is counted as a pair
    /// that is outside and never covered.
    pub read_elsewhere: bool,
}

/// How a recall stands for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientResult {
    /// No phone of theirs ever received it.
    NotReached,
    /// Every phone that had it acknowledged its removal.
    RemovalAcknowledged,
    /// A phone has not answered yet.
    Waiting,
    /// Outside our reach.
    CannotBeRecalled,
    /// The order leaves this mailbox alone.
    LeftAlone,
    /// The order was cancelled.
    Cancelled,
}

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// The order.
    pub order: OrderView,
    /// All pairs, with recipients outside and mailboxes not looked up yet.
    pub pairs: u64,
    /// Prevented, acknowledged, resynced.
    pub covered: u64,
    /// `covered` of `pairs`, in per cent, rounded down to a tenth; none where there is no pair.
    pub percent: Option<f64>,
    /// Whether any message with the Message-ID has been met. Where none was, nothing has been taken back.
    pub is_met: bool,
    /// What bears the Message-ID and is covered.
    pub messages: Vec<MessageView>,
    /// Pairs whose device had let go of it before the order; the times leave them out.
    pub removed_earlier: u64,
    /// Wipes promised, which the percentage leaves out.
    pub wipe_acked: u64,
    /// Pairs on which the message was marked read.
    pub read_claimed: u64,
    /// Pairs from which it was replied to or forwarded.
    pub acted: u64,
    /// Mailboxes whose devices have not been looked up yet.
    pub pending: u64,
    /// Mailboxes the message is still to be taken out of.
    pub to_remove: u64,
    /// Mailboxes it is still to be put back into.
    pub to_restore: u64,
    /// What the mail store could not do yet.
    pub store_waits: Vec<StoreWait>,
    /// Mailboxes on another server that are still to be looked into for the first time.
    pub to_look: u64,
    /// Those of them that could not be looked into.
    pub unlooked: Vec<Unlooked>,
    /// Roads to covered mailboxes that do not pass this gateway.
    pub channels: Vec<Channel>,
    /// How many pairs are in each state.
    pub states: BTreeMap<&'static str, u64>,
    /// Nothing is under way, in mailboxes or towards devices: every pair is covered, or waits for something that we do not do by
    /// ourselves.
    pub is_settled: bool,
    /// Milliseconds from T1 until half of the pairs were covered.
    pub to_50_percent_ms: Option<u64>,
    /// The same for nine tenths.
    pub to_90_percent_ms: Option<u64>,
    /// The same for all.
    pub to_100_percent_ms: Option<u64>,
    /// One line for the sender.
    pub sender_line: String,
    /// Per recipient.
    pub recipients: Vec<RecipientView>,
    /// Per recipient and device.
    pub devices: Vec<PairView>,
    /// Copies in the vault, and how many of them have been restored.
    pub sealed: u64,
    /// Restored copies.
    pub restored: u64,
    /// What the gateway cannot know, printed in every report.
    pub cannot_know: &'static str,
}

/// What the gateway cannot know: the same words in every report.
pub const CANNOT_KNOW: &str = "What this gateway cannot know: whether a person looked; screenshots, copy and paste, print; files saved or \
opened in another app; backups and clones; search indexes, widgets, watch or car mirrors, notification history; that flash cells are \
erased; a modified client that advances keys without deleting; other accounts and channels; anything before the ledger began; external \
recipients.";

/// What the tally is made of.
pub(super) struct Books<'a> {
    pub(super) order: &'a OrderRow,
    pub(super) pairs: &'a [PairRow],
    pub(super) copies: &'a [CopyRow],
    pub(super) outside: &'a [Outside],
    /// The folders each device last waited on, where it ever did.
    pub(super) watched: &'a HashMap<DeviceId, Vec<FolderId>>,
    pub(super) addresses: &'a HashMap<MailboxId, String>,
    pub(super) devices: &'a HashMap<DeviceId, Device>,
    pub(super) vault: (u64, u64),
    pub(super) messages: Vec<MessageView>,
    /// When each mailbox got any of it first.
    pub(super) delivered: HashMap<MailboxId, Timestamp>,
    pub(super) details: HashMap<(IdentityId, DeviceId), Vec<Detail>>,
    pub(super) there: There,
}

/// What is to be said of mailboxes on another server.
#[derive(Default)]
pub(super) struct There {
    /// Nobody has written down yet which mailboxes to look into.
    pub(super) is_unspread: bool,
    pub(super) unlooked: Vec<super::elsewhere::tables::Unlooked>,
    /// Covered mailboxes that others reach too, and whether the message was read on that road.
    pub(super) channels: BTreeMap<MailboxId, bool>,
}

/// Counts an order.
pub(super) fn tally(books: Books<'_>) -> Coverage {
    let devices = rows::pairs(&books);
    let pending = working(&books, Work::Expand);
    let (to_remove, to_restore) = (working(&books, Work::Remove), working(&books, Work::Restore));
    let never_left = books.outside.iter().filter(|outside| outside.never_left).count() as u64;
    let read_elsewhere = books.there.channels.values().filter(|read| **read).count() as u64;
    let outside = books.outside.len() as u64 - never_left + read_elsewhere;
    let pairs = devices.len() as u64 + pending + outside + never_left;
    let covered = count(&devices, |pair| pair.state.is_covered()) + never_left;
    let mut states = BTreeMap::new();
    devices.iter().for_each(|pair| *states.entry(pair.state.name()).or_insert(0) += 1);
    let beside =
        [(State::Fenced, pending), (State::Outside, outside), (State::Prevented, never_left)];
    for (state, count) in beside {
        if count > 0 {
            *states.entry(state.name()).or_insert(0) += count;
        }
    }
    let (to_look, unlooked) = rows::unlooked(&books);
    // What could not be looked into is named and waits for others; what has not been tried is under way.
    let is_looked = !books.there.is_unspread && to_look == unlooked.len() as u64;
    let is_done = books.order.is_listed && is_looked && pending + to_remove + to_restore == 0;
    let is_met = !books.messages.is_empty();
    let recipients = rows::recipients(&books, &devices);
    let mut percent = percent(covered, pairs);
    let [to_50, to_90, mut to_100] = rows::times(books.order, &devices, never_left, pairs);
    if !books.order.is_listed || to_look > 0 || books.there.is_unspread {
        // Who is outside, or where else it lies, is not known yet: nothing is complete.
        percent = percent.map(|percent| percent.min(PERCENT_UNLISTED_MAX));
        to_100 = None;
    }
    Coverage {
        order: view(books.order),
        pairs,
        covered,
        percent,
        is_met,
        removed_earlier: count(&devices, rows::is_removed_earlier),
        wipe_acked: count(&devices, |pair| pair.state == State::WipeAcked),
        read_claimed: count(&devices, |pair| pair.read_claimed),
        acted: count(&devices, |pair| pair.acted),
        pending,
        to_remove,
        to_restore,
        store_waits: rows::store_waits(&books),
        to_look,
        unlooked,
        channels: rows::channels(&books),
        states,
        is_settled: is_done && !devices.iter().any(is_moving),
        to_50_percent_ms: to_50,
        to_90_percent_ms: to_90,
        to_100_percent_ms: to_100,
        sender_line: rows::sender_line(books.order, is_met, &recipients),
        recipients,
        devices,
        sealed: books.vault.0,
        restored: books.vault.1,
        messages: books.messages,
        cannot_know: CANNOT_KNOW,
    }
}

/// Pairs for which this work is still to be done.
fn working(books: &Books<'_>, work: Work) -> u64 {
    books.pairs.iter().filter(|pair| pair.work() == Some(work)).count() as u64
}

/// What is under way towards a device, and what we wait for ourselves.
fn is_moving(pair: &PairView) -> bool {
    use State::{Fenced, Queued, ResyncOrdered, Sent};
    matches!(pair.state, Fenced | Queued | Sent | ResyncOrdered)
}

/// An order as it is shown.
pub(super) fn view(order: &OrderRow) -> OrderView {
    OrderView {
        id: order.id,
        state: if order.is_open { "open" } else { "cancelled" },
        asked_by: order.asked_by.clone(),
        signed_in: signed_in(&order.asked_by),
        second: order.second.clone(),
        reason: order.reason.clone(),
        message_id: order.message_id.clone(),
        from: order.from_address.clone(),
        include_sender: order.include_sender,
        copies: order.copies,
        delivered_at: order.delivered_at,
        recalled_at: order.asked_at,
        fenced_at: order.fenced_at,
        stands_until: order.stands_until,
        cancelled_at: order.cancelled_at,
        cancelled_by: order.cancelled_by.clone(),
    }
}

/// How the actor of this name signed in (`Actor::name`).
fn signed_in(actor: &str) -> String {
    match actor.split_once(':') {
        Some(("token", name)) => format!("the bearer token {name}"),
        Some(("shell", name)) => format!("the machine's own socket, as its user {name}"),
        Some(("admin", name)) => format!("a session of a browser, begun with a link for {name}"),
        Some(("sender", address)) => format!("the mailbox of {address}"),
        _ => String::new(),
    }
}

/// `covered` of `all` in per cent, rounded down to a tenth so that 100 means all; nothing is no share of nothing.
fn percent(covered: u64, all: u64) -> Option<f64> {
    let tenths = covered.saturating_mul(1_000).checked_div(all)?;
    Some(u32::try_from(tenths).map_or(0.0, f64::from) / 10.0)
}

/// What left for a device, as the chips of the report. With a gap there is no `N`.
pub(super) fn chips(exposure: Exposure, has_gap: bool) -> String {
    match (has_gap, exposure == Exposure::NEVER) {
        (false, _) => exposure.chips(),
        (true, true) => GAP.to_owned(),
        (true, false) => format!("{} {GAP}", exposure.chips()),
    }
}

/// What a device is called, for people.
pub(super) fn device_name(device: &Device) -> String {
    let names = [&device.friendly_name, &device.model, &device.wire_id];
    names.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default()
}

/// How we know a state.
pub(super) fn grade(state: State) -> Grade {
    match state {
        State::Prevented | State::Sent | State::Cancelled | State::WipeSent | State::Blocked => {
            Grade::WeDid
        }
        State::Acknowledged | State::Resynced | State::WipeAcked | State::WipeRefused => {
            Grade::ClientClaimed
        }
        State::WipeCorroborated => Grade::Circumstantial,
        _ => Grade::None,
    }
}

fn count(pairs: &[PairView], test: impl Fn(&PairView) -> bool) -> u64 {
    pairs.iter().filter(|pair| test(pair)).count() as u64
}

const GAP: &str = "gap";
/// What is shown at most while the recipients outside are not listed.
const PERCENT_UNLISTED_MAX: f64 = 99.9;
