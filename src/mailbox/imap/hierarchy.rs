//! The folders of a mailbox as the server lists them, and ours that stand for them.
//!
//! [`plan`] is pure: from what we know and what was listed it gives what to make, rename and drop. What is gone is dropped only if
//! a second list lacks it too; a list without an INBOX is no list. A folder that has another name and the same id, or the same UIDs,
//! was renamed and keeps its number and its phones.

use std::collections::{BTreeMap, BTreeSet};

use imap_sans::{Command, Listed, Mailbox, Namespace, SelectSync};

use super::Imap;
use super::session::Session;
use super::tables::{self, Place};
use crate::database::Tx;
use crate::ids::{CollectionNumber, FolderId, MailboxId};
use crate::mailbox::embedded::{Embedded, in_tx, mirrored};
use crate::mailbox::{FOLDERS_MAX, FolderKind, MailboxError};

/// A folder as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct There {
    pub(super) wire: Mailbox,
    /// The names from the root down, the prefix of one's own namespace left out.
    pub(super) path: Vec<String>,
    pub(super) selectable: bool,
    pub(super) kind: Option<FolderKind>,
    /// The id that outlives a rename, and the generation of its UIDs: asked only of those that are new.
    object_id: Option<String>,
    uid_validity: u32,
}

/// What to do about a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Places whose wire name or selectability is another now, folder and place in the list.
    changed: Vec<(FolderId, usize)>,
    /// Folders that are new, by their place in the list.
    new: Vec<usize>,
    /// Folders of ours that the list lacks.
    gone: Vec<FolderId>,
}

impl Imap {
    /// Lists the folders on the server and makes ours agree.
    pub(super) async fn refresh_folders(&self, mailbox: MailboxId) -> Result<(), MailboxError> {
        let lock = self.lock_hierarchy(mailbox);
        let _alone = lock.lock().await;
        let mut session = self.pool().session(mailbox, None).await?;
        self.list_with(&mut session, mailbox).await
    }

    async fn list_with(
        &self,
        session: &mut Session,
        mailbox: MailboxId,
    ) -> Result<(), MailboxError> {
        let known = self.read(move |tx| Ok(tables::places(tx, mailbox)?)).await?;
        let (mut there, shape) = listed(session, &known).await?;
        make_standard(session, &mut there, &known, &shape).await?;
        let mut plan = plan(&known, &there);
        if !plan.gone.is_empty() {
            // Gone is gone only when a second look lacks it too, and the server does not know it when asked for just it.
            let (second, _) = listed(session, &known).await?;
            let is_back = |place: &Place| second.iter().any(|folder| folder.wire == place.wire);
            plan.gone.retain(|id| known.iter().any(|place| place.folder == *id && !is_back(place)));
            let mut gone = Vec::new();
            for place in known.iter().filter(|place| plan.gone.contains(&place.folder)) {
                match session.status(&place.wire).await {
                    // Only a NO that is no "not now" says that it is gone.
                    Err(error @ MailboxError::Unreadable(_)) => return Err(error),
                    Err(error) if session.link.is_closed() || session.link.may_pass() => {
                        return Err(error);
                    }
                    Ok(_) if place.selectable => {
                        tracing::warn!(folder = %place.folder, "the server has a folder it does not list");
                    }
                    _ => gone.push(place.folder),
                }
            }
            plan.gone = gone;
        }
        for at in &plan.new {
            if there[*at].selectable {
                let wire = there[*at].wire.clone();
                match session.select(&wire, SelectSync::Plain).await {
                    Ok((opened, _)) => {
                        there[*at].object_id = opened.object_id;
                        there[*at].uid_validity = opened.uid_validity;
                    }
                    Err(error) if session.link.is_closed() => return Err(error),
                    // One that cannot be opened is a folder all the same; whoever wants its mail hears why.
                    Err(error) => tracing::debug!(%error, "a folder that cannot be opened"),
                }
            }
        }
        if plan == Plan::default() {
            return Ok(());
        }
        let gone = self
            .write(move |tx, store| record(tx, store, mailbox, &known, &there, plan.clone()))
            .await?;
        for folder in gone {
            self.forget_folder(folder);
        }
        self.rows().tidy_folders().await
    }
}

/// How the server writes paths.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    prefix: String,
    delimiter: Option<char>,
    /// May folders be said what they are for when they are made?
    says_use: bool,
}

pub(super) async fn listed(
    session: &mut Session,
    known: &[Place],
) -> Result<(Vec<There>, Shape), MailboxError> {
    let (listed, namespace) = session.list().await?;
    let shape = shape(&listed, &namespace, session.can.create_special_use);
    let mut there: Vec<There> = listed.iter().filter_map(|one| understood(one, &shape)).collect();
    there.sort_by(|a, b| (a.path.len(), &a.path).cmp(&(b.path.len(), &b.path)));
    there.dedup_by(|a, b| a.wire == b.wire);
    if there.len() > FOLDERS_MAX {
        tracing::warn!(folders = there.len(), "more folders than phones are shown");
        // Those that phones have stay.
        let known: BTreeSet<&Mailbox> = known.iter().map(|place| &place.wire).collect();
        there.sort_by_key(|one| (one.kind.is_none(), !known.contains(&one.wire)));
        there.truncate(FOLDERS_MAX);
        there.sort_by(|a, b| (a.path.len(), &a.path).cmp(&(b.path.len(), &b.path)));
    }
    if !there.iter().any(|one| one.kind == Some(FolderKind::Inbox)) {
        return Err(MailboxError::Down("the server lists no INBOX".to_owned()));
    }
    Ok((there, shape))
}

fn shape(listed: &[Listed], namespace: &Namespace, says_use: bool) -> Shape {
    let own = namespace.personal.first();
    let delimiter = own.and_then(|(_, delimiter)| *delimiter);
    let delimiter = delimiter.or_else(|| listed.iter().find_map(|one| one.delimiter));
    Shape { prefix: own.map(|(prefix, _)| prefix.clone()).unwrap_or_default(), delimiter, says_use }
}

fn understood(listed: &Listed, shape: &Shape) -> Option<There> {
    let name = listed.mailbox.name();
    if listed.is("\\NonExistent") && !listed.is("\\HasChildren") || name.is_empty() {
        return None;
    }
    let is_inbox = name == "INBOX";
    let inner = if is_inbox { "Inbox" } else { name.strip_prefix(&shape.prefix).unwrap_or(name) };
    let path: Vec<String> = match listed.delimiter.or(shape.delimiter) {
        Some(delimiter) => {
            inner.split(delimiter).filter(|one| !one.is_empty()).map(str::to_owned).collect()
        }
        None => vec![inner.to_owned()],
    };
    let kind = if is_inbox { Some(FolderKind::Inbox) } else { special_use(listed) };
    (!path.is_empty()).then(|| There {
        wire: listed.mailbox.clone(),
        path,
        selectable: listed.is_selectable(),
        kind,
        object_id: None,
        uid_validity: 0,
    })
}

fn special_use(listed: &Listed) -> Option<FolderKind> {
    let known = USES.iter().find(|(_, attribute, _)| listed.is(attribute));
    known.filter(|_| listed.is_selectable()).map(|(kind, _, _)| *kind)
}

/// Says which folder is which standard one: by what the server says, by what it was before, by its name; and makes what is lacking.
async fn make_standard(
    session: &mut Session,
    there: &mut Vec<There>,
    known: &[Place],
    shape: &Shape,
) -> Result<(), MailboxError> {
    for (kind, attribute, names) in USES {
        // One of each: the first that says so.
        let mut said = there.iter_mut().filter(|one| one.kind == Some(kind)).skip(1);
        said.by_ref().for_each(|other| other.kind = None);
        if there.iter().any(|one| one.kind == Some(kind)) {
            continue;
        }
        let was = |one: &There| {
            known.iter().any(|place| place.wire == one.wire && standard_of(place) == Some(kind))
        };
        let free = |one: &There| one.kind.is_none() && one.selectable;
        let at = there.iter().position(|one| free(one) && was(one));
        // The name that says it best, where several are there.
        let mut by_name =
            names.iter().map(|name| there.iter().position(|one| free(one) && is_named(one, name)));
        let at = at.or_else(|| by_name.find_map(|at| at));
        if let Some(at) = at {
            there[at].kind = Some(kind);
            continue;
        }
        let wire = Mailbox::new(&format!("{}{}", shape.prefix, names[0]));
        let special_use = shape.says_use.then(|| attribute.to_owned());
        let create = Command::Create { mailbox: wire.clone(), special_use };
        match session.link.run(create).await {
            Ok(_) | Err(MailboxError::NameTaken) => {}
            Err(error) if session.link.is_closed() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, folder = names[0], "a standard folder cannot be made");
                continue;
            }
        }
        subscribe(session, &wire).await?;
        let path = vec![names[0].to_owned()];
        let (selectable, kind) = (true, Some(kind));
        there.push(There { wire, path, selectable, kind, object_id: None, uid_validity: 0 });
    }
    Ok(())
}

/// Subscribes to a mailbox; a server that does not want that keeps nobody from using it.
pub(super) async fn subscribe(session: &mut Session, wire: &Mailbox) -> Result<(), MailboxError> {
    match session.link.run(Command::Subscribe(wire.clone())).await {
        Err(error) if session.link.is_closed() => Err(error),
        _ => Ok(()),
    }
}

/// Whether a folder has a name that folders of a kind usually have.
pub(super) fn is_named(one: &There, name: &str) -> bool {
    one.path.len() == 1 && one.path[0].eq_ignore_ascii_case(name)
}

/// The standard folder that a place is, by its row: they are the first of their mailbox, made with it.
fn standard_of(place: &Place) -> Option<FolderKind> {
    place.kind.filter(|kind| *kind != FolderKind::User)
}

fn plan(known: &[Place], there: &[There]) -> Plan {
    let by_wire: BTreeMap<&Mailbox, &Place> = known.iter().map(|p| (&p.wire, p)).collect();
    let mut plan = Plan::default();
    let mut kept = BTreeSet::new();
    for (at, one) in there.iter().enumerate() {
        // A standard folder is what says so, also where another was it before.
        let same = match one.kind {
            Some(kind) => known.iter().find(|place| standard_of(place) == Some(kind)),
            None => by_wire.get(&one.wire).copied().filter(|place| standard_of(place).is_none()),
        };
        match same {
            Some(place) => {
                kept.insert(place.folder);
                if place.wire != one.wire || place.selectable != one.selectable {
                    plan.changed.push((place.folder, at));
                }
            }
            None => plan.new.push(at),
        }
    }
    plan.gone = known.iter().map(|place| place.folder).filter(|id| !kept.contains(id)).collect();
    plan
}

/// Writes a plan down. Gives the folders whose messages are to be forgotten.
fn record(
    tx: &Tx<'_>,
    store: &Embedded,
    mailbox: MailboxId,
    known: &[Place],
    there: &[There],
    mut plan: Plan,
) -> Result<Vec<FolderId>, MailboxError> {
    let mut forgotten = Vec::new();
    for (folder, at) in &plan.changed {
        let old = known.iter().find(|place| place.folder == *folder);
        let one = &there[*at];
        if old.is_some_and(|old| old.wire != one.wire) {
            // Another folder stands for it now: what was in the old one is not what is in this one.
            retire(tx, store, *folder)?;
            forgotten.push(*folder);
        }
        tables::put_place(tx, &place_of(*folder, mailbox, one))?;
    }
    let mut numbers: BTreeMap<Vec<String>, CollectionNumber> = BTreeMap::new();
    let all = in_tx_folders(tx, mailbox)?;
    for place in tables::places(tx, mailbox)? {
        if let (Some(folder), Some(one)) = (
            all.iter().find(|folder| folder.id == place.folder),
            there.iter().find(|one| one.wire == place.wire),
        ) {
            numbers.insert(one.path.clone(), folder.number);
        }
    }
    for at in &plan.new {
        let one = &there[*at];
        match put_new(tx, store, (mailbox, known), &mut numbers, &mut plan.gone, one) {
            Ok(folder) => tables::put_place(tx, &place_of(folder, mailbox, one))?,
            // Too deep, too many: this one is not shown, and the others are.
            Err(MailboxError::NotAllowed(why)) => {
                tracing::warn!(%mailbox, why, "a folder that phones are not shown");
            }
            Err(error) => return Err(error),
        }
    }
    // Those below first: one that is above others which are there stays.
    for folder in deepest_first(plan.gone, known) {
        let place = known.iter().find(|place| place.folder == folder);
        let is_standard = place.is_some_and(|place| standard_of(place).is_some());
        if is_standard || has_places_below(tx, mailbox, folder)? {
            retire(tx, store, folder)?;
            tables::drop_place(tx, folder)?;
            forgotten.push(folder);
            continue;
        }
        match mirrored::delete_folder(tx, store, folder) {
            Ok(ids) => {
                for id in ids {
                    tables::drop_place(tx, id)?;
                    forgotten.push(id);
                }
            }
            // It went with the one it was in.
            Err(MailboxError::NoSuchFolder) => tables::drop_place(tx, folder)?,
            Err(error) => return Err(error),
        }
    }
    Ok(forgotten)
}

/// A folder that is new to us, or has another name.
fn put_new(
    tx: &Tx<'_>,
    store: &Embedded,
    (mailbox, known): (MailboxId, &[Place]),
    numbers: &mut BTreeMap<Vec<String>, CollectionNumber>,
    gone: &mut Vec<FolderId>,
    one: &There,
) -> Result<FolderId, MailboxError> {
    let folder = match one.kind {
        Some(kind) => in_tx::standard_folder(tx, mailbox, kind)?,
        None => {
            let (name, above) = one.path.split_last().ok_or(MailboxError::NoSuchFolder)?;
            let parent = parent(tx, store, mailbox, numbers, above)?;
            match renamed_from(known, gone, one) {
                Some(old) => mirrored::rename_folder(tx, store, old, parent, name)?,
                None => mirrored::put_folder(tx, store, mailbox, parent, name)?,
            }
        }
    };
    numbers.insert(one.path.clone(), folder.number);
    Ok(folder.id)
}

fn deepest_first(mut gone: Vec<FolderId>, known: &[Place]) -> Vec<FolderId> {
    let length = |id: &FolderId| {
        known.iter().find(|place| place.folder == *id).map_or(0, |place| place.wire.name().len())
    };
    gone.sort_by_key(|id| std::cmp::Reverse(length(id)));
    gone
}

/// Does a folder that is gone lie above one that is there? Then it stays as the way to it.
fn has_places_below(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    folder: FolderId,
) -> Result<bool, MailboxError> {
    let folder = match mirrored::folder_by_id(tx, folder) {
        Err(MailboxError::NoSuchFolder) => return Ok(false),
        folder => folder?,
    };
    let places = tables::places(tx, mailbox)?;
    let below = mirrored::folders_below(tx, &folder)?;
    Ok(below.iter().any(|one| places.iter().any(|place| place.folder == one.id)))
}

/// Everything in a folder of ours is gone: another stands for it, or none.
pub(super) fn retire(tx: &Tx<'_>, store: &Embedded, folder: FolderId) -> Result<(), MailboxError> {
    for uid in tables::uids(tx, folder)?.numbers() {
        if let Some(item) = tables::entry(tx, folder, uid)?.and_then(|entry| entry.item) {
            mirrored::bury(tx, store, folder, item)?;
        }
        tables::drop_entry(tx, folder, uid)?;
    }
    Ok(tables::set_known(tx, folder, 0, 0)?)
}

/// The folder of ours that this one was before, if exactly one that is gone has its id or its UIDs.
fn renamed_from(known: &[Place], gone: &mut Vec<FolderId>, now: &There) -> Option<FolderId> {
    let is_same = |place: &&Place| match (&place.object_id, &now.object_id) {
        (Some(before), Some(after)) => before == after,
        _ => place.uid_validity != 0 && place.uid_validity == now.uid_validity,
    };
    let left: Vec<&Place> = known.iter().filter(|place| gone.contains(&place.folder)).collect();
    let mut same = left.into_iter().filter(is_same).filter(|place| standard_of(place).is_none());
    match (same.next(), same.next()) {
        (Some(one), None) => {
            let id = one.folder;
            gone.retain(|other| *other != id);
            Some(id)
        }
        _ => None,
    }
}

/// The number of the folder at this path; folders that only exist as the way to others are made without a place on the server.
fn parent(
    tx: &Tx<'_>,
    store: &Embedded,
    mailbox: MailboxId,
    numbers: &mut BTreeMap<Vec<String>, CollectionNumber>,
    path: &[String],
) -> Result<CollectionNumber, MailboxError> {
    let mut at = CollectionNumber(0);
    for end in 1..=path.len() {
        at = match numbers.get(&path[..end]) {
            Some(known) => *known,
            None => {
                let made = mirrored::find_or_put_folder(tx, store, mailbox, at, &path[end - 1])?;
                numbers.insert(path[..end].to_vec(), made.number);
                made.number
            }
        };
    }
    Ok(at)
}

fn in_tx_folders(
    tx: &Tx<'_>,
    mailbox: MailboxId,
) -> Result<Vec<crate::mailbox::Folder>, MailboxError> {
    mirrored::folders(tx, mailbox)
}

fn place_of(folder: FolderId, mailbox: MailboxId, one: &There) -> Place {
    Place {
        folder,
        mailbox,
        wire: one.wire.clone(),
        selectable: one.selectable,
        object_id: one.object_id.clone(),
        uid_validity: 0,
        kind: None,
    }
}

/// The standard folders but INBOX: the attribute that says so (RFC 6154), and the names under which servers and clients make them,
/// the one we make first.
pub(super) const USES: [(FolderKind, &str, &[&str]); 4] = [
    (FolderKind::Drafts, "\\Drafts", &["Drafts", "Draft"]),
    (
        FolderKind::DeletedItems,
        "\\Trash",
        &["Trash", "Deleted Items", "Deleted Messages", "Deleted"],
    ),
    (FolderKind::SentItems, "\\Sent", &["Sent", "Sent Items", "Sent Messages"]),
    (FolderKind::Junk, "\\Junk", &["Junk", "Spam", "Junk Email", "Junk E-mail", "Bulk Mail"]),
];
