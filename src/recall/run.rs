//! Carries an order out once its fence stands: looks devices up, wakes them, empties the store into the vault, puts back what was cancelled,
//! says who is silent.
//!
//! The work list is the `step` of each pair, so whatever a crash interrupts is taken up at the next start; every batch is one short job of
//! recall's own queue. A pair that fails is put off and does not hold up the others.

use std::collections::HashSet;
use std::time::Duration;

use super::enforce::{Situation, Step, next_step};
use super::facts::{DeviceFacts, Exposure, Held};
use super::reason::ReasonCode;
use super::retraction::{self, Evidence, State, next};
use super::tables::{self, CopyRow, PairRow, Work};
use super::{Recall, RecallError, Rooms, vault};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, FolderId, ItemNumber};

impl Recall {
    /// Does everything that is due now: looks up devices, removes, restores. Safe to call at any time, by several at once.
    pub async fn work_off(&self) -> Result<(), RecallError> {
        for work in [Work::Expand, Work::Remove, Work::Restore] {
            while self.batch(work).await? > 0 {}
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
                    let devices = tables::devices_owed(tx, after, DEVICES_PER_JOB)?;
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
        while !*stop.borrow_and_update() {
            asked.mark_unchanged();
            if let Err(error) = self.work_off().await {
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
            }
        }
    }

    /// Until the next pair that was put off is due, or the next sweep.
    async fn pause(&self) -> Duration {
        let next = self.db.read(|tx| tables::next_try(tx)).await;
        let until = next.ok().flatten().map(|at| at.since(self.clock.now()));
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
        let (rooms, clock) = (self.rooms.clone(), self.clock.clone());
        self.db
            .write_first(move |tx| {
                let now = clock.now();
                let pairs = tables::pairs_waiting(tx, work, now, limit)?;
                for pair in &pairs {
                    carry_out(tx, &rooms, work, pair, now)?;
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
                    tables::put_off(tx, pair, now.after(back_off(pair.tries)))?;
                }
                Ok(pairs.len())
            })
            .await
    }
}

fn carry_out(
    tx: &Tx<'_>,
    rooms: &Rooms,
    work: Work,
    pair: &PairRow,
    now: Timestamp,
) -> Result<(), Error> {
    match work {
        Work::Expand => expand(tx, rooms, pair, now),
        Work::Remove => vault::take_out(tx, rooms, pair, now).map(drop),
        _ => vault::put_back(tx, rooms, pair, now).map(drop),
    }
}

/// Turns a pair into the copies its devices hold, or into `Prevented` where they hold none.
fn expand(tx: &Tx<'_>, rooms: &Rooms, pair: &PairRow, now: Timestamp) -> Result<(), Error> {
    let held = rooms.ledger.who_holds(tx, pair.identity, pair.mailbox)?;
    let devices = rooms.ledger.devices(tx, pair.mailbox)?;
    let mut with_copies = HashSet::new();
    for copy in &held {
        let has_gap = has_gap(tx, rooms, &devices, copy.device)?;
        for row in rows_of(pair, copy, has_gap, now) {
            with_copies.insert(copy.device);
            write_new(tx, rooms, &row, now)?;
        }
    }
    for device in devices.iter().filter(|device| !with_copies.contains(&device.id)) {
        let seen = held.iter().filter(|copy| copy.device == device.id);
        let exposure = seen.fold(Exposure::default(), |all, copy| all.with(copy.exposure));
        for row in rows_without(tx, rooms, pair, device, exposure, now)? {
            write_new(tx, rooms, &row, now)?;
        }
    }
    tables::set_step(tx, pair, Work::Remove)
}

fn has_gap(
    tx: &Tx<'_>,
    rooms: &Rooms,
    devices: &[DeviceFacts],
    device: DeviceId,
) -> Result<bool, Error> {
    if let Some(facts) = devices.iter().find(|facts| facts.id == device) {
        return Ok(facts.has_gap);
    }
    Ok(rooms.ledger.device(tx, device)?.is_some_and(|facts| facts.has_gap))
}

/// The rows of one copy the ledger knows: itself, and what a search left beside it. None when nothing of it was content.
fn rows_of(pair: &PairRow, held: &Held, has_gap: bool, now: Timestamp) -> Vec<CopyRow> {
    let exposure = if has_gap { held.exposure.with(Exposure::GAP) } else { held.exposure };
    if !exposure.is_content() && !has_gap {
        return Vec::new();
    }
    let mut evidence = vec![Evidence::MayBeHeld];
    let mut reason =
        exposure.has(Exposure::ATTACHMENT).then_some(ReasonCode::AttachmentSavedPossible);
    if !held.is_open {
        evidence.push(Evidence::RemovedEarlier);
        reason = Some(ReasonCode::RemovedEarlier);
    } else if !held.is_synced {
        evidence.push(Evidence::CollectionDropped);
    }
    let at = (held.device, held.folder, held.item);
    let mut rows = vec![row(pair, at, &evidence, exposure, reason, now)];
    if exposure.has(Exposure::SEARCHED) {
        let reason = Some(ReasonCode::SearchCopy);
        let search = row(pair, at, &[Evidence::BeyondDelete], exposure, reason, now);
        rows.push(CopyRow { is_search: true, ..search });
    }
    rows
}

/// The rows of a device of which the ledger knows no copy. With a gap nothing can be excluded, so what lies in the store is owed a
/// `Delete`, and without a copy there we can only say so.
fn rows_without(
    tx: &Tx<'_>,
    rooms: &Rooms,
    pair: &PairRow,
    device: &DeviceFacts,
    exposure: Exposure,
    now: Timestamp,
) -> Result<Vec<CopyRow>, Error> {
    let nowhere = (device.id, FolderId(0), ItemNumber(0));
    if !device.has_gap {
        let evidence = [Evidence::NeverSent { gap: false }];
        return Ok(vec![row(pair, nowhere, &evidence, exposure, None, now)]);
    }
    let exposure = exposure.with(Exposure::GAP);
    let reason = Some(ReasonCode::LedgerGap);
    let copies = rooms.store.copies_in(tx, pair.identity, pair.mailbox)?;
    if copies.is_empty() {
        return Ok(vec![row(pair, nowhere, &[Evidence::BeyondDelete], exposure, reason, now)]);
    }
    let at = |folder, item| (device.id, folder, item);
    Ok(copies
        .iter()
        .map(|copy| {
            let at = at(copy.folder, copy.item);
            row(pair, at, &[Evidence::MayBeHeld], exposure, reason, now)
        })
        .collect())
}

fn row(
    pair: &PairRow,
    (device, folder, item): (DeviceId, FolderId, ItemNumber),
    evidence: &[Evidence],
    exposure: Exposure,
    reason: Option<ReasonCode>,
    now: Timestamp,
) -> CopyRow {
    let state = evidence
        .iter()
        .try_fold(State::Fenced, |state, evidence| next(state, *evidence))
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
        acked_at: (state == State::Acknowledged).then_some(now),
        woken_at: None,
        replays: 0,
        reason,
        updated_at: now,
    }
}

/// Writes a row that is not there yet, notes it, and wakes the device where a `Delete` is owed.
fn write_new(tx: &Tx<'_>, rooms: &Rooms, row: &CopyRow, now: Timestamp) -> Result<(), Error> {
    if !tables::insert_copy(tx, row)? {
        return Ok(());
    }
    retraction::note(tx, now, row, State::Fenced)?;
    let (signals, device, folder) = (rooms.signals.clone(), row.device, row.folder);
    let is_owed = row.state == State::Queued && !row.is_search;
    tx.on_commit(move || {
        if is_owed {
            signals.wake(device, folder);
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
    let facts = rooms.ledger.device(tx, device)?;
    for copy in tables::owed_on(tx, device)? {
        let since = tables::order(tx, copy.order)?.map_or(copy.updated_at, |order| order.fenced_at);
        let situation = Situation {
            state: copy.state,
            since,
            replays: copy.replays,
            last_seen: facts.as_ref().and_then(|facts| facts.last_seen),
            pause_p95: facts.as_ref().and_then(|facts| facts.pause_p95),
            was_woken: copy.woken_at.is_some(),
        };
        match next_step(policy, now, &situation) {
            Step::MarkSilent => retraction::advance(tx, now, copy, Evidence::NoContact, |copy| {
                copy.reason = copy.reason.or(Some(ReasonCode::ClientSilent));
            })
            .map(drop)?,
            Step::GiveUp => {
                retraction::advance(tx, now, copy, Evidence::GivenUp, |_| {}).map(drop)?;
            }
            Step::OrderResync => {
                retraction::advance(tx, now, copy, Evidence::ResyncAsked, |_| {}).map(drop)?;
            }
            Step::Wake => {
                let (signals, folder) = (rooms.signals.clone(), copy.folder);
                tx.on_commit(move || signals.wake(device, folder));
            }
            Step::Rest | Step::Nudge => {}
        }
    }
    Ok(())
}

/// One second, doubled with each try, up to an hour.
fn back_off(tries: u32) -> Duration {
    let seconds = 1_u64 << tries.min(BACK_OFF_DOUBLINGS);
    Duration::from_secs(seconds).min(BACK_OFF_MAX)
}

/// How often silence and patience are looked at.
pub const SWEEP_PERIOD: Duration = Duration::from_secs(60);
/// The shortest rest between two tries.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Pairs of one job: a few hundred rows, some ten milliseconds.
const PAIRS_PER_JOB: usize = 64;
/// Devices of one job of the sweep.
const DEVICES_PER_JOB: usize = 100;
/// The longest a pair is put off.
const BACK_OFF_MAX: Duration = Duration::from_hours(1);
/// Beyond these the limit above holds.
const BACK_OFF_DOUBLINGS: u32 = 12;
