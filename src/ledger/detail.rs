//! Single events that exposed a message or showed its use, told one by one beside the flags: which file left and which octets of it,
//! how much of a body, when a read was claimed, to whom it was answered.
//!
//! Only what is rare is told here: what a device fetched, read or acted on by name. What a Sync adds is in the flags and in the journal.
//! The same event again is counted. Beyond [`DETAILS_MAX`] different events of one message on one device the rest is one number, so
//! nobody fills the books by asking for a file octet by octet.

pub(super) mod tables;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, IdentityId};

/// What happened. The numbers are what the database holds, so they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetailKind {
    /// A body was fetched, whole or in part.
    BodySent = 1,
    /// A file was fetched, whole or in part.
    AttachmentSent = 2,
    /// The device said it was read.
    ReadClaimed = 3,
    /// It was replied to: certain.
    Replied = 4,
    /// It was forwarded: certain.
    Forwarded = 5,
    /// A mail left that names it, or carries it or a file of it: circumstantial.
    Referred = 6,
    /// More events than are told one by one.
    More = 7,
}

impl DetailKind {
    const ALL: [DetailKind; 7] = {
        use DetailKind::*;
        [BodySent, AttachmentSent, ReadClaimed, Replied, Forwarded, Referred, More]
    };

    /// Its name in reports and JSON.
    pub fn name(self) -> &'static str {
        match self {
            DetailKind::BodySent => "body_sent",
            DetailKind::AttachmentSent => "attachment_sent",
            DetailKind::ReadClaimed => "read_claimed",
            DetailKind::Replied => "replied",
            DetailKind::Forwarded => "forwarded",
            DetailKind::Referred => "referred",
            DetailKind::More => "more",
        }
    }

    fn number(self) -> i64 {
        self as i64
    }

    fn from_number(number: i64) -> DetailKind {
        DetailKind::ALL.into_iter().find(|kind| kind.number() == number).unwrap_or(DetailKind::More)
    }
}

/// One event, or the same one several times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What happened.
    pub kind: DetailKind,
    /// Of what, to whom, how much: words for people.
    pub detail: String,
    /// When first.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
    /// How often.
    pub times: u64,
}

/// Books an event. Call it in the transaction that books the exposure itself.
pub fn note_detail(
    tx: &Tx<'_>,
    device: DeviceId,
    identity: IdentityId,
    kind: DetailKind,
    detail: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let text: String = detail.chars().take(DETAIL_CHARS_MAX).collect();
    if tables::count_again(tx, identity, device, kind.number(), &text, now)? {
        return Ok(());
    }
    let is_full = tables::count(tx, identity, device)? >= DETAILS_MAX;
    match is_full {
        true => tables::add(tx, identity, device, DetailKind::More.number(), "", now),
        false => tables::add(tx, identity, device, kind.number(), &text, now),
    }
}

/// The events of a message on every device, each device's in the order in which they happened first.
pub fn details_of(tx: &Tx<'_>, identity: IdentityId) -> Result<Vec<(DeviceId, Detail)>, Error> {
    tables::of_message(tx, identity)
}

/// Different events of one message on one device that are told one by one.
pub const DETAILS_MAX: u64 = 64;
/// Characters of one event's words.
const DETAIL_CHARS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::database::{Database, Options};

    #[test]
    fn an_event_is_told_once_however_often_it_comes_and_a_flood_is_one_number() {
        let clock = Clock::manual(Timestamp(1_000));
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        let (phone, mail) = (DeviceId(1), IdentityId(2));
        let found = db.write_blocking(move |tx| {
            let note = |text: &str, at| {
                note_detail(tx, phone, mail, DetailKind::AttachmentSent, text, Timestamp(at))
            };
            note("plan.csv, octets 0-9 of 90", 1)?;
            note("plan.csv, octets 0-9 of 90", 2)?;
            for octet in 0..100 {
                note(&format!("plan.csv, octets {octet}-{octet} of 90"), 3)?;
            }
            note_detail(tx, DeviceId(9), mail, DetailKind::ReadClaimed, "", Timestamp(4))?;
            details_of(tx, mail)
        });
        let found: Vec<(DeviceId, Detail)> = found.unwrap();
        let (device, first) = &found[0];
        assert_eq!((*device, first.times, first.last_at), (phone, 2, Timestamp(2)));
        let more = found.iter().find(|(_, detail)| detail.kind == DetailKind::More).unwrap();
        assert_eq!(more.1.times, 100 + 1 - DETAILS_MAX);
        let of_phone = found.iter().filter(|(device, _)| *device == phone).count() as u64;
        assert_eq!(of_phone, DETAILS_MAX + 1);
        assert_eq!(found.last().unwrap().1.kind, DetailKind::ReadClaimed);
    }
}
