//! Carries an order out once its fence stands: looks devices up, wakes them, empties the store into the vault, puts back what was cancelled,
//! says who is silent.
//!
//! The work list is the `step` of each pair, so whatever a crash interrupts is taken up at the next start; every batch is one short job of
//! recall's own queue. A pair that fails is put off and does not hold up the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::task::JoinSet;

use super::enforce::{Situation, Step, next_step};
use super::reason::ReasonCode;
use super::retraction::tables as copies;
use super::retraction::tables::CopyRow;
use super::retraction::{self, Evidence, Reach, State, next};
use super::tables::{self, PairRow, Work};
use super::{Barred, Recall, RecallError, Rooms, vault};
use crate::clock::Timestamp;
use crate::database::{self, Error, GAP_OF_DEVICE, GAP_PENDING, Tx};
use crate::failpoint;
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, UserId};
use crate::ledger::{self, Collection, Device, Exposure, Held, Place};
use crate::mailbox::FolderKind;
use crate::mailbox::embedded::in_tx;
use crate::push::Ring;

impl Recall {
    /// Does everything that is due now: looks up devices, removes, restores. Safe to call at any time, by several at once.
    pub async fn work_off(&self) -> Result<(), RecallError> {
        loop {
            self.work_here().await?;
            let mut tasks = JoinSet::new();
            let begun = self.begin_elsewhere(&mut tasks).await?;
            while tasks.join_next().await.is_some() {}
            // What was found there has devices to be looked up.
            if begun == 0 {
                return Ok(());
            }
        }
    }

    /// Everything due for which no other server is asked.
    async fn work_here(&self) -> Result<(), RecallError> {
        // What may not be claimed any more goes first, then what phones wait for.
        self.close_gap().await?;
        while self.batch(Work::Expand).await? > 0 {}
        if self.rooms.elsewhere.is_none() {
            self.list_outside().await?;
            while self.batch(Work::Remove).await? > 0 {}
            while self.batch(Work::Restore).await? > 0 {}
        }
        Ok(())
    }

    /// Where the books were rolled back, or one device turned out to be older than they are, takes back what was claimed on their
    /// word, so many copies a job. The mark goes with the last of them, so a crash lets it begin again.
    async fn close_gap(&self) -> Result<(), RecallError> {
        let mut after = DeviceId(0);
        while self.db.read(has_gap_to_close).await? {
            let clock = self.clock.clone();
            let job = move |tx: &Tx<'_>| {
                let devices = ledger::device::page(tx, after, DEVICES_PER_JOB)?;
                let (Some(last), now) = (devices.last(), clock.now()) else {
                    database::clear_meta(tx, GAP_PENDING)?;
                    database::clear_meta(tx, GAP_OF_DEVICE)?;
                    return Ok::<_, RecallError>(after);
                };
                let mut left = COPIES_PER_JOB;
                for device in devices.iter().filter(|device| device.gap) {
                    left -= retraction::gap_opened(tx, device.id, left, now)?;
                    if left == 0 {
                        return Ok(DeviceId(device.id.0 - 1));
                    }
                }
                Ok(last.id)
            };
            after = self.db.write_first(job).await?;
        }
        Ok(())
    }

    /// Looks at every device that is owed a `Delete`: says who is silent, wakes who can be woken, gives up who is gone.
    pub async fn sweep(&self) -> Result<(), RecallError> {
        let mut after = DeviceId(0);
        loop {
            let (rooms, policy, clock) =
                (self.rooms.clone(), self.limits.policy, self.clock.clone());
            let swept = self
                .db
                .write_first(move |tx| {
                    let now = clock.now();
                    let devices = copies::devices_owed(tx, after, DEVICES_PER_JOB)?;
                    for device in &devices {
                        sweep_device(tx, &rooms, &policy, *device, now)?;
                    }
                    Ok::<_, RecallError>(devices)
                })
                .await?;
            match swept.last() {
                Some(last) => after = *last,
                None => return Ok(()),
            }
        }
    }

    /// Works until `stop` says so: at once when an order or a late copy asks, and every [`SWEEP_PERIOD`] for what time brings.
    pub async fn run(&self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let mut asked = super::work_asked();
        let mut swept_at = None;
        let mut came = self.rooms.elsewhere.as_ref().map(|at| at.came());
        // What goes on in mailboxes elsewhere ends with this, wherever it is, and is taken up at the next start.
        let mut tasks = JoinSet::new();
        if came.is_some()
            && let Err(error) = self.owner_came(None).await
        {
            tracing::error!(%error, "what waits for owners goes on later");
        }
        while !*stop.borrow_and_update() {
            asked.mark_unchanged();
            while tasks.try_join_next().is_some() {}
            let worked = match self.work_here().await {
                Ok(()) => self.begin_elsewhere(&mut tasks).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = worked {
                tracing::error!(%error, "recall work stopped short; it is tried again");
            }
            let now = self.clock.now();
            if swept_at.is_none_or(|at| now.since(at) >= SWEEP_PERIOD) {
                swept_at = Some(now);
                if let Err(error) = self.sweep().await {
                    tracing::error!(%error, "devices could not be looked at; it is tried again");
                }
            }
            tokio::select! {
                _ = asked.changed() => {}
                stopped = stop.changed() => if stopped.is_err() { return },
                () = tokio::time::sleep(self.pause().await) => {}
                user = next_owner(&mut came) => if let Err(error) = self.owner_came(user).await {
                    tracing::error!(%error, "what waits for an owner goes on later");
                },
            }
        }
    }

    /// Until the next pair that was put off is due, or the next sweep.
    async fn pause(&self) -> Duration {
        let next = self.db.read(tables::next_try).await.ok().flatten();
        let next = next.into_iter().chain(self.next_look().await).min();
        let until = next.map(|at| at.since(self.clock.now()));
        until.unwrap_or(SWEEP_PERIOD).clamp(PAUSE_MIN, SWEEP_PERIOD)
    }

    /// One batch; where it fails, each pair on its own. Answers how many pairs it looked at.
    async fn batch(&self, work: Work) -> Result<usize, RecallError> {
        match self.job(work, PAIRS_PER_JOB).await {
            Ok(done) => Ok(done),
            Err(error) => {
                tracing::warn!(%error, ?work, "a batch of recall work failed; each pair is tried alone");
                self.alone(work).await
            }
        }
    }

    async fn job(&self, work: Work, limit: usize) -> Result<usize, RecallError> {
        let (rooms, clock, barred) = (self.rooms.clone(), self.clock.clone(), self.barred);
        self.db
            .write_first(move |tx| {
                let now = clock.now();
                let pairs = tables::pairs_waiting(tx, work, now, limit)?;
                for pair in &pairs {
                    match work {
                        Work::Expand => expand(tx, &rooms, barred, pair, now)?,
                        Work::Remove => vault::take_out(tx, &rooms, pair, now).map(drop)?,
                        _ => vault::put_back(tx, &rooms, pair, now).map(drop)?,
                    }
                }
                Ok(pairs.len())
            })
            .await
    }

    /// One pair; where it fails, it is put off for longer each time.
    async fn alone(&self, work: Work) -> Result<usize, RecallError> {
        if let Ok(done) = self.job(work, 1).await {
            return Ok(done);
        }
        let clock = self.clock.clone();
        self.db
            .write_first(move |tx| {
                let now = clock.now();
                let pairs = tables::pairs_waiting(tx, work, now, 1)?;
                for pair in &pairs {
                    let until = now.after(back_off(pair.tries));
                    tables::put_off(tx, pair, until, None)?;
                }
                // The report says so.
                tx.on_commit(super::changed);
                Ok(pairs.len())
            })
            .await
    }
}

/// The next owner who signs in; `None` where some were missed.
async fn next_owner(came: &mut Option<broadcast::Receiver<UserId>>) -> Option<UserId> {
    match came {
        Some(receiver) => match receiver.recv().await {
            Ok(user) => Some(user),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => {
                *came = None;
                std::future::pending().await
            }
        },
        None => std::future::pending().await,
    }
}

fn has_gap_to_close(tx: &Tx<'_>) -> Result<bool, Error> {
    let is_marked = |mark| database::meta(tx, mark).map(|mark| mark.is_some());
    Ok(is_marked(GAP_PENDING)? || is_marked(GAP_OF_DEVICE)?)
}

/// Turns a pair into the copies its devices hold, or into `Prevented` where they hold none.
fn expand(
    tx: &Tx<'_>,
    rooms: &Rooms,
    barred: Barred,
    pair: &PairRow,
    now: Timestamp,
) -> Result<(), Error> {
    let held = ledger::who_holds(tx, pair.identity, pair.mailbox)?;
    for device in ledger::device::of_mailbox(tx, pair.mailbox)? {
        let copies = held.iter().filter(|copy| copy.device == device.id);
        let mut rows: Vec<CopyRow> =
            copies.flat_map(|copy| rows_of(pair, copy, device.gap, now)).collect();
        // Books with a gap may lack any copy, also where they know one.
        if rows.is_empty() || device.gap {
            let known: Vec<_> = rows.iter().map(|row| (row.folder, row.item)).collect();
            let others = rows_without(tx, pair, &device, now)?.into_iter();
            let adds = |row: &CopyRow| {
                known.is_empty() || row.folder.0 > 0 && !known.contains(&(row.folder, row.item))
            };
            rows.extend(others.filter(adds));
        }
        for row in &rows {
            write_new(tx, rooms, row, now)?;
        }
        if barred(tx, device.id)? {
            retraction::shut_out(tx, device.id, pair.order, pair.identity, now)?;
        }
    }
    failpoint!("recall.expanded");
    tables::set_step(tx, pair, Work::Remove)
}

/// The rows of one copy the ledger knows: itself, and what a search left beside it. None when nothing of it left.
fn rows_of(pair: &PairRow, held: &Held, has_gap: bool, now: Timestamp) -> Vec<CopyRow> {
    if held.exposure == Exposure::NEVER && !held.open && !has_gap {
        return Vec::new();
    }
    if !held.exposure.any_content() && !held.open && !has_gap {
        // It had this sent on and was never given it: nothing can be taken back, and nothing was.
        let nowhere = (held.device, FolderId(0), ItemNumber(0));
        let beyond = [Evidence::BeyondDelete];
        return vec![row(pair, nowhere, &beyond, held.exposure, None, now)];
    }
    let mut evidence = vec![Evidence::MayBeHeld];
    let mut reason = None;
    // Books with a gap cannot say that it is gone.
    if !held.open && !has_gap {
        evidence.push(Evidence::RemovedEarlier);
        reason = Some(ReasonCode::RemovedEarlier);
    } else if !held.synced {
        evidence.push(Evidence::CollectionDropped);
    }
    let at = (held.device, held.folder, held.item);
    let mut rows = vec![row(pair, at, &evidence, held.exposure, reason, now)];
    if held.exposure.contains(Exposure::SEARCHED) {
        let reason = Some(ReasonCode::SearchCopy);
        let search = row(pair, at, &[Evidence::BeyondDelete], held.exposure, reason, now);
        rows.push(CopyRow { is_search: true, ..search });
    }
    rows
}

/// The rows of a device of which the ledger knows no copy. With a gap nothing can be excluded, so what lies in the store is owed a
/// `Delete`, and without a copy there we can only say so.
fn rows_without(
    tx: &Tx<'_>,
    pair: &PairRow,
    device: &Device,
    now: Timestamp,
) -> Result<Vec<CopyRow>, Error> {
    let nowhere = (device.id, FolderId(0), ItemNumber(0));
    let never = Exposure::NEVER;
    if !device.gap {
        let evidence = [Evidence::NeverSent { gap: false }];
        let woken = woken(tx, pair.identity, device, pair.since)?;
        return Ok(vec![row(pair, nowhere, &evidence, woken, None, now)]);
    }
    let reason = Some(ReasonCode::LedgerGap);
    // Phones are never given the Outbox, so no Delete could reach them there.
    let outbox = in_tx::standard_folder(tx, pair.mailbox, FolderKind::Outbox);
    let outbox = outbox.ok().map(|folder| folder.id);
    let mut copies = in_tx::copies_in(tx, pair.identity, pair.mailbox)?;
    copies.retain(|copy| Some(copy.folder) != outbox);
    if copies.is_empty() {
        return Ok(vec![row(pair, nowhere, &[Evidence::BeyondDelete], never, reason, now)]);
    }
    let owed = |copy: &crate::mailbox::Copy| {
        let at = (device.id, copy.folder, copy.item);
        row(pair, at, &[Evidence::MayBeHeld], never, reason, now)
    };
    Ok(copies.iter().map(owed).collect())
}

/// Whether the device was woken for the message before `until`, without having been sent anything of it.
pub(super) fn woken(
    tx: &Tx<'_>,
    identity: IdentityId,
    device: &Device,
    until: Timestamp,
) -> Result<Exposure, Error> {
    for copy in in_tx::copies_in(tx, identity, device.mailbox)? {
        let place = Place { device: device.id, folder: copy.folder };
        if ledger::was_woken(tx, place, copy.item, until)? {
            return Ok(Exposure::WOKEN);
        }
    }
    Ok(Exposure::NEVER)
}

fn row(
    pair: &PairRow,
    (device, folder, item): (DeviceId, FolderId, ItemNumber),
    evidence: &[Evidence],
    exposure: Exposure,
    reason: Option<ReasonCode>,
    now: Timestamp,
) -> CopyRow {
    let reach = if folder == FolderId(0) { Reach::Beyond } else { Reach::Placed };
    let state = evidence
        .iter()
        .try_fold(State::Fenced, |state, evidence| next(reach, state, *evidence))
        .unwrap_or(State::Fenced);
    CopyRow {
        device,
        folder,
        item,
        is_search: false,
        order: pair.order,
        identity: pair.identity,
        mailbox: pair.mailbox,
        state,
        exposure,
        first_seq: None,
        sent_seq: None,
        sent_at: None,
        acked_seq: None,
        // What was proven before the order has no time of this order.
        acked_at: None,
        woken_at: None,
        replays: 0,
        reason,
        updated_at: now,
    }
}

/// Writes a row that is not there yet, notes it, and wakes the device where a `Delete` is owed.
fn write_new(tx: &Tx<'_>, rooms: &Rooms, row: &CopyRow, now: Timestamp) -> Result<(), Error> {
    if !copies::insert_copy(tx, row)? {
        return Ok(());
    }
    retraction::note(tx, now, row, State::Fenced)?;
    let (bells, device, folder) = (rooms.bells.clone(), row.device, row.folder);
    let is_owed = row.state == State::Queued && !row.is_search;
    tx.on_commit(move || {
        if is_owed {
            bells.ring_device(device, Ring::Recall(folder));
        }
        super::changed();
    });
    Ok(())
}

fn sweep_device(
    tx: &Tx<'_>,
    rooms: &Rooms,
    policy: &super::Policy,
    device: DeviceId,
    now: Timestamp,
) -> Result<(), Error> {
    let facts = ledger::device::load(tx, device)?.filter(|device| !device.removed);
    let mut asked = HashMap::new();
    for copy in copies::owed_on(tx, device)? {
        let last_asked = match asked.entry(copy.folder) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let place = Place { device, folder: copy.folder };
                let collection = Collection::load(tx, place)?;
                *unknown.insert(collection.map(|collection| collection.last_asked))
            }
        };
        let since = tables::order(tx, copy.order)?.map_or(copy.updated_at, |order| order.fenced_at);
        let situation = Situation {
            state: copy.state,
            since,
            replays: copy.replays,
            last_seen: facts.as_ref().map(|facts| facts.last_seen),
            pause_p95: facts.as_ref().map(|facts| Duration::from_millis(facts.gap_p95_ms)),
            last_asked,
            was_woken: copy.woken_at.is_some(),
        };
        match next_step(policy, now, &situation) {
            Step::MarkSilent => retraction::advance(tx, now, copy, Evidence::NoContact, |copy| {
                copy.reason = copy.reason.or(Some(ReasonCode::ClientSilent));
            })
            .map(drop)?,
            Step::MarkUnsynced => {
                retraction::advance(tx, now, copy, Evidence::CollectionDropped, |_| {})
                    .map(drop)?;
            }
            Step::GiveUp => {
                retraction::advance(tx, now, copy, Evidence::GivenUp, |_| {}).map(drop)?;
            }
            Step::OrderResync => {
                let (bells, folder) = (rooms.bells.clone(), copy.folder);
                tx.on_commit(move || bells.ring_device(device, Ring::Recall(folder)));
                retraction::resync_asked(tx, copy, now).map(drop)?;
            }
            Step::Wake => {
                let (bells, folder) = (rooms.bells.clone(), copy.folder);
                tx.on_commit(move || bells.ring_device(device, Ring::Recall(folder)));
            }
            Step::Rest | Step::Nudge => {}
        }
    }
    Ok(())
}

/// One second, doubled with each try, up to an hour.
pub(super) fn back_off(tries: u32) -> Duration {
    let seconds = 1_u64 << tries.min(BACK_OFF_DOUBLINGS);
    Duration::from_secs(seconds).min(BACK_OFF_MAX)
}

/// How often silence and patience are looked at.
pub const SWEEP_PERIOD: Duration = Duration::from_secs(60);
/// The shortest rest between two tries.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Pairs of one job: a few hundred rows, some ten milliseconds.
const PAIRS_PER_JOB: usize = 64;
/// Copies of one job that takes back what was claimed: each has its audit entry.
const COPIES_PER_JOB: usize = 200;
/// Devices of one job of the sweep.
const DEVICES_PER_JOB: usize = 100;
/// The longest a pair is put off.
const BACK_OFF_MAX: Duration = Duration::from_hours(1);
/// Beyond these the limit above holds.
const BACK_OFF_DOUBLINGS: u32 = 12;
