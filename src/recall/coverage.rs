//! The tally of an order over its pairs: what is proven, what is pending, what cannot be known.
//!
//! A pair is a message on a device and shows its worst copy. Everything is in the denominator: recipients outside, and mailboxes whose
//! devices have not been looked up yet. A percentage never stands alone: reads and answers are counted beside it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::profile;
use super::reason::ReasonCode;
use super::retraction::tables::CopyRow;
use super::state::State;
use super::tables::{OrderRow, Outside, PairRow, Verdict, Work};
use crate::clock::Timestamp;
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, OrderId};
use crate::ledger::{Device, Exposure};

/// An order as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// Its number.
    pub id: OrderId,
    /// `open` or `cancelled`.
    pub state: &'static str,
    /// Who ordered.
    pub asked_by: String,
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
    /// T0: when the first copy was delivered.
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
    /// When the app acknowledged.
    pub acknowledged_at: Option<Timestamp>,
    /// The sequence of the key it presented.
    pub acknowledged_key: Option<u64>,
    /// When a waiting request was answered for it.
    pub woken_at: Option<Timestamp>,
    /// How often the answer had to go out again.
    pub replays: u32,
    /// What else is to be known.
    pub reason: Option<ReasonCode>,
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
    /// `covered` of `pairs`, in per cent, rounded down to a tenth; 100 when there is no pair.
    pub percent: f64,
    /// Wipes promised, which the percentage leaves out.
    pub wipe_acked: u64,
    /// Pairs on which the message was marked read.
    pub read_claimed: u64,
    /// Pairs from which it was replied to or forwarded.
    pub acted: u64,
    /// Mailboxes whose devices have not been looked up yet.
    pub pending: u64,
    /// How many pairs are in each state.
    pub states: BTreeMap<&'static str, u64>,
    /// Nothing is under way: every pair is covered, or waits for something that we do not do by ourselves.
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
}

/// Counts an order.
pub(super) fn tally(books: &Books<'_>) -> Coverage {
    let devices = pair_views(books);
    let pending = books.pairs.iter().filter(|pair| is_pending(pair)).count() as u64;
    let never_left = books.outside.iter().filter(|outside| outside.never_left).count() as u64;
    let outside = books.outside.len() as u64 - never_left;
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
    let is_moving =
        |pair: &PairView| matches!(pair.state, State::Queued | State::Sent | State::Fenced);
    let recipients = recipient_views(books, &devices);
    let mut percent = percent(covered, pairs);
    let [to_50, to_90, mut to_100] = times(books.order, &devices, never_left, pairs);
    if !books.order.is_listed {
        // Who is outside is not known yet: nothing is complete.
        percent = percent.min(PERCENT_UNLISTED_MAX);
        to_100 = None;
    }
    Coverage {
        order: view(books.order),
        pairs,
        covered,
        percent,
        wipe_acked: count(&devices, |pair| pair.state == State::WipeAcked),
        read_claimed: count(&devices, |pair| pair.read_claimed),
        acted: count(&devices, |pair| pair.acted),
        pending,
        states,
        is_settled: books.order.is_listed && pending == 0 && !devices.iter().any(is_moving),
        to_50_percent_ms: to_50,
        to_90_percent_ms: to_90,
        to_100_percent_ms: to_100,
        sender_line: sender_line(&recipients),
        recipients,
        devices,
        sealed: books.vault.0,
        restored: books.vault.1,
        cannot_know: CANNOT_KNOW,
    }
}

/// An order as it is shown.
pub(super) fn view(order: &OrderRow) -> OrderView {
    OrderView {
        id: order.id,
        state: if order.is_open { "open" } else { "cancelled" },
        asked_by: order.asked_by.clone(),
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

/// `covered` of `all` in per cent, rounded down to a tenth so that 100 means all.
pub(super) fn percent(covered: u64, all: u64) -> f64 {
    if all == 0 {
        return 100.0;
    }
    let tenths = covered.saturating_mul(1_000) / all;
    u32::try_from(tenths).map_or(0.0, f64::from) / 10.0
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

fn is_pending(pair: &PairRow) -> bool {
    pair.verdict == Verdict::Withdraw && pair.step == Work::Expand as i64
}

fn count(pairs: &[PairView], test: impl Fn(&PairView) -> bool) -> u64 {
    pairs.iter().filter(|pair| test(pair)).count() as u64
}

/// One view per message and device, showing its worst copy and the exposure of all of them.
fn pair_views(books: &Books<'_>) -> Vec<PairView> {
    let mut by_pair: BTreeMap<(MailboxId, DeviceId, IdentityId), PairView> = BTreeMap::new();
    let mut exposure: HashMap<(IdentityId, DeviceId), Exposure> = HashMap::new();
    let mut woken: HashMap<(IdentityId, DeviceId), Timestamp> = HashMap::new();
    let mut worst: HashMap<(IdentityId, DeviceId), (&CopyRow, u32)> = HashMap::new();
    for copy in books.copies {
        let key = (copy.identity, copy.device);
        let seen = exposure.entry(key).or_default();
        *seen |= copy.exposure;
        if let Some(at) = copy.woken_at {
            let latest = woken.entry(key).or_insert(at);
            *latest = at.max(*latest);
        }
        let (shown, copies) = worst.entry(key).or_insert((copy, 0));
        *copies += 1;
        if copy.state.badness() > shown.state.badness() {
            *shown = copy;
        }
    }
    for (key, (copy, copies)) in worst {
        let seen = exposure.get(&key).copied().unwrap_or_default();
        let mut view = pair_view(books, copy, copies, seen);
        view.woken_at = woken.get(&key).copied();
        by_pair.insert((copy.mailbox, copy.device, copy.identity), view);
    }
    by_pair.into_values().collect()
}

fn pair_view(books: &Books<'_>, copy: &CopyRow, copies: u32, exposure: Exposure) -> PairView {
    let facts = books.devices.get(&copy.device);
    let is_on_device = copy.folder != FolderId(0);
    PairView {
        mailbox: copy.mailbox,
        recipient: address(books, copy.mailbox),
        identity: copy.identity,
        device: copy.device,
        device_name: facts.map(device_name).unwrap_or_default(),
        client: facts.map(|facts| facts.user_agent.clone()).unwrap_or_default(),
        client_profile: facts
            .map_or(profile::UNKNOWN, |facts| profile::of(&facts.user_agent, &facts.device_type)),
        last_seen: facts.map(|facts| facts.last_seen),
        exposure: chips(exposure, facts.is_some_and(|facts| facts.gap)),
        read_claimed: exposure.contains(Exposure::READ_CLAIMED),
        acted: exposure.contains(Exposure::ACTED),
        state: copy.state,
        evidence: grade(copy.state),
        copies: if is_on_device { copies } else { 0 },
        folder: is_on_device.then_some(copy.folder),
        item: is_on_device.then_some(copy.item),
        delete_sent_at: copy.sent_at,
        delete_key: copy.sent_seq,
        acknowledged_at: copy.acked_at,
        acknowledged_key: copy.acked_seq,
        woken_at: copy.woken_at,
        replays: copy.replays,
        reason: copy.reason.or_else(|| unwatched(books, copy)),
        updated_at: copy.updated_at,
    }
}

/// A `Delete` waits in a folder that the device does not wait on: nothing wakes it for that.
fn unwatched(books: &Books<'_>, copy: &CopyRow) -> Option<ReasonCode> {
    let watched = books.watched.get(&copy.device)?;
    let is_beside = copy.state == State::Queued && !watched.contains(&copy.folder);
    is_beside.then_some(ReasonCode::FolderNotWatched)
}

fn address(books: &Books<'_>, mailbox: MailboxId) -> String {
    let known = books.addresses.get(&mailbox).cloned();
    known.unwrap_or_else(|| format!("mailbox {mailbox}"))
}

/// One view per mailbox, worst device first in its judgement, and one per recipient outside.
fn recipient_views(books: &Books<'_>, devices: &[PairView]) -> Vec<RecipientView> {
    let mut by_mailbox: HashMap<MailboxId, Vec<State>> = HashMap::new();
    for pair in devices {
        by_mailbox.entry(pair.mailbox).or_default().push(pair.state);
    }
    let mut mailboxes: BTreeMap<MailboxId, (Verdict, bool)> = BTreeMap::new();
    for pair in books.pairs {
        let entry = mailboxes.entry(pair.mailbox).or_insert((pair.verdict, false));
        entry.1 |= is_pending(pair);
        if pair.verdict == Verdict::Withdraw {
            entry.0 = Verdict::Withdraw;
        }
    }
    let mut views: Vec<RecipientView> = Vec::new();
    for (mailbox, (verdict, is_pending)) in mailboxes {
        let states = by_mailbox.get(&mailbox).map_or(&[][..], Vec::as_slice);
        let result = match verdict {
            Verdict::LeaveSender => RecipientResult::LeftAlone,
            _ if !books.order.is_open => RecipientResult::Cancelled,
            _ if is_pending => RecipientResult::Waiting,
            _ => recipient_result(states),
        };
        let devices = u32::try_from(states.len()).unwrap_or(u32::MAX);
        views.push(RecipientView {
            recipient: address(books, mailbox),
            verdict: Some(verdict),
            result,
            devices,
        });
    }
    views.extend(books.outside.iter().map(|outside| RecipientView {
        recipient: outside.address.clone(),
        verdict: None,
        result: match outside.never_left {
            true => RecipientResult::NotReached,
            false => RecipientResult::CannotBeRecalled,
        },
        devices: 0,
    }));
    views
}

fn recipient_result(states: &[State]) -> RecipientResult {
    let worst = states.iter().max_by_key(|state| state.badness());
    match worst {
        None | Some(State::Prevented) => RecipientResult::NotReached,
        Some(state) if state.is_covered() => RecipientResult::RemovalAcknowledged,
        Some(State::NotRetractable | State::Outside | State::Unreachable) => {
            RecipientResult::CannotBeRecalled
        }
        Some(_) => RecipientResult::Waiting,
    }
}

/// The line a sender reads.
fn sender_line(recipients: &[RecipientView]) -> String {
    let count = |result| recipients.iter().filter(|view| view.result == result).count();
    let all = recipients.iter().filter(|view| view.result != RecipientResult::LeftAlone).count();
    if all == 0 {
        return "Nobody here has received it; a copy that arrives later is withheld".to_owned();
    }
    if count(RecipientResult::Cancelled) > 0 {
        return "The recall was cancelled".to_owned();
    }
    let never = count(RecipientResult::NotReached);
    let mut line = format!("{never} of {all} recipients' phones never received it");
    for (result, words) in [
        (RecipientResult::RemovalAcknowledged, "acknowledged removal"),
        (RecipientResult::Waiting, "waiting"),
        (RecipientResult::CannotBeRecalled, "cannot be recalled"),
    ] {
        let found = count(result);
        if found > 0 {
            line.push_str(&format!(", {found} {words}"));
        }
    }
    line
}

/// When 50, 90 and 100 per cent of all pairs were covered, from T1.
fn times(order: &OrderRow, devices: &[PairView], never_left: u64, pairs: u64) -> [Option<u64>; 3] {
    let covered_at = |pair: &PairView| match pair.state {
        State::Prevented => Some(order.fenced_at),
        state if state.is_covered() => Some(pair.acknowledged_at.unwrap_or(pair.updated_at)),
        _ => None,
    };
    let withdrawn = (0..never_left).map(|_| order.fenced_at);
    let mut at: Vec<Timestamp> = devices.iter().filter_map(covered_at).chain(withdrawn).collect();
    at.sort_unstable();
    [50, 90, 100].map(|percent| {
        let wanted = (pairs.saturating_mul(percent)).div_ceil(100);
        let index = usize::try_from(wanted.checked_sub(1)?).ok()?;
        let reached = at.get(index)?;
        u64::try_from(reached.since(order.asked_at).as_millis()).ok()
    })
}

const GAP: &str = "gap";
/// What is shown at most while the recipients outside are not listed.
const PERCENT_UNLISTED_MAX: f64 = 99.9;
