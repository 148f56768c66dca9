//! The process per copy, as the database holds it: each function brings one kind of evidence to the rows it concerns.
//!
//! A row changes only through [`next`], and every change of state has its audit entry in the same transaction. Evidence that the table
//! refuses is dropped: late, doubled or foreign reports leave a copy where it is. A copy under several orders has a row for each, and
//! all of them hear the evidence.

pub(super) mod tables;

use super::reason::ReasonCode;
pub use super::state::{Evidence, Reach, Refused, State, next};
use tables::CopyRow;

use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{self, Error, GAP_OF_DEVICE, Tx};
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, OrderId};
use crate::ledger::{self, Exposure};

/// What must be deleted now from the device in this folder: owed and not sent, or sent in an answer that was not proven. Lowest first.
pub fn due(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    limit: usize,
) -> Result<Vec<ItemNumber>, Error> {
    tables::items_owed(tx, device, folder, limit)
}

/// The folders in which the device is owed a `Delete`: for Ping, Wait and the nudge.
pub fn folders_due(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<FolderId>, Error> {
    tables::folders_owed(tx, device)
}

/// An answer with key `seq` that carries these deletes is committed by this transaction.
pub fn sent(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    items: &[ItemNumber],
    seq: u64,
    now: Timestamp,
) -> Result<(), Error> {
    for item in items {
        for mut copy in tables::copies_at(tx, device, folder, *item)? {
            take_up(tx, now, &mut copy)?;
            advance(tx, now, copy, Evidence::DeletePlanned, |copy| {
                copy.first_seq.get_or_insert(seq);
                copy.sent_seq = Some(seq);
                copy.sent_at = Some(now);
            })?;
        }
    }
    Ok(())
}

/// What a presented key shows about one collection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Proof<'a> {
    /// The sequence of the key.
    pub seq: u64,
    /// Items whose `Delete` its branch carried.
    pub deleted: &'a [ItemNumber],
    /// Items whose `Delete` went out only in sibling answers, which are now dropped.
    pub unproven: &'a [ItemNumber],
    /// The branch began with key 0: its first answer carried the deletes and named no item they concern.
    pub after_reset: bool,
}

/// A key was presented in an authenticated Sync request of the device.
pub fn proven(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    proof: Proof<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let earned = |copy: &mut CopyRow| {
        copy.acked_seq = Some(proof.seq);
        copy.acked_at = Some(now);
    };
    for item in proof.deleted {
        for mut copy in tables::copies_at(tx, device, folder, *item)? {
            take_up(tx, now, &mut copy)?;
            let evidence = if proof.after_reset {
                Evidence::ResetProven
            } else {
                Evidence::KeyPresented { first_sent: copy.first_seq, presented: proof.seq }
            };
            advance(tx, now, copy, evidence, earned)?;
        }
    }
    for item in proof.unproven {
        for mut copy in tables::copies_at(tx, device, folder, *item)? {
            take_up(tx, now, &mut copy)?;
            advance(tx, now, copy, Evidence::OnlyInSibling, forget_sent)?;
        }
    }
    Ok(())
}

/// The parent was presented again: the answer that carried the deletes was lost, or not taken in.
pub fn replayed(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    now: Timestamp,
) -> Result<(), Error> {
    for copy in tables::owed_in_folder(tx, device, folder)? {
        advance(tx, now, copy, Evidence::ParentAgain, |copy| {
            copy.replays = copy.replays.saturating_add(1);
            if copy.replays >= REPLAYS_REPORTED {
                copy.reason = Some(ReasonCode::ClientReplays);
            }
        })?;
    }
    Ok(())
}

/// A key older than the proven branch was presented, or the state was restored: what was acknowledged there is open again.
pub fn regressed(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    now: Timestamp,
) -> Result<(), Error> {
    for copy in tables::copies_in_folder(tx, device, folder)? {
        advance(tx, now, copy, Evidence::StateRestored, restored)?;
    }
    Ok(())
}

/// A key of the folders older than the proven list was presented: the folders that left the device with it may be back.
pub fn folders_regressed(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    for copy in tables::copies_on(tx, device)? {
        if copy.state == State::Acknowledged && copy.reason == Some(ReasonCode::Hierarchy) {
            advance(tx, now, copy, Evidence::StateRestored, restored)?;
        }
    }
    Ok(())
}

/// The device spoke of an item that it had acknowledged to have removed. Answers whether one was open again.
pub fn reappeared(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    item: ItemNumber,
    now: Timestamp,
) -> Result<bool, Error> {
    let mut reopened = false;
    for copy in tables::copies_at(tx, device, folder, item)? {
        if copy.state.is_covered() {
            reopened |= advance(tx, now, copy, Evidence::StateRestored, restored)?;
        }
    }
    Ok(reopened)
}

/// More of it is on the books than when the order looked the device up.
pub fn exposed(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    item: ItemNumber,
    exposure: Exposure,
) -> Result<(), Error> {
    for mut copy in tables::copies_at(tx, device, folder, item)? {
        copy.exposure |= exposure;
        tables::update_copy(tx, &copy)?;
        tx.on_commit(super::changed);
    }
    Ok(())
}

/// The device came with a key that these books never issued to it: it existed before them, with another server or in days that a
/// restored backup does not know, and what it was given then nobody can say. Nothing of it reads *prevented* from this commit on;
/// where that are many copies, the worker writes down the rest.
pub fn existed_before(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    let Some(mut row) = ledger::device::load(tx, device)?.filter(|row| !row.gap) else {
        return Ok(());
    };
    row.gap = true;
    ledger::device::store(tx, &row)?;
    let event = Event::new("device.gap").id("device", device).text("why", "foreign_key");
    audit::note(tx, now, &event)?;
    if gap_opened(tx, device, COPIES_AT_ONCE, now)? == COPIES_AT_ONCE {
        database::set_meta(tx, GAP_OF_DEVICE, "1")?;
    }
    tx.on_commit(move || {
        tracing::warn!(%device, "a device came with a key that was never issued to it: it existed before the ledger");
        super::work();
    });
    Ok(())
}

/// The books have a gap for this device: what rests on their silence can be claimed no more. Answers how many copies of at most
/// `limit` are claimed no more; where it is as many, there may be others.
pub(super) fn gap_opened(
    tx: &Tx<'_>,
    device: DeviceId,
    limit: usize,
    now: Timestamp,
) -> Result<usize, Error> {
    let copies = tables::rests_on_silence(tx, device, limit)?;
    let count = copies.len();
    for copy in copies {
        let evidence = match copy.state {
            State::Prevented => Evidence::BeyondDelete,
            _ => Evidence::StateRestored,
        };
        advance(tx, now, copy, evidence, |copy| {
            copy.reason = Some(ReasonCode::LedgerGap);
        })?;
    }
    Ok(count)
}

/// How often the parent was presented again since the answer went out that carries a `Delete` still owed.
pub fn replays(tx: &Tx<'_>, device: DeviceId, folder: FolderId) -> Result<u32, Error> {
    tables::replays_owed(tx, device, folder)
}

/// Whether policy ordered that the device begins this collection anew.
pub fn resync_waits(tx: &Tx<'_>, device: DeviceId, folder: FolderId) -> Result<bool, Error> {
    tables::has_resync_ordered(tx, device, folder)
}

/// Key 0 was presented: what the answers in flight carried proves nothing any more, so their deletes are owed again.
pub fn key_zero(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    now: Timestamp,
) -> Result<(), Error> {
    for copy in tables::owed_in_folder(tx, device, folder)? {
        if copy.state == State::Sent {
            advance(tx, now, copy, Evidence::OnlyInSibling, forget_sent)?;
        }
    }
    Ok(())
}

/// A new partnership began on the device (a wipe, a removal): keys of the old one prove nothing any more.
pub fn began_again(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    for mut copy in tables::copies_on(tx, device)? {
        let is_open = copy.state == State::Sent || copy.state == State::ResyncOrdered;
        if is_open {
            advance(tx, now, copy, Evidence::StateRestored, forget_sent)?;
        } else if copy.first_seq.is_some() && !copy.state.is_covered() {
            forget_sent(&mut copy);
            tables::update_copy(tx, &copy)?;
        }
    }
    Ok(())
}

/// The device was heard again, whatever it asked for: it is neither silent nor given up any more. Nothing else follows.
pub fn heard(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    for copy in tables::copies_on(tx, device)? {
        if copy.state == State::Silent || copy.state == State::Unreachable {
            let evidence = Evidence::Returned { was_sent: copy.first_seq.is_some() };
            advance(tx, now, copy, evidence, |copy| {
                copy.reason = copy.reason.filter(|reason| *reason != ReasonCode::ClientSilent);
            })?;
        }
    }
    Ok(())
}

/// The device may talk again: what was blocked with it is owed again.
pub fn let_in(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    for copy in tables::copies_on(tx, device)? {
        if copy.state == State::Blocked {
            let evidence = Evidence::Returned { was_sent: copy.first_seq.is_some() };
            advance(tx, now, copy, evidence, |_| {})?;
        }
    }
    Ok(())
}

/// How a copy left the device without our `Delete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The device deleted it itself, for good.
    DeletedByDevice,
    /// The SoftDelete that aged it out is proven.
    AgedOut,
}

/// A copy left the device without our `Delete`.
pub fn closed(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    item: ItemNumber,
    why: Closed,
    now: Timestamp,
) -> Result<(), Error> {
    for mut copy in tables::copies_at(tx, device, folder, item)? {
        take_up(tx, now, &mut copy)?;
        advance(tx, now, copy, Evidence::RemovedEarlier, |copy| {
            copy.acked_at = Some(now);
            copy.reason = Some(ReasonCode::RemovedEarlier);
            if why == Closed::AgedOut {
                copy.exposure |= Exposure::AGED_OUT;
            }
        })?;
    }
    Ok(())
}

/// The folder was deleted in hierarchy key `hierarchy_seq`, and that key was presented.
pub fn folder_gone(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    hierarchy_seq: u64,
    now: Timestamp,
) -> Result<(), Error> {
    for mut copy in tables::owed_in_folder(tx, device, folder)? {
        take_up(tx, now, &mut copy)?;
        advance(tx, now, copy, Evidence::FolderGone, |copy| {
            copy.acked_seq = Some(hierarchy_seq);
            copy.acked_at = Some(now);
            copy.reason = Some(ReasonCode::Hierarchy);
        })?;
    }
    Ok(())
}

/// The device asks for the collection again after a while.
pub fn asked_again(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    now: Timestamp,
) -> Result<(), Error> {
    for copy in tables::owed_in_folder(tx, device, folder)? {
        if copy.state == State::Unsynced {
            let evidence = Evidence::Returned { was_sent: copy.first_seq.is_some() };
            advance(tx, now, copy, evidence, |_| {})?;
        }
    }
    Ok(())
}

/// The order is cancelled: so is every copy of this pair, with what was sent and acknowledged still on its row. Answers how many.
pub(super) fn cancelled(
    tx: &Tx<'_>,
    order: OrderId,
    identity: IdentityId,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<usize, Error> {
    let mut count = 0;
    for copy in tables::copies_of_pair(tx, order, identity, mailbox)? {
        count += usize::from(advance(tx, now, copy, Evidence::OrderCancelled, |_| {})?);
    }
    Ok(count)
}

/// The device was told to start the collection anew (Status 3), by policy.
pub fn resync_ordered(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    now: Timestamp,
) -> Result<(), Error> {
    for copy in tables::owed_in_folder(tx, device, folder)? {
        resync_asked(tx, copy, now)?;
    }
    Ok(())
}

/// A new attempt: replays are counted from here.
pub(super) fn resync_asked(tx: &Tx<'_>, copy: CopyRow, now: Timestamp) -> Result<bool, Error> {
    advance(tx, now, copy, Evidence::ResyncAsked, |copy| copy.replays = 0)
}

/// A waiting request of the device was answered because of this folder. Waking is not progress; its time is recorded.
pub fn woken(tx: &Tx<'_>, device: DeviceId, folder: FolderId, now: Timestamp) -> Result<(), Error> {
    for mut copy in tables::owed_in_folder(tx, device, folder)? {
        copy.woken_at = Some(now);
        tables::update_copy(tx, &copy)?;
        tx.on_commit(super::changed);
    }
    Ok(())
}

/// Evidence about the device as a whole (wipe, block, silence, giving up, its return): every copy on it hears it. Answers how many moved.
pub fn about_device(
    tx: &Tx<'_>,
    device: DeviceId,
    evidence: Evidence,
    reason: Option<ReasonCode>,
    now: Timestamp,
) -> Result<usize, Error> {
    let mut moved = 0;
    for copy in tables::copies_on(tx, device)? {
        let evidence = match evidence {
            Evidence::Returned { .. } => Evidence::Returned { was_sent: copy.first_seq.is_some() },
            other => other,
        };
        let would_move = next(copy.reach(), copy.state, evidence).is_ok_and(|to| to != copy.state);
        // The directive goes out, or nobody waits for it any more: nothing stands before it.
        let past = |reason: &ReasonCode| *reason != ReasonCode::BlockedBeforeWipe;
        if would_move
            && advance(tx, now, copy, evidence, |copy| {
                copy.reason = reason.or(copy.reason.filter(past));
            })?
        {
            moved += 1;
        }
    }
    Ok(moved)
}

/// The copies an order has just found on a device that is given nothing: it will not hear of them either.
pub(super) fn shut_out(
    tx: &Tx<'_>,
    device: DeviceId,
    order: OrderId,
    identity: IdentityId,
    now: Timestamp,
) -> Result<(), Error> {
    let copies = tables::copies_on(tx, device)?;
    for copy in copies.into_iter().filter(|it| it.order == order && it.identity == identity) {
        if next(copy.reach(), copy.state, Evidence::AccessBlocked).is_ok_and(|to| to != copy.state)
        {
            advance(tx, now, copy, Evidence::AccessBlocked, |_| {})?;
        }
    }
    Ok(())
}

/// Two people asked for a wipe, and somebody shuts the device out before it has fetched the directive: what waits for the wipe says
/// so until the directive goes out after all. Answers how many copies do.
pub fn shut_out_before_wipe(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<usize, Error> {
    let mut count = 0;
    for mut copy in tables::copies_on(tx, device)? {
        let waits =
            [State::WipeRequested, State::WipeSignalled, State::WipeSent, State::WipeRefused];
        if waits.contains(&copy.state) {
            copy.reason = Some(ReasonCode::BlockedBeforeWipe);
            copy.updated_at = now;
            tables::update_copy(tx, &copy)?;
            count += 1;
        }
    }
    tx.on_commit(super::changed);
    Ok(count)
}

/// Moves one copy if the table allows it, writes the row, and notes a change of state in the audit.
pub(super) fn advance(
    tx: &Tx<'_>,
    now: Timestamp,
    mut copy: CopyRow,
    evidence: Evidence,
    change: impl FnOnce(&mut CopyRow),
) -> Result<bool, Error> {
    let Ok(to) = next(copy.reach(), copy.state, evidence) else { return Ok(false) };
    let from = copy.state;
    copy.state = to;
    copy.updated_at = now;
    change(&mut copy);
    if to == State::NotRetractable && copy.reach() == Reach::Beyond {
        let is_search = copy.is_search;
        copy.reason = Some(if is_search { ReasonCode::SearchCopy } else { ReasonCode::LedgerGap });
    }
    tables::update_copy(tx, &copy)?;
    if from != to {
        note(tx, now, &copy, from)?;
    }
    tx.on_commit(super::changed);
    Ok(true)
}

/// The audit entry of a change of state.
pub(super) fn note(tx: &Tx<'_>, now: Timestamp, copy: &CopyRow, from: State) -> Result<(), Error> {
    let mut event = Event::new("retraction")
        .id("order", copy.order.0)
        .id("identity", copy.identity.0)
        .id("device", copy.device.0)
        .id("folder", copy.folder.0)
        .id("item", i64::from(copy.item.0))
        .text("from", from.name())
        .text("to", copy.state.name());
    if copy.is_search {
        event = event.id("search", 1);
    }
    if let Some(reason) = copy.reason {
        event = event.text("reason", reason.text());
    }
    let key = if copy.state == State::Sent { copy.sent_seq } else { copy.acked_seq };
    if let Some(seq) = key {
        event = event.id("key", seq.cast_signed());
    }
    audit::note(tx, now, &event).map(drop)
}

/// A device that speaks again takes the work up where it was; the row is written by whatever evidence it brought.
fn take_up(tx: &Tx<'_>, now: Timestamp, copy: &mut CopyRow) -> Result<(), Error> {
    let evidence = Evidence::Returned { was_sent: copy.first_seq.is_some() };
    let Ok(state) = next(copy.reach(), copy.state, evidence) else { return Ok(()) };
    let from = std::mem::replace(&mut copy.state, state);
    if copy.reason == Some(ReasonCode::ClientSilent) {
        copy.reason = None;
    }
    copy.updated_at = now;
    tables::update_copy(tx, copy)?;
    note(tx, now, copy, from)
}

fn forget_sent(copy: &mut CopyRow) {
    copy.first_seq = None;
    copy.sent_seq = None;
    copy.acked_seq = None;
    copy.acked_at = None;
}

fn restored(copy: &mut CopyRow) {
    forget_sent(copy);
    copy.reason = Some(ReasonCode::StateRestored);
}

/// Copies that are claimed no more in the transaction that finds the gap of one device.
const COPIES_AT_ONCE: usize = 200;
/// From this many replays on the report says that the device keeps asking.
const REPLAYS_REPORTED: u32 = 3;
