//! Who is there: when each device was last heard, how long it usually pauses, on which connections it speaks, and what it was
//! last answered.
//!
//! All of it is memory about the present; only the last hearing and the usual pause are written down, at most every
//! [`WRITTEN_EVERY`]. Nothing here is evidence: it decides when to wake a phone, never what it holds.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::endpoint::ConnectionId;
use crate::clock::Timestamp;
use crate::database::{Database, Error};
use crate::ids::{DeviceId, FolderId};
use crate::ledger::{Device, device};
use crate::policy;
use crate::recall::gate::Receipt;
use crate::recall::retraction::{self, Evidence};

/// What is known of the devices of this process's lifetime.
#[derive(Debug, Default)]
pub(in crate::eas) struct Presence(Mutex<HashMap<DeviceId, Seen>>);

#[derive(Debug)]
struct Seen {
    last: Timestamp,
    written: Timestamp,
    gap_p95_ms: u64,
    connections: [Option<ConnectionId>; CONNECTIONS_KNOWN],
    nudges: Vec<Timestamp>,
    answers: Vec<(FolderId, Last)>,
    /// The id of the search whose first page it asked for last.
    search: Option<Box<str>>,
}

/// The last answer for a folder that has not been proven.
#[derive(Clone, Debug)]
struct Last {
    seq: u64,
    /// The key it was asked for with.
    parent_seq: u64,
    /// How often that key was answered.
    times: u32,
    receipt: Receipt,
}

/// What has to be written down of a hearing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::eas) struct Note {
    at: Timestamp,
    gap_p95_ms: u64,
    returned: bool,
}

impl Presence {
    /// A device speaks. Says whether the row should be written, and remembers the connection.
    pub(in crate::eas) fn heard(
        &self,
        device: &Device,
        connection: ConnectionId,
        now: Timestamp,
    ) -> Option<Note> {
        let mut all = self.0.lock();
        let seen = all.entry(device.id).or_insert_with(|| Seen {
            last: device.last_seen,
            written: device.last_seen,
            gap_p95_ms: device.gap_p95_ms,
            connections: [None; CONNECTIONS_KNOWN],
            nudges: Vec::new(),
            answers: Vec::new(),
            search: None,
        });
        let gap = now.since(seen.last);
        seen.gap_p95_ms = estimate(seen.gap_p95_ms, gap);
        seen.last = now.max(seen.last);
        seen.meets(connection);
        if now.since(seen.written) < WRITTEN_EVERY {
            return None;
        }
        seen.written = now;
        Some(Note { at: now, gap_p95_ms: seen.gap_p95_ms, returned: gap >= SILENCE })
    }

    /// A device asks for the first page of a search.
    pub(in crate::eas) fn searches(&self, device: DeviceId, search: &str) {
        if let Some(seen) = self.0.lock().get_mut(&device) {
            seen.search = Some(search.into());
        }
    }

    /// Whether that search is the one it began last.
    pub(in crate::eas) fn is_searching(&self, device: DeviceId, search: &str) -> bool {
        let all = self.0.lock();
        all.get(&device).and_then(|seen| seen.search.as_deref()) == Some(search)
    }

    /// An answer for this folder is about to be written: its key is `seq`, and that of the request `parent_seq`.
    pub(in crate::eas) fn answers(
        &self,
        device: DeviceId,
        folder: FolderId,
        (parent_seq, seq): (u64, u64),
        receipt: Receipt,
    ) {
        let times = self.answered(device, folder, parent_seq).saturating_add(1);
        let mut all = self.0.lock();
        let Some(seen) = all.get_mut(&device) else { return };
        seen.answers.retain(|(other, _)| *other != folder);
        if seen.answers.len() < FOLDERS_KNOWN_MAX {
            // Most devices are answered for one folder, and there are many devices.
            seen.answers.reserve_exact(1);
            seen.answers.push((folder, Last { seq, parent_seq, times, receipt }));
        }
    }

    /// How often a request with this key was answered, as far as it is the last one that was.
    pub(in crate::eas) fn answered(
        &self,
        device: DeviceId,
        folder: FolderId,
        parent_seq: u64,
    ) -> u32 {
        let all = self.0.lock();
        let last = all
            .get(&device)
            .and_then(|seen| seen.answers.iter().find(|(other, _)| *other == folder))
            .filter(|(_, last)| last.parent_seq == parent_seq);
        last.map_or(0, |(_, last)| last.times)
    }

    /// Whether the answer with key `seq` may be lost: its write failed, or the phone now speaks on a new
    /// connection, or we do not remember writing it.
    pub(in crate::eas) fn may_be_lost(
        &self,
        device: DeviceId,
        folder: FolderId,
        seq: u64,
        is_new: bool,
    ) -> bool {
        let all = self.0.lock();
        let last = all
            .get(&device)
            .and_then(|seen| seen.answers.iter().find(|(other, _)| *other == folder))
            .filter(|(_, last)| last.seq == seq);
        match last {
            Some((_, last)) => is_new || last.receipt.whole() == Some(false),
            None => true,
        }
    }

    /// Whether the device has not spoken on this connection before. Ask before [`Presence::heard`].
    pub(in crate::eas) fn is_new(&self, device: DeviceId, connection: ConnectionId) -> bool {
        let all = self.0.lock();
        all.get(&device).is_none_or(|seen| !seen.connections.contains(&Some(connection)))
    }

    /// Takes one of the device's nudges of the hour, if there is one left.
    pub(in crate::eas) fn may_nudge(&self, device: DeviceId, max: usize, now: Timestamp) -> bool {
        let mut all = self.0.lock();
        let Some(seen) = all.get_mut(&device) else { return true };
        seen.nudges.retain(|at| now.since(*at) < HOUR);
        let may = seen.nudges.len() < max;
        if may {
            seen.nudges.push(now);
        }
        may
    }
}

impl Seen {
    fn meets(&mut self, connection: ConnectionId) {
        let known = self.connections.iter().position(|known| *known == Some(connection));
        self.connections[..=known.unwrap_or(CONNECTIONS_KNOWN - 1)].rotate_right(1);
        self.connections[0] = Some(connection);
    }
}

/// Writes a hearing down. A device that was silent for long lets recall know that it is back.
pub(in crate::eas) async fn write(
    database: &Database,
    device: DeviceId,
    note: Note,
) -> Result<(), Error> {
    let job = move |tx: &crate::database::Tx<'_>| {
        let Some(mut row) = device::load(tx, device)? else { return Ok(()) };
        row.last_seen = row.last_seen.max(note.at);
        row.gap_p95_ms = note.gap_p95_ms;
        device::store(tx, &row)?;
        if note.returned {
            retraction::heard(tx, device, note.at)?;
            if policy::is_barred(tx, device)? {
                let barred = Evidence::AccessBlocked;
                retraction::about_device(tx, device, barred, None, note.at)?;
            }
        }
        Ok(())
    };
    database.write(job).await
}

/// A running 95th percentile: nineteen steps up weigh as much as one down. Pauses too short to mean anything are left out.
fn estimate(known: u64, gap: Duration) -> u64 {
    let gap = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX).min(GAP_MS_MAX);
    if gap < GAP_MS_MIN {
        return known;
    }
    match known {
        0 => gap,
        known if gap > known => (known + (known / 5).max(1)).min(gap),
        known => known.saturating_sub(known / 100).max(gap),
    }
}

/// How often a device's row says when it was last heard.
const WRITTEN_EVERY: Duration = Duration::from_secs(30);
/// Silence after which a device counts as returned.
const SILENCE: Duration = Duration::from_secs(10 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Connections of one device that are told apart.
const CONNECTIONS_KNOWN: usize = 4;
/// Folders of one device whose last answer is remembered.
const FOLDERS_KNOWN_MAX: usize = 32;
/// Shortest pause that says something about a device's habits, in milliseconds.
const GAP_MS_MIN: u64 = 1_000;
/// Longest pause that counts: four weeks.
const GAP_MS_MAX: u64 = 28 * 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_pause_rises_fast_and_falls_slowly() {
        let mut p95 = 0;
        for _ in 0..200 {
            p95 = estimate(p95, Duration::from_secs(60));
        }
        assert_eq!(p95, 60_000);
        p95 = estimate(p95, Duration::from_secs(3600));
        assert_eq!(p95, 72_000);
        for _ in 0..10 {
            p95 = estimate(p95, Duration::from_secs(60));
        }
        assert!(p95 > 60_000 && p95 < 72_000);
        assert_eq!(estimate(p95, Duration::from_millis(20)), p95);
    }
}
