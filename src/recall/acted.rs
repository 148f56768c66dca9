//! That a device acted on a message by a mail of its own: circumstantial, and booked whether or not anybody has recalled anything.
//!
//! A SmartReply names its source, so its books are certain and written where it is served. A SendMail names what it answers in
//! In-Reply-To and References, or carries it, or carries a file of it; apps that lost their connection send replies this way.

use roaring::RoaringBitmap;

use super::likeness::{self, Carries, Sign};
use super::retraction;
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, IdentityId, MailboxId};
use crate::ledger::{self, DetailKind, Exposure, Held, Place, holding};

/// A mail that is about to leave.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    /// From which device.
    pub device: DeviceId,
    /// Of which mailbox.
    pub mailbox: MailboxId,
    /// What it answers and carries.
    pub carries: &'a Carries,
    /// To whom it goes, in words.
    pub to: &'a str,
}

/// Books on every message the mail has to do with, and of which the device was given something, that the device acted on it. Call it
/// in the transaction that takes the mail.
pub fn note_acted(tx: &Tx<'_>, mail: Leaving<'_>, now: Timestamp) -> Result<(), Error> {
    for (identity, sign) in likeness::named(tx, mail.carries)? {
        let given = ledger::who_holds(tx, identity, mail.mailbox)?;
        let given: Vec<Held> = given
            .into_iter()
            .filter(|held| held.device == mail.device && held.exposure.any_content())
            .collect();
        if !given.is_empty() {
            note_one(tx, mail, identity, sign, &given, now)?;
        }
    }
    Ok(())
}

fn note_one(
    tx: &Tx<'_>,
    mail: Leaving<'_>,
    identity: IdentityId,
    sign: Sign,
    given: &[Held],
    now: Timestamp,
) -> Result<(), Error> {
    for held in given {
        let place = Place { device: held.device, folder: held.folder };
        let items = RoaringBitmap::from_iter([held.item.0]);
        holding::expose(tx, place, Exposure::ACTED, &items)?;
        retraction::exposed(tx, held.device, held.folder, held.item, Exposure::ACTED)?;
    }
    let detail = format!("by its {}, circumstantial; to {}", sign.text(), mail.to);
    ledger::note_detail(tx, mail.device, identity, DetailKind::Referred, &detail, now)?;
    let event = Event::new("mail.acted")
        .id("device", mail.device)
        .id("identity", identity)
        .text("verb", "referred")
        .text("sign", sign.text())
        .personal("recipients", mail.to);
    audit::note(tx, now, &event).map(drop)
}
