//! Both sides changed an item: who wins ([MS-ASCMD] 2.2.3.34).
//!
//! A mail's read mark and its flag are changed one by one, so a conflict is about one of them: the phone sets it otherwise than
//! the store has it now, and what the phone believes it to be is not what the store has either. Of categories, and of the details
//! of a flag, nobody keeps what each phone believes: there the phone's word is the later one. A draft is one whole: any change that
//! the phone has not heard of is in conflict with its own.

use roaring::RoaringBitmap;

use super::upload::Upload;
use super::{Engine, SyncError};
use crate::database::{self, Tx};
use crate::ids::ItemNumber;
use crate::ledger::Place;
use crate::ledger::holding::{self, Kind};
use crate::mailbox::{Item, StateChange};

/// Who wins where both sides changed an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wins {
    /// The phone: what it sends is carried out.
    Phone,
    /// The store, which is the protocol's default: what the phone sends is discarded, and it gets the store's copy.
    #[default]
    Store,
}

/// What a phone believes of an item, as far as the books know.
struct Belief {
    read: bool,
    flagged: bool,
    is_sure: bool,
}

impl Engine {
    /// Whether this command, under the key numbered `parent`, changes what somebody else has changed and the phone has not heard of.
    pub(super) async fn conflicts(
        &self,
        place: Place,
        parent: u64,
        upload: &Upload,
    ) -> Result<bool, SyncError> {
        let (item, change) = match upload {
            Upload::Change { item, change } => (*item, Some(change)),
            Upload::ChangeDraft { item, .. } => (*item, None),
            Upload::Delete { .. } | Upload::AddDraft { .. } => return Ok(false),
        };
        let Some(live) = self.store.items(place.folder, &[item]).await?.into_iter().next() else {
            return Ok(false);
        };
        if self.knows(place, parent, item, live.seq).await? {
            return Ok(false);
        }
        let Some(change) = change else { return Ok(true) };
        let belief = self.database.read(move |tx| believed(tx, place, item)).await?;
        Ok(contradicts(&live, change, &belief))
    }
}

fn believed(tx: &Tx<'_>, place: Place, item: ItemNumber) -> Result<Belief, database::Error> {
    let item = RoaringBitmap::from_iter([item.0]);
    let has = |kind| holding::among(tx, place, kind, &item).map(|found| !found.is_empty());
    Ok(Belief {
        read: has(Kind::Read)?,
        flagged: has(Kind::Flagged)?,
        is_sure: has(Kind::Held)? && !has(Kind::Unsure)?,
    })
}

fn contradicts(live: &Item, change: &StateChange, belief: &Belief) -> bool {
    let read = change.read.is_some_and(|read| read != live.read && belief.read != live.read);
    let is_flagged = live.flag.is_some();
    let flag =
        change.flag.as_ref().is_some_and(|flag| *flag != live.flag && belief.flagged != is_flagged);
    belief.is_sure && (read || flag)
}
