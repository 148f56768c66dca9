//! The rows of the report: pairs, recipients, what the store owes; and the sender's line and the times made of them.

use std::collections::{BTreeMap, HashMap};

use super::{
    Books, Channel, PairView, RecipientResult, RecipientView, StoreWait, Unlooked, chips,
    device_name, grade,
};
use crate::clock::Timestamp;
use crate::ids::{DeviceId, FolderId, IdentityId, MailboxId};
use crate::ledger::Exposure;
use crate::recall::profile;
use crate::recall::reason::ReasonCode;
use crate::recall::retraction::tables::CopyRow;
use crate::recall::state::State;
use crate::recall::tables::{OrderRow, Verdict, Work};

/// One view per message and device, showing its worst copy and the exposure of all of them.
pub(super) fn pairs(books: &Books<'_>) -> Vec<PairView> {
    let mut by_pair: BTreeMap<(MailboxId, DeviceId, IdentityId), PairView> = BTreeMap::new();
    let mut exposure: HashMap<(IdentityId, DeviceId), Exposure> = HashMap::new();
    let mut woken: HashMap<(IdentityId, DeviceId), Timestamp> = HashMap::new();
    let mut worst: HashMap<(IdentityId, DeviceId), (&CopyRow, u32)> = HashMap::new();
    let mut reasons: HashMap<(IdentityId, DeviceId), Vec<(u8, ReasonCode)>> = HashMap::new();
    for copy in books.copies {
        let key = (copy.identity, copy.device);
        let seen = exposure.entry(key).or_default();
        *seen |= copy.exposure;
        if let Some(at) = copy.woken_at {
            let latest = woken.entry(key).or_insert(at);
            *latest = at.max(*latest);
        }
        for reason in copy.reason.into_iter().chain(unwatched(books, copy)) {
            reasons.entry(key).or_default().push((copy.state.badness(), reason));
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
        view.reasons = in_order(reasons.remove(&key).unwrap_or_default(), copy.state, seen);
        view.reason = view.reasons.first().copied();
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
        reason: None,
        reasons: Vec::new(),
        details: books.details.get(&(copy.identity, copy.device)).cloned().unwrap_or_default(),
        updated_at: copy.updated_at,
    }
}

/// Every reason once, the worst copy's first; and what the state and the exposure say by themselves, so that it is never lost.
fn in_order(mut found: Vec<(u8, ReasonCode)>, worst: State, seen: Exposure) -> Vec<ReasonCode> {
    found.sort_by_key(|(badness, _)| std::cmp::Reverse(*badness));
    let refused = (worst == State::WipeRefused).then_some(ReasonCode::WipeRefused);
    let saved = seen.contains(Exposure::ATTACHMENT).then_some(ReasonCode::AttachmentSavedPossible);
    let mut reasons = Vec::new();
    for reason in
        refused.into_iter().chain(found.into_iter().map(|(_, reason)| reason)).chain(saved)
    {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

/// What the mail store could not do yet, mailbox by mailbox.
pub(super) fn store_waits(books: &Books<'_>) -> Vec<StoreWait> {
    let waits = books.pairs.iter().filter(|pair| pair.tries > 0).filter_map(|pair| {
        let (work, reason) = match pair.work()? {
            Work::Expand => ("look_up", None),
            Work::Remove => {
                ("remove", Some(pair.hindrance.unwrap_or(ReasonCode::StoreCannotRemove)))
            }
            _ => ("restore", pair.hindrance),
        };
        Some(StoreWait {
            mailbox: pair.mailbox,
            recipient: address(books, pair.mailbox),
            identity: pair.identity,
            work,
            tries: pair.tries,
            next_try_at: pair.not_before,
            reason,
        })
    });
    waits.collect()
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
pub(super) fn recipients(books: &Books<'_>, devices: &[PairView]) -> Vec<RecipientView> {
    let mut by_mailbox: HashMap<MailboxId, Vec<State>> = HashMap::new();
    for pair in devices {
        by_mailbox.entry(pair.mailbox).or_default().push(pair.state);
    }
    let mut mailboxes: BTreeMap<MailboxId, (Verdict, bool, Option<ReasonCode>)> = BTreeMap::new();
    for pair in books.pairs {
        let entry = mailboxes.entry(pair.mailbox).or_insert((pair.verdict, false, None));
        entry.1 |= pair.work() == Some(Work::Expand);
        if pair.work() == Some(Work::Remove) && pair.tries > 0 {
            entry.2 = Some(pair.hindrance.unwrap_or(ReasonCode::StoreCannotRemove));
        }
        if pair.verdict == Verdict::Withdraw {
            entry.0 = Verdict::Withdraw;
        }
    }
    let mut views: Vec<RecipientView> = Vec::new();
    for (mailbox, (verdict, is_pending, stuck)) in mailboxes {
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
            // Nothing is delivered to a sender: that is when the own copy was filed.
            delivered_at: books
                .delivered
                .get(&mailbox)
                .copied()
                .filter(|_| verdict == Verdict::Withdraw),
            reasons: stuck.into_iter().chain(channel_reasons(books, mailbox)).collect(),
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
        delivered_at: None,
        reasons: match outside.is_elsewhere {
            true => vec![ReasonCode::External, ReasonCode::NotViaGateway],
            false => vec![ReasonCode::External],
        },
    }));
    views
}

/// That others reach the mailbox too, and whether the message was read on that road.
fn channel_reasons(books: &Books<'_>, mailbox: MailboxId) -> Vec<ReasonCode> {
    match books.there.channels.get(&mailbox) {
        Some(true) => vec![ReasonCode::ForeignChannel, ReasonCode::ReadElsewhere],
        Some(false) => vec![ReasonCode::ForeignChannel],
        None => Vec::new(),
    }
}

/// The roads to covered mailboxes that do not pass this gateway.
pub(super) fn channels(books: &Books<'_>) -> Vec<Channel> {
    let channel = |(mailbox, read): (&MailboxId, &bool)| Channel {
        mailbox: *mailbox,
        recipient: address(books, *mailbox),
        channel: "imap",
        read_elsewhere: *read,
    };
    books.there.channels.iter().map(channel).collect()
}

/// How many mailboxes nobody has looked into yet, and those of them that could not be.
pub(super) fn unlooked(books: &Books<'_>) -> (u64, Vec<Unlooked>) {
    let all = &books.there.unlooked;
    let failed = all.iter().filter_map(|one| {
        Some(Unlooked {
            mailbox: one.mailbox,
            recipient: address(books, one.mailbox),
            tries: one.tries,
            next_look_at: one.next,
            reason: one.hindrance?,
        })
    });
    (all.len() as u64, failed.collect())
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
pub(super) fn sender_line(order: &OrderRow, is_met: bool, recipients: &[RecipientView]) -> String {
    let count = |result| recipients.iter().filter(|view| view.result == result).count();
    let all = recipients.iter().filter(|view| view.result != RecipientResult::LeftAlone).count();
    if !order.is_open {
        return "The recall was cancelled".to_owned();
    }
    if !is_met {
        let until = order.stands_until.rfc3339();
        return format!(
            "No message with this Message-ID has been met; the order stands until {until}"
        );
    }
    if all == 0 {
        return "Nobody here has received it; a copy that arrives later is withheld".to_owned();
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

/// Whether the device had let go of it before the order: proven when the order looked, at no time of this order.
pub(super) fn is_removed_earlier(pair: &PairView) -> bool {
    pair.state == State::Acknowledged
        && pair.acknowledged_at.is_none()
        && pair.reasons.contains(&ReasonCode::RemovedEarlier)
}

/// When 50, 90 and 100 per cent of all pairs were covered, from T1. What had been removed before is not in these times.
pub(super) fn times(
    order: &OrderRow,
    devices: &[PairView],
    never_left: u64,
    pairs: u64,
) -> [Option<u64>; 3] {
    let timed = devices.iter().filter(|pair| !is_removed_earlier(pair));
    let pairs = pairs - (devices.len() - timed.clone().count()) as u64;
    let covered_at = |pair: &PairView| match pair.state {
        State::Prevented => Some(order.fenced_at),
        state if state.is_covered() => Some(pair.acknowledged_at.unwrap_or(pair.updated_at)),
        _ => None,
    };
    let withdrawn = (0..never_left).map(|_| order.fenced_at);
    let mut at: Vec<Timestamp> = timed.filter_map(covered_at).chain(withdrawn).collect();
    at.sort_unstable();
    [50, 90, 100].map(|percent| {
        let wanted = (pairs.saturating_mul(percent)).div_ceil(100);
        let index = usize::try_from(wanted.checked_sub(1)?).ok()?;
        let reached = at.get(index)?;
        u64::try_from(reached.since(order.asked_at).as_millis()).ok()
    })
}
