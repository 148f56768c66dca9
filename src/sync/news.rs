//! Is there anything to fetch? What a Ping and a waiting Sync ask before they wait and after a bell rang.

use super::looker::{Asks, plan_from};
use super::{Engine, Plan, SyncError, window};
use crate::database::Tx;
use crate::ids::MailboxId;
use crate::ledger::{Claim, Collection, Device, Place, Verdict};
use crate::mailbox::Folder;
use crate::recall::retraction;

/// The most pressing thing the next Sync of a collection would bring, measured against the newest answer given to the device,
/// whether proven or not ([MS-ASCMD] 2.2.1.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// Nothing, or the device has never synced it.
    None,
    /// States only: delivered with the next answer, worth no wake.
    Changes,
    /// Deletions by other clients: worth a wake after a pause.
    Removals,
    /// New mail, or the rest of an enumeration.
    Arrivals,
    /// A recall has a Delete for this device.
    Recall,
}

/// Statements looked at before saying that there is news.
const LOOK_AHEAD: usize = 50;

impl Engine {
    /// What the next Sync of this collection would bring.
    pub async fn news(&self, mailbox: MailboxId, place: Place) -> Result<News, SyncError> {
        let loaded = self
            .database
            .read(move |tx| {
                let collection = Collection::load(tx, place)?;
                // More than one answer carries, so that one that is out does not hide those that are not.
                let due =
                    retraction::due(tx, place.device, place.folder, super::window::WINDOW_MAX + 1)?;
                let resync = !due.is_empty()
                    && collection.as_ref().is_some_and(|collection| !collection.resetting)
                    && retraction::resync_waits(tx, place.device, place.folder)?;
                Ok::<_, crate::database::Error>((collection, due, resync))
            })
            .await?;
        let (Some(mut collection), due, resync) = loaded else { return Ok(News::None) };
        let newest = collection.in_flight.last().map(|offer| offer.delta.retracts.clone());
        let owed =
            due.iter().any(|item| !newest.as_ref().is_some_and(|sent| sent.contains(item.0)));
        if owed || resync {
            return Ok(News::Recall);
        }
        let newest = collection.in_flight.len().checked_sub(1);
        let proof = newest.map(|index| collection.promote(index));
        let asks = Asks { room: LOOK_AHEAD, ..Asks::default() };
        let (plan, _) = plan_from(self, mailbox, &collection, proof.as_ref(), asks).await?;
        Ok(classify(&plan))
    }
}

/// How much the next Sync of a collection would bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// So many statements, up to the largest window.
    Statements(usize),
    /// The device has never synced it.
    NotPrimed,
    /// The key is not one to go on from.
    InvalidKey,
}

impl Engine {
    /// What a Sync with this key would bring. Asks only: the key proves nothing here, and nothing is written.
    pub async fn foresee(
        &self,
        device: &Device,
        folder: &Folder,
        claim: Claim,
        filter: Option<u8>,
    ) -> Result<Foreseen, SyncError> {
        let (books, who, id) = (self.books.clone(), device.clone(), folder.id);
        let job = move |tx: &Tx<'_>| {
            let standing = books.stand(tx, &who, id, claim)?;
            let due = retraction::due(tx, who.id, id, window::WINDOW_MAX)?;
            Ok::<_, crate::database::Error>((standing, due))
        };
        let (mut standing, due) = self.database.read(job).await?;
        if standing.collection.seq_max == 0 || standing.verdict == Verdict::First {
            return Ok(Foreseen::NotPrimed);
        }
        if matches!(standing.verdict, Verdict::Regressed | Verdict::Ahead | Verdict::Forged) {
            return Ok(Foreseen::InvalidKey);
        }
        if let Some(filter) = filter {
            standing.collection.filter = filter;
        }
        let proof = standing.proof.as_ref();
        let due = super::turn::still_due(due, proof);
        let asks = Asks { due, room: window::WINDOW_MAX, ..Asks::default() };
        let (plan, _) = plan_from(self, folder.mailbox, &standing.collection, proof, asks).await?;
        Ok(Foreseen::Statements(plan.len()))
    }
}

fn classify(plan: &Plan) -> News {
    if !plan.adds.is_empty() {
        News::Arrivals
    } else if !plan.deletes.is_empty() || !plan.soft_deletes.is_empty() {
        News::Removals
    } else if !plan.changes.is_empty() {
        News::Changes
    } else if plan.more {
        News::Arrivals
    } else {
        News::None
    }
}
