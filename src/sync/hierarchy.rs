//! How a device catches up with the folders themselves ([MS-ASCMD] 2.2.1.5): FolderSync, and the three commands that share its keys.
//!
//! A device that begins again with key 0 gets the whole list; the states of its collections stay as they are. A folder that is
//! gone from a list whose key the device presents has left the device, and recall hears of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::turn::rolled_back;
use super::{Engine, SyncError};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{self, Tx};
use crate::ids::{CollectionNumber, DeviceId, FolderId};
use crate::ledger::hierarchy::{HIERARCHY, Hierarchy, Told};
use crate::ledger::{self, Books, Claim, Device, Place, SyncKey, Verdict};
use crate::mailbox::{Folder, FolderKind, MailboxError};
use crate::recall::retraction;

/// What a device is told of its folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoldersTold {
    /// These changes, and the key of the list they lead to.
    Changes(SyncKey, FolderChanges),
    /// The key is not one to go on from: Status 9, and the device begins again with key 0.
    InvalidKey,
}

/// The difference between two lists of folders; parents stand before their children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderChanges {
    /// New ones.
    pub added: Vec<Told>,
    /// Renamed or moved ones.
    pub updated: Vec<Told>,
    /// Those that are gone.
    pub deleted: Vec<Told>,
}

/// What a device wants done with a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderTask {
    /// Make one.
    Create {
        /// The folder it lies in; 0 for the root.
        parent: CollectionNumber,
        /// Its name.
        name: String,
    },
    /// Rename or move one.
    Update {
        /// Which.
        folder: CollectionNumber,
        /// Where to.
        parent: CollectionNumber,
        /// Its name from now on.
        name: String,
    },
    /// Delete one and what is below it.
    Delete {
        /// Which.
        folder: CollectionNumber,
    },
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderDone {
    /// Done; the key of the list that says so, and the folder.
    Done(SyncKey, CollectionNumber),
    /// The key is not one to go on from.
    InvalidKey,
    /// There is such a folder.
    NameTaken,
    /// There is no such parent.
    NoSuchParent,
    /// There is no such folder.
    NoSuchFolder,
    /// That folder stays as it is.
    Special,
}

/// A row written by somebody else meanwhile is tried again this often.
const TRIES_MAX: usize = 4;

impl Engine {
    /// What has changed in the folders since the list the claim stands for.
    pub async fn folders(
        &self,
        device: &Arc<Device>,
        claim: Claim,
    ) -> Result<FoldersTold, SyncError> {
        let current = told(&self.store.folders(device.mailbox).await?);
        for _ in 0..TRIES_MAX {
            let (books, who, list) = (self.books.clone(), device.clone(), current.clone());
            let now = self.clock.now();
            let job = move |tx: &Tx<'_>| tell(tx, &books, &who, claim, &list, now);
            if let Some(told) = self.database.write(job).await? {
                return Ok(told);
            }
        }
        Err(SyncError::Restless)
    }

    /// The whole list, for a device that is not recorded; the key leads nowhere.
    pub async fn folders_unrecorded(&self, device: &Device) -> Result<FoldersTold, SyncError> {
        let current = told(&self.store.folders(device.mailbox).await?);
        let key = self.books.issue(device, 0, 1)?;
        Ok(FoldersTold::Changes(key, difference(&[], &current)))
    }

    /// Whether the folders differ from what the device was told last; never for a device that never asked.
    pub async fn folders_changed(
        &self,
        device: DeviceId,
        now: &[Folder],
    ) -> Result<bool, SyncError> {
        let hierarchy = self.database.read(move |tx| Hierarchy::load(tx, device)).await?;
        let current = told(now);
        Ok(hierarchy.newest().is_some_and(|newest| !difference(newest, &current).is_empty()))
    }

    /// Carries out what a device wants done with a folder, once.
    pub async fn folder_task(
        &self,
        device: &Arc<Device>,
        claim: Claim,
        task: FolderTask,
    ) -> Result<FolderDone, SyncError> {
        let (books, who) = (self.books.clone(), device.clone());
        let job = move |tx: &Tx<'_>| {
            let mut hierarchy = Hierarchy::load(tx, who.id)?;
            let verdict = hierarchy.claim(&books, &who, claim);
            Ok::<_, database::Error>((verdict, hierarchy.folders))
        };
        let (verdict, known) = self.database.read(job).await?;
        if !goes_on(verdict) {
            let (books, who, now) = (self.books.clone(), device.clone(), self.clock.now());
            let job = move |tx: &Tx<'_>| refused(tx, &books, &who, claim, verdict, now);
            self.database.write(job).await?;
            return Ok(FolderDone::InvalidKey);
        }
        if verdict == Verdict::First {
            return Ok(FolderDone::InvalidKey);
        }
        let is_replay = verdict == Verdict::Replay;
        let done = match self.carry_out_task(device, &task, &known, is_replay).await {
            Ok(done) => done,
            Err(problem) => return problem.map_err(SyncError::Mailbox),
        };
        self.record_task(device, claim, done).await
    }

    async fn carry_out_task(
        &self,
        device: &Device,
        task: &FolderTask,
        known: &[Told],
        is_replay: bool,
    ) -> Result<Done, Result<FolderDone, MailboxError>> {
        let folders = self.store.folders(device.mailbox).await.map_err(Err)?;
        let find = |number: CollectionNumber| folders.iter().find(|f| f.number == number);
        match task {
            FolderTask::Create { parent, name } => {
                if *parent != ROOT && find(*parent).is_none() {
                    return Err(Ok(FolderDone::NoSuchParent));
                }
                match self.store.create_folder(device.mailbox, *parent, name).await {
                    Ok(folder) => Ok(Done::There(folder)),
                    // The answer to the first attempt was lost: the device does not know the folder it asked for.
                    Err(MailboxError::NameTaken) if is_replay => folders
                        .iter()
                        .find(|f| f.parent == *parent && f.name == *name && !knows(known, f))
                        .map(|folder| Done::There(folder.clone()))
                        .ok_or(Ok(FolderDone::NameTaken)),
                    Err(error) => Err(problem(error)),
                }
            }
            FolderTask::Update { folder, parent, name } => {
                let Some(folder) = find(*folder) else { return Err(Ok(FolderDone::NoSuchFolder)) };
                if !is_plain(folder.kind) {
                    return Err(Ok(FolderDone::Special));
                }
                if *parent != ROOT && find(*parent).is_none() {
                    return Err(Ok(FolderDone::NoSuchParent));
                }
                let renamed = self.store.rename_folder(folder.id, *parent, name).await;
                renamed.map(Done::There).map_err(problem)
            }
            FolderTask::Delete { folder } => match find(*folder) {
                Some(folder) if !is_plain(folder.kind) => Err(Ok(FolderDone::Special)),
                Some(folder) => {
                    self.store.delete_folder(folder.id).await.map_err(problem)?;
                    Ok(Done::Gone(folder.number))
                }
                None if is_replay && known.iter().any(|told| told.number == folder.0) => {
                    Ok(Done::Gone(*folder))
                }
                None => Err(Ok(FolderDone::NoSuchFolder)),
            },
        }
    }

    async fn record_task(
        &self,
        device: &Arc<Device>,
        claim: Claim,
        done: Done,
    ) -> Result<FolderDone, SyncError> {
        for _ in 0..TRIES_MAX {
            let (books, who, done, now) =
                (self.books.clone(), device.clone(), done.clone(), self.clock.now());
            let job = move |tx: &Tx<'_>| {
                let mut hierarchy = Hierarchy::load(tx, who.id)?;
                let verdict = hierarchy.claim(&books, &who, claim);
                if !goes_on(verdict) {
                    refused(tx, &books, &who, claim, verdict, now)?;
                    return Ok(Some(FolderDone::InvalidKey));
                }
                settle(tx, &who, &hierarchy, verdict, now)?;
                let (list, number) = done.apply(hierarchy.folders.clone());
                let key = hierarchy.offer(&books, &who, list)?;
                let written = hierarchy.store(tx)?;
                Ok::<_, database::Error>(written.then_some(FolderDone::Done(key, number)))
            };
            if let Some(done) = self.database.write(job).await? {
                return Ok(done);
            }
        }
        Err(SyncError::Restless)
    }
}

/// A task that the store has carried out.
#[derive(Clone, Debug)]
enum Done {
    There(Folder),
    Gone(CollectionNumber),
}

impl Done {
    /// The list the device knows, with this task's effect and nothing else: what others changed meanwhile comes with FolderSync.
    fn apply(&self, mut list: Vec<Told>) -> (Vec<Told>, CollectionNumber) {
        match self {
            Done::There(folder) => {
                list.retain(|told| told.folder != folder.id.0);
                list.push(one_told(folder));
                list.sort();
                (list, folder.number)
            }
            Done::Gone(number) => {
                let mut gone = BTreeSet::from([number.0]);
                while let Some(child) =
                    list.iter().find(|t| gone.contains(&t.parent) && !gone.contains(&t.number))
                {
                    gone.insert(child.number);
                }
                list.retain(|told| !gone.contains(&told.number));
                (list, *number)
            }
        }
    }
}

fn problem(error: MailboxError) -> Result<FolderDone, MailboxError> {
    match error {
        MailboxError::NameTaken => Ok(FolderDone::NameTaken),
        MailboxError::NoSuchFolder => Ok(FolderDone::NoSuchFolder),
        MailboxError::NotAllowed(_) => Ok(FolderDone::Special),
        error => Err(error),
    }
}

fn knows(known: &[Told], folder: &Folder) -> bool {
    known.iter().any(|told| told.folder == folder.id.0)
}

fn is_plain(kind: FolderKind) -> bool {
    matches!(kind, FolderKind::User)
}

fn goes_on(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Regressed | Verdict::Ahead | Verdict::Forged)
}

/// Tells a device its folders; `None` when somebody else wrote its row meanwhile.
fn tell(
    tx: &Tx<'_>,
    books: &Books,
    device: &Device,
    claim: Claim,
    current: &[Told],
    now: Timestamp,
) -> Result<Option<FoldersTold>, database::Error> {
    let mut hierarchy = Hierarchy::load(tx, device.id)?;
    let verdict = hierarchy.claim(books, device, claim);
    if !goes_on(verdict) {
        refused(tx, books, device, claim, verdict, now)?;
        return Ok(Some(FoldersTold::InvalidKey));
    }
    settle(tx, device, &hierarchy, verdict, now)?;
    let changes = difference(&hierarchy.folders, current);
    let key = match hierarchy.key() {
        Some(key) if changes.is_empty() && matches!(verdict, Verdict::Current(_)) => {
            if verdict == Verdict::Current(None) {
                return Ok(Some(FoldersTold::Changes(key, changes)));
            }
            key
        }
        _ => hierarchy.offer(books, device, current.to_vec())?,
    };
    Ok(hierarchy.store(tx)?.then_some(FoldersTold::Changes(key, changes)))
}

/// What a key that nothing goes on from says all the same: an older list is back and with it, perhaps, the folders that had left; the
/// books were rolled back; or the device is older than they are.
fn refused(
    tx: &Tx<'_>,
    books: &Books,
    device: &Device,
    claim: Claim,
    verdict: Verdict,
    now: Timestamp,
) -> Result<(), database::Error> {
    let event = match verdict {
        Verdict::Ahead => "ledger_rolled_back",
        Verdict::Regressed => "state_restored",
        _ if books.is_foreign(device, HIERARCHY, claim) => {
            return retraction::existed_before(tx, device.id, now);
        }
        _ => return Ok(()),
    };
    audit::note(tx, now, &Event::new(event).id("device", device.id).id("folder", HIERARCHY))?;
    if verdict == Verdict::Ahead {
        rolled_back(tx, books, now)?;
    }
    let device = device.id;
    tx.on_commit(
        move || tracing::warn!(%device, event, "a device came with an old list of folders"),
    );
    retraction::folders_regressed(tx, device, now)
}

/// Where the claim proves a list: folders that the device synced and that are not in it have left the device.
fn settle(
    tx: &Tx<'_>,
    device: &Device,
    hierarchy: &Hierarchy,
    verdict: Verdict,
    now: Timestamp,
) -> Result<(), database::Error> {
    if !matches!(verdict, Verdict::Current(Some(_)) | Verdict::Sibling(_)) {
        return Ok(());
    }
    // A mail that the device moved may lie in a folder that it never synced.
    let mut folders = ledger::folders_of(tx, device.id)?;
    folders.extend(retraction::folders_due(tx, device.id)?);
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        if hierarchy.folders.iter().all(|told| told.folder != folder.0) {
            retraction::folder_gone(tx, device.id, folder, hierarchy.proven_seq(), now)?;
            ledger::forget_collection(tx, Place { device: device.id, folder: FolderId(folder.0) })?;
        }
    }
    Ok(())
}

/// A mailbox's folders as devices are told of them, parents first.
fn told(folders: &[Folder]) -> Vec<Told> {
    let mut list: Vec<Told> = folders.iter().map(one_told).collect();
    list.sort();
    list
}

fn one_told(folder: &Folder) -> Told {
    Told {
        folder: folder.id.0,
        number: folder.number.0,
        parent: folder.parent.0,
        kind: folder_type(folder.kind),
        name: folder.name.clone(),
    }
}

/// [MS-ASCMD] 2.2.3.186.2.
fn folder_type(kind: FolderKind) -> u8 {
    match kind {
        FolderKind::Inbox => 2,
        FolderKind::Drafts => 3,
        FolderKind::DeletedItems => 4,
        FolderKind::SentItems => 5,
        FolderKind::Outbox => 6,
        FolderKind::Junk | FolderKind::User => 12,
    }
}

impl FolderChanges {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }
}

fn difference(before: &[Told], after: &[Told]) -> FolderChanges {
    let old: BTreeMap<i64, &Told> = before.iter().map(|told| (told.folder, told)).collect();
    let new: BTreeSet<i64> = after.iter().map(|told| told.folder).collect();
    let mut changes = FolderChanges::default();
    for told in parents_first(after) {
        match old.get(&told.folder) {
            None => changes.added.push(told.clone()),
            Some(known) if *known != told => changes.updated.push(told.clone()),
            Some(_) => {}
        }
    }
    changes.deleted = before.iter().filter(|told| !new.contains(&told.folder)).cloned().collect();
    changes
}

/// The folders with every parent before its children; a ring, which no store should have, comes last.
fn parents_first(list: &[Told]) -> Vec<&Told> {
    let mut sorted: Vec<&Told> = Vec::with_capacity(list.len());
    let mut placed = BTreeSet::from([ROOT.0]);
    let mut waiting: Vec<&Told> = list.iter().collect();
    loop {
        let before = waiting.len();
        let (ready, rest): (Vec<&Told>, Vec<&Told>) =
            waiting.into_iter().partition(|told| placed.contains(&told.parent));
        placed.extend(ready.iter().map(|told| told.number));
        sorted.extend(ready);
        if rest.is_empty() || rest.len() == before {
            sorted.extend(rest);
            return sorted;
        }
        waiting = rest;
    }
}

/// The root of every mailbox.
const ROOT: CollectionNumber = CollectionNumber(0);

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(id: i64, parent: u32, name: &str) -> Told {
        let number = u32::try_from(id).unwrap();
        Told { folder: id, number, parent, kind: 12, name: name.to_owned() }
    }

    #[test]
    fn parents_stand_before_their_children_whatever_their_numbers() {
        let list = [folder(1, 3, "child"), folder(2, 1, "grandchild"), folder(3, 0, "parent")];
        let names: Vec<&str> = parents_first(&list).into_iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["parent", "child", "grandchild"]);
        let ring = [folder(1, 2, "a"), folder(2, 1, "b")];
        assert_eq!(parents_first(&ring).len(), 2);
    }

    #[test]
    fn a_difference_says_what_is_new_what_moved_and_what_is_gone() {
        let before = [folder(1, 0, "a"), folder(2, 0, "b"), folder(3, 2, "c")];
        let after = [folder(1, 0, "a2"), folder(2, 0, "b"), folder(4, 1, "d")];
        let changes = difference(&before, &after);
        assert_eq!(changes.added, [folder(4, 1, "d")]);
        assert_eq!(changes.updated, [folder(1, 0, "a2")]);
        assert_eq!(changes.deleted, [folder(3, 2, "c")]);
        assert!(difference(&after, &after).is_empty());
    }

    #[test]
    fn a_deleted_folder_takes_what_is_below_it_from_the_list() {
        let list = vec![folder(1, 0, "a"), folder(2, 1, "b"), folder(3, 2, "c"), folder(4, 0, "d")];
        let (left, _) = Done::Gone(CollectionNumber(1)).apply(list);
        assert_eq!(left, [folder(4, 0, "d")]);
    }
}
