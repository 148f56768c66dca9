//! Folders that a person makes, renames and deletes on a phone: on the server first, then here.

use imap_sans::{Command, Mailbox, SelectSync};

use super::Imap;
use super::change::is_fixed;
use super::hierarchy::subscribe;
use super::tables::{self, Place};
use crate::ids::{CollectionNumber, FolderId, ItemNumber, MailboxId};
use crate::mailbox::embedded::mirrored;
use crate::mailbox::{Folder, MailboxError};

/// Why a folder stays for a moment: what is recalled in it must be sealed first.
const RECALLING: &str = "a recalled message is being taken out of the folder";

impl Imap {
    pub(super) async fn make_folder(
        &self,
        mailbox: MailboxId,
        parent: CollectionNumber,
        name: String,
    ) -> Result<Folder, MailboxError> {
        let lock = self.lock_hierarchy(mailbox);
        let _alone = lock.lock().await;
        // Our own rules first, in a transaction that is taken back: the server is asked for nothing it would have to undo.
        let wish = name.clone();
        self.read(move |tx| mirrored::check_new_folder(tx, mailbox, parent, &wish)).await?;
        let mut session = self.pool().session(mailbox, None).await?;
        let wire = self.wire_below(&mut session, mailbox, parent, &name).await?;
        let command = Command::Create { mailbox: wire.clone(), special_use: None };
        session.link.run(command).await?;
        subscribe(&mut session, &wire).await?;
        let (opened, _) = session.select(&wire, SelectSync::Plain).await?;
        self.write(move |tx, store| {
            let made = mirrored::create_folder(tx, store, mailbox, parent, &name)?;
            let object_id = opened.object_id.clone();
            let (wire, kind) = (wire.clone(), Some(made.kind));
            let (folder, selectable, uid_validity) = (made.id, true, 0);
            let place = Place { folder, mailbox, wire, selectable, object_id, uid_validity, kind };
            tables::put_place(tx, &place)?;
            Ok(made)
        })
        .await
    }

    pub(super) async fn rename(
        &self,
        folder: FolderId,
        parent: CollectionNumber,
        name: String,
    ) -> Result<Folder, MailboxError> {
        let old = self.read(move |tx| mirrored::folder_by_id(tx, folder)).await?;
        let lock = self.lock_hierarchy(old.mailbox);
        let _alone = lock.lock().await;
        let wish = name.clone();
        self.read(move |tx| mirrored::check_rename(tx, folder, parent, &wish)).await?;
        let mut session = self.pool().session(old.mailbox, None).await?;
        let from = self.wire(folder).await?;
        let to = self.wire_below(&mut session, old.mailbox, parent, &name).await?;
        if from != to {
            // A folder that is open cannot be renamed on every server.
            session.opened = None;
            session.link.run(Command::Rename { from: from.clone(), to: to.clone() }).await?;
            session.link.run(Command::Unsubscribe(from.clone())).await?;
            subscribe(&mut session, &to).await?;
        }
        let delimiter = delimiter_of(&mut session).await?;
        self.write(move |tx, store| {
            let renamed = mirrored::rename_exactly(tx, store, folder, parent, &name)?;
            // Those below moved with it.
            for place in tables::places(tx, old.mailbox)? {
                if let Some(wire) = moved(&place.wire, &from, &to, delimiter) {
                    tables::put_place(tx, &Place { wire, ..place })?;
                }
            }
            Ok(renamed)
        })
        .await
    }

    pub(super) async fn remove_folder(
        &self,
        folder: FolderId,
    ) -> Result<Vec<FolderId>, MailboxError> {
        let top = self.read(move |tx| mirrored::folder_by_id(tx, folder)).await?;
        if is_fixed(top.kind) {
            return Err(MailboxError::NotAllowed("a standard folder stays"));
        }
        let lock = self.lock_hierarchy(top.mailbox);
        let _alone = lock.lock().await;
        let mailbox = top.mailbox;
        let going: Vec<(FolderId, Option<Mailbox>)> = self
            .read(move |tx| {
                let mut all = mirrored::folders_below(tx, &top)?;
                all.insert(0, top.clone());
                let mut going = Vec::with_capacity(all.len());
                for one in all {
                    going.push((one.id, tables::place(tx, one.id)?.map(|place| place.wire)));
                }
                Ok(going)
            })
            .await?;
        let ids: Vec<FolderId> = going.iter().map(|(id, _)| *id).collect();
        if !self.recalled_in(&ids).await?.is_empty() {
            return Err(MailboxError::Down(RECALLING.to_owned()));
        }
        // Servers hang up on who has the folder open.
        self.pool().close_idle(mailbox);
        let mut session = self.pool().session(mailbox, None).await?;
        session.opened = None;
        for wire in going.iter().rev().filter_map(|(_, wire)| wire.clone()) {
            match session.link.run(Command::Delete(wire.clone())).await {
                Ok(_) | Err(MailboxError::NoSuchFolder) => {}
                Err(error) => return Err(error),
            }
            session.link.run(Command::Unsubscribe(wire)).await?;
        }
        let gone = self
            .write(move |tx, store| {
                let gone = mirrored::delete_folder(tx, store, folder)?;
                gone.iter().try_for_each(|id| tables::drop_place(tx, *id))?;
                Ok(gone)
            })
            .await?;
        gone.iter().for_each(|id| self.forget_folder(*id));
        self.rows().tidy_folders().await?;
        Ok(gone)
    }

    /// What open orders cover in these folders: nobody else may remove it, or there is nothing to seal.
    pub(super) async fn recalled_in(
        &self,
        folders: &[FolderId],
    ) -> Result<Vec<(FolderId, ItemNumber)>, MailboxError> {
        let (recalled, folders) = (self.recalled(), folders.to_vec());
        match recalled {
            Some(recalled) => self.read(move |tx| recalled(tx, &folders)).await,
            None => Ok(Vec::new()),
        }
    }

    /// The name on the server of a folder of this name below a parent.
    async fn wire_below(
        &self,
        session: &mut super::session::Session,
        mailbox: MailboxId,
        parent: CollectionNumber,
        name: &str,
    ) -> Result<Mailbox, MailboxError> {
        let (listed, namespace) = session.list().await?;
        let own = namespace.personal.first();
        let delimiter = own.and_then(|(_, delimiter)| *delimiter);
        let delimiter = delimiter.or_else(|| listed.iter().find_map(|one| one.delimiter));
        let name = name.trim();
        if delimiter.is_some_and(|delimiter| name.contains(delimiter)) {
            return Err(MailboxError::NotAllowed("the mail server takes no such name"));
        }
        if parent == CollectionNumber(0) {
            let prefix = own.map_or("", |(prefix, _)| prefix.as_str());
            return Ok(Mailbox::new(&format!("{prefix}{name}")));
        }
        let above = self
            .read(move |tx| {
                let above = mirrored::folder_by_number(tx, mailbox, parent)?;
                Ok(tables::place(tx, above.id)?)
            })
            .await?;
        match (above, delimiter) {
            (Some(above), Some(delimiter)) => {
                Ok(Mailbox::new(&format!("{}{delimiter}{name}", above.wire.name())))
            }
            _ => Err(MailboxError::NotAllowed("the mail server has no folders in there")),
        }
    }
}

/// The delimiter of the server's names.
async fn delimiter_of(session: &mut super::session::Session) -> Result<Option<char>, MailboxError> {
    let (listed, namespace) = session.list().await?;
    let own = namespace.personal.first().and_then(|(_, delimiter)| *delimiter);
    Ok(own.or_else(|| listed.iter().find_map(|one| one.delimiter)))
}

/// The new name of a mailbox that is the renamed one or lies below it.
fn moved(wire: &Mailbox, from: &Mailbox, to: &Mailbox, delimiter: Option<char>) -> Option<Mailbox> {
    if wire == from {
        return Some(to.clone());
    }
    let rest = wire.name().strip_prefix(from.name())?;
    delimiter.filter(|delimiter| rest.starts_with(*delimiter))?;
    Some(Mailbox::new(&format!("{}{rest}", to.name())))
}
