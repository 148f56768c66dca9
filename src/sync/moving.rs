//! Moving an item for a phone, once ([MS-ASCMD] 2.2.1.12).

use super::{Engine, SyncError};
use crate::database::Tx;
use crate::ids::ItemNumber;
use crate::ledger::Place;
use crate::ledger::moves::{self, Move};
use crate::mailbox::{Change, Cursor, Folder, MailboxError};
use crate::recall;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It lies there under this number.
    To(ItemNumber),
    /// There is no such item, or it was recalled.
    NoSuchItem,
}

impl Engine {
    /// Moves an item from one folder of a mailbox to another. The same move again gives the earlier result for 14 days.
    pub async fn move_item(
        &self,
        from: Place,
        item: ItemNumber,
        to: &Folder,
    ) -> Result<Moved, SyncError> {
        let to_id = to.id;
        let known = self.database.read(move |tx| moves::known(tx, from, item, to_id)).await?;
        if let Some(Move { to_item: Some(moved), .. }) = known {
            return Ok(Moved::To(moved));
        }
        if self.names_recalled(to.mailbox, from, item).await? {
            return Ok(Moved::NoSuchItem);
        }
        let Some(live) = self.store.items(from.folder, &[item]).await?.into_iter().next() else {
            return self.unfinished(from, item, to, known).await;
        };
        let to_cursor = self.store.head(to.id).await?.0;
        let intent = Move { identity: live.identity, to_cursor, to_item: None };
        let now = self.clock.now();
        let job = move |tx: &Tx<'_>| moves::intend(tx, from, item, to_id, intent, now);
        self.database.write(job).await?;
        crate::failpoint!("move.after_intent");
        match self.store.move_item(from.folder, item, to.id).await {
            Ok(moved) => self.moved(from, item, to, Move { to_item: Some(moved), ..intent }).await,
            Err(MailboxError::NoSuchItem) => Ok(Moved::NoSuchItem),
            Err(error) => Err(error.into()),
        }
    }

    /// The item has gone although a move was only intended: the process died in between. The message is looked for among what
    /// came into the destination since.
    async fn unfinished(
        &self,
        from: Place,
        item: ItemNumber,
        to: &Folder,
        known: Option<Move>,
    ) -> Result<Moved, SyncError> {
        let Some(intent) = known else { return Ok(Moved::NoSuchItem) };
        let delta =
            self.store.changes_since(to.id, Cursor(intent.to_cursor), LINES_SEARCHED_MAX).await?;
        let arrived = delta.changes.iter().find_map(|change| match change {
            Change::Live(there) if there.identity == intent.identity => Some(there.item),
            _ => None,
        });
        match arrived {
            Some(moved) => {
                self.moved(from, item, to, Move { to_item: Some(moved), ..intent }).await
            }
            None => Ok(Moved::NoSuchItem),
        }
    }

    async fn moved(
        &self,
        from: Place,
        item: ItemNumber,
        to: &Folder,
        moved: Move,
    ) -> Result<Moved, SyncError> {
        crate::failpoint!("move.after_store");
        let (now, board, target) = (self.clock.now(), self.board.clone(), (to.mailbox, to.id));
        let job = move |tx: &Tx<'_>| {
            moves::done(tx, from, item, target, moved, now)?;
            // An order that was committed while the store moved it covers the new place too.
            recall::bind_late(tx, &board, moved.identity, target.0, now)
        };
        self.database.write(job).await?;
        Ok(moved.to_item.map_or(Moved::NoSuchItem, Moved::To))
    }
}

/// Lines of the destination's log that are searched for a message whose move was cut short.
const LINES_SEARCHED_MAX: usize = 4096;
