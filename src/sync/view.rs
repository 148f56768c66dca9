//! What the device has of the items a plan looks at.

use roaring::RoaringBitmap;

use super::plan::View;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{ItemNumber, MailboxId};
use crate::ledger::holding::{self, Kind};
use crate::ledger::{Collection, Exposure, Proof, uploads};
use crate::mailbox::{Change, Item};
use crate::recall::gate::{self, Content};

/// The items a plan is about to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    items: RoaringBitmap,
    lines: Vec<(u32, u64)>,
    contents: Vec<Content>,
}

impl Subject {
    pub(super) fn of_changes(
        mailbox: MailboxId,
        collection: &Collection,
        changes: &[Change],
    ) -> Subject {
        let mut subject = Subject::default();
        for change in changes {
            match change {
                Change::Live(item) => {
                    subject.lines.push((item.item.0, item.seq));
                    subject.add(mailbox, collection, item);
                }
                Change::Gone { item, seq } => {
                    subject.lines.push((item.0, *seq));
                    subject.items.insert(item.0);
                }
            }
        }
        subject
    }

    pub(super) fn of_numbers(items: &[ItemNumber]) -> Subject {
        Subject { items: items.iter().map(|item| item.0).collect(), ..Subject::default() }
    }

    pub(super) fn of_items(mailbox: MailboxId, collection: &Collection, items: &[Item]) -> Subject {
        let mut subject = Subject::default();
        for item in items {
            subject.add(mailbox, collection, item);
        }
        subject
    }

    fn add(&mut self, mailbox: MailboxId, collection: &Collection, item: &Item) {
        self.items.insert(item.item.0);
        self.contents.push(Content {
            mailbox,
            folder: collection.place.folder,
            item: item.item,
            identity: item.identity,
            exposure: Exposure::NEVER,
        });
    }
}

/// Looks them up, as the books stand once `proof` has been written.
pub(super) fn look(
    tx: &Tx<'_>,
    collection: &Collection,
    proof: Option<&Proof>,
    subject: &Subject,
    now: Timestamp,
) -> Result<View, Error> {
    let (place, items) = (collection.place, &subject.items);
    let among = |kind| holding::among(tx, place, kind, items);
    let mut view = View {
        held: among(Kind::Held)?,
        may: among(Kind::Loose)? | among(Kind::Former)? | (collection.offered() & items),
        read: among(Kind::Read)?,
        flagged: among(Kind::Flagged)?,
        unsure: among(Kind::Unsure)? | (collection.offered_changes() & items),
        ..View::default()
    };
    if let Some(proof) = proof {
        let own = uploads::changed_with(tx, place, proof.arrived.key.seq)?;
        believe(&mut view, proof, &own, items);
    }
    view.may |= &view.held;
    for &(item, seq) in &subject.lines {
        if uploads::is_echo(tx, place, item, seq)? {
            view.echoes.insert((item, seq));
        }
    }
    for (_, item) in gate::fenced_among(tx, &subject.contents, now)? {
        view.fenced.insert(item.0);
    }
    Ok(view)
}

fn believe(view: &mut View, proof: &Proof, own: &RoaringBitmap, items: &RoaringBitmap) {
    let delta = &proof.arrived.delta;
    let (gone, touched) = (delta.gone(), &delta.adds | &delta.changes);
    view.held = ((&view.held | (&delta.adds & items)) - &gone) & items;
    view.may -= &gone;
    view.may |= proof.perhaps_there() & items;
    // What the phone changed after it took the answer in stands as it said.
    let sure = &touched - own;
    view.read = (&view.read - &sure) | (&delta.read & &sure & items);
    view.flagged = (&view.flagged - &sure) | (&delta.flagged & &sure & items);
    view.unsure = ((&view.unsure | proof.dropped_changes()) - &sure) | (&touched & own);
    view.unsure &= items;
}
