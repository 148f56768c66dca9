//! Items of a turn that could not be shown: those of before, which are tried again, and those of now.

use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{FolderId, ItemNumber};
use crate::ledger::holding::{self, Kind};
use crate::ledger::{Place, isolated};
use crate::mailbox::{Mailbox, MailboxError};

/// What a turn knows of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Again {
    /// To be tried again.
    pub(super) due: Vec<ItemNumber>,
    /// Those of them that are gone.
    vanished: Vec<ItemNumber>,
    /// Cannot be shown now.
    isolated: Vec<ItemNumber>,
}

impl Again {
    /// What the books say.
    pub(super) fn load(tx: &Tx<'_>, place: Place, now: Timestamp) -> Result<Again, Error> {
        let due = isolated::due(tx, place, now, TRIED_MAX)?;
        Ok(Again { due, ..Again::default() })
    }

    /// A plan begins: nothing has failed yet.
    pub(super) async fn begin(
        &mut self,
        store: &dyn Mailbox,
        folder: FolderId,
    ) -> Result<(), MailboxError> {
        self.isolated.clear();
        if self.due.is_empty() {
            return Ok(());
        }
        let live = store.items(folder, &self.due).await?;
        let is_gone = |item: &ItemNumber| live.iter().all(|live| live.item != *item);
        self.vanished = self.due.iter().copied().filter(is_gone).collect();
        Ok(())
    }

    /// An item cannot be shown.
    pub(super) fn isolate(&mut self, item: ItemNumber) {
        self.isolated.push(item);
    }

    /// Writes down what came of it. What was shown stays due until it is proven to have arrived.
    pub(super) fn write(&self, tx: &Tx<'_>, place: Place, now: Timestamp) -> Result<(), Error> {
        for item in &self.isolated {
            isolated::note(tx, place, *item, now)?;
        }
        if self.due.is_empty() {
            return Ok(());
        }
        let due = self.due.iter().map(|item| item.0).collect();
        let arrived = holding::among(tx, place, Kind::Held, &due)?;
        for item in arrived.iter().map(ItemNumber).chain(self.vanished.iter().copied()) {
            isolated::forget(tx, place, item)?;
        }
        Ok(())
    }
}

/// Items that are tried again in one answer.
const TRIED_MAX: usize = 16;
