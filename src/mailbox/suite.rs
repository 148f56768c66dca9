//! The suite that every mail store passes: stories written against the trait alone.
//!
//! A backend writes `suite::every_test!(rig)` with a function that makes a fresh [`Rig`], and gets one test for each story.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

use super::{
    Arrival, Change, Cursor, Flag, Floor, Folder, FolderKind, Item, Mailbox, MailboxError,
    StateChange,
};
use crate::clock::Timestamp;
use crate::ids::{CollectionNumber, ItemNumber, MailboxId, UserId};

/// A store with two users.
pub(crate) struct Rig {
    pub(crate) store: Arc<dyn Mailbox>,
    pub(crate) users: [UserId; 2],
    /// How it differs: what becomes of octets that no mail may have.
    pub(crate) keeps: Octets,
    /// Whatever must live as long as the store.
    pub(crate) _keep: Box<dyn Any + Send>,
}

/// What becomes of octets that no mail may have (RFC 5322 2.3): the one difference there is between stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Octets {
    /// They come back as they came.
    AsTheyCame,
    /// A bare LF comes back as CRLF, and a NUL as 0x80: so Dovecot's.
    Mended,
}

macro_rules! every_test {
    ($rig:path) => {
        $crate::mailbox::suite::every_test!($rig:
            standard_folders_are_there, a_message_comes_back_as_it_came, positions_are_unique,
            a_delta_tells_each_item_once, a_limit_cuts_and_goes_on, what_left_is_gone_not_missing,
            numbers_are_never_used_again, a_move_is_gone_here_and_new_there,
            state_changes_and_repeats_cost_nothing, windows_go_down_and_up,
            drafts_keep_their_number, a_token_makes_repetition_harmless, folders_have_rules,
            a_deleted_folder_takes_all_below, emptying_leaves_the_folder, copies_are_found_everywhere,
            what_is_not_there_is_an_error
        );
    };
    ($rig:path: $($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            // A server that this machine has not: its rig has said so.
            let Some(rig) = $rig().await else { return };
            $crate::mailbox::suite::$name(&rig).await;
        }
    )*};
}
pub(crate) use every_test;

/// A small mail.
pub(crate) fn mail(id: &str, body: &str) -> Bytes {
    Bytes::from(format!(
        "Message-ID: <{id}@a.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
         From: Ann <ann@a.example>\r\nTo: bob@a.example\r\nSubject: {id}\r\n\r\n{body}\r\n"
    ))
}

fn at(ms: i64) -> Arrival {
    Arrival { received: Timestamp(ms), ..Arrival::default() }
}

async fn folder(rig: &Rig, kind: FolderKind) -> Folder {
    let mailbox = rig.store.mailbox_of(rig.users[0]).await.unwrap();
    let folders = rig.store.folders(mailbox).await.unwrap();
    folders.into_iter().find(|folder| folder.kind == kind).unwrap()
}

async fn inbox(rig: &Rig) -> Folder {
    folder(rig, FolderKind::Inbox).await
}

async fn put(rig: &Rig, folder: &Folder, id: &str, ms: i64) -> ItemNumber {
    rig.store.append(folder.id, mail(id, "x"), at(ms)).await.unwrap()
}

fn numbers(items: &[Item]) -> Vec<u32> {
    items.iter().map(|item| item.item.0).collect()
}

pub(crate) async fn standard_folders_are_there(rig: &Rig) {
    let mailbox = rig.store.mailbox_of(rig.users[0]).await.unwrap();
    assert_eq!(rig.store.mailbox_of(rig.users[0]).await.unwrap(), mailbox);
    let folders = rig.store.folders(mailbox).await.unwrap();
    for kind in [
        FolderKind::Inbox,
        FolderKind::Drafts,
        FolderKind::DeletedItems,
        FolderKind::SentItems,
        FolderKind::Outbox,
        FolderKind::Junk,
    ] {
        let found: Vec<&Folder> = folders.iter().filter(|folder| folder.kind == kind).collect();
        assert_eq!(found.len(), 1, "{kind:?}");
        assert_eq!(found[0].parent, CollectionNumber(0));
        let again = rig.store.folder(mailbox, found[0].number).await.unwrap();
        assert_eq!(&again, found[0]);
    }
    let other = rig.store.mailbox_of(rig.users[1]).await.unwrap();
    assert_ne!(other, mailbox);
}

pub(crate) async fn a_message_comes_back_as_it_came(rig: &Rig) {
    let inbox = inbox(rig).await;
    let raw = Bytes::from_static(b"From: x\r\n\r\n\x00\xff bare\nLF and no end");
    let arrival = Arrival {
        received: Timestamp(5),
        read: true,
        flag: Some(Flag { status: 2, flag_type: Some("Follow up".into()), ..Flag::default() }),
        categories: vec!["Blue".into(), "Ünï".into()],
        ..Arrival::default()
    };
    let number = rig.store.append(inbox.id, raw.clone(), arrival.clone()).await.unwrap();
    let (item, octets) = rig.store.read(inbox.id, number).await.unwrap();
    match rig.keeps {
        Octets::AsTheyCame => assert_eq!(octets, raw),
        Octets::Mended => {
            assert_eq!(&octets[..], b"From: x\r\n\r\n\x80\xff bare\r\nLF and no end");
        }
    }
    assert_eq!((item.item, item.size as usize), (number, octets.len()));
    assert_eq!((item.received, item.read, &item.flag), (Timestamp(5), true, &arrival.flag));
    assert_eq!((&item.categories, item.draft), (&arrival.categories, false));
    assert_eq!(rig.store.items(inbox.id, &[number, ItemNumber(77)]).await.unwrap(), [item]);
}

pub(crate) async fn positions_are_unique(rig: &Rig) {
    let inbox = inbox(rig).await;
    let mut seen = vec![rig.store.head(inbox.id).await.unwrap().0];
    for n in 0..3 {
        put(rig, &inbox, &format!("m{n}"), n).await;
        seen.push(rig.store.head(inbox.id).await.unwrap().0);
    }
    let read = StateChange { read: Some(true), ..StateChange::default() };
    seen.push(rig.store.set_state(inbox.id, ItemNumber(1), read).await.unwrap());
    seen.push(rig.store.delete(inbox.id, ItemNumber(2)).await.unwrap());
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert_eq!(rig.store.head(inbox.id).await.unwrap().0, *seen.last().unwrap());
}

pub(crate) async fn a_delta_tells_each_item_once(rig: &Rig) {
    let inbox = inbox(rig).await;
    let first = put(rig, &inbox, "first", 1).await;
    let second = put(rig, &inbox, "second", 2).await;
    let all = rig.store.changes_since(inbox.id, Cursor(0), 100).await.unwrap();
    assert!(!all.more);
    let read = StateChange { read: Some(true), ..StateChange::default() };
    rig.store.set_state(inbox.id, first, read).await.unwrap();
    let delta = rig.store.changes_since(inbox.id, all.end, 100).await.unwrap();
    let [Change::Live(item)] = &delta.changes[..] else { panic!("{delta:?}") };
    assert!(item.item == first && item.read && item.arrived <= all.end.0);
    let whole = rig.store.changes_since(inbox.id, Cursor(0), 100).await.unwrap();
    let order: Vec<ItemNumber> = whole.changes.iter().map(Change::item).collect();
    assert_eq!(order, [second, first]);
    let none = rig.store.changes_since(inbox.id, whole.end, 100).await.unwrap();
    assert!(none.changes.is_empty() && none.end == whole.end && !none.more);
}

pub(crate) async fn a_limit_cuts_and_goes_on(rig: &Rig) {
    let inbox = inbox(rig).await;
    for n in 0..5 {
        put(rig, &inbox, &format!("m{n}"), n).await;
    }
    let mut cursor = Cursor(0);
    let mut told = Vec::new();
    for _ in 0..3 {
        let delta = rig.store.changes_since(inbox.id, cursor, 2).await.unwrap();
        told.extend(delta.changes.iter().map(|change| change.item().0));
        assert_eq!(delta.more, told.len() < 5);
        cursor = delta.end;
    }
    assert_eq!(told, [1, 2, 3, 4, 5]);
    assert_eq!(cursor, rig.store.head(inbox.id).await.unwrap());
}

pub(crate) async fn what_left_is_gone_not_missing(rig: &Rig) {
    let inbox = inbox(rig).await;
    let number = put(rig, &inbox, "m", 1).await;
    let before = rig.store.head(inbox.id).await.unwrap();
    let seq = rig.store.delete(inbox.id, number).await.unwrap();
    let delta = rig.store.changes_since(inbox.id, before, 9).await.unwrap();
    assert_eq!(delta.changes, [Change::Gone { item: number, seq }]);
    assert!(matches!(rig.store.read(inbox.id, number).await, Err(MailboxError::NoSuchItem)));
    assert!(matches!(rig.store.delete(inbox.id, number).await, Err(MailboxError::NoSuchItem)));
    assert!(rig.store.items(inbox.id, &[number]).await.unwrap().is_empty());
    assert!(rig.store.find("m@a.example").await.unwrap().is_empty());
}

pub(crate) async fn numbers_are_never_used_again(rig: &Rig) {
    let inbox = inbox(rig).await;
    let first = put(rig, &inbox, "m", 1).await;
    rig.store.delete(inbox.id, first).await.unwrap();
    let second = put(rig, &inbox, "m", 1).await;
    assert!(second > first);
    let made = rig.store.create_folder(inbox.mailbox, CollectionNumber(0), "A").await.unwrap();
    rig.store.delete_folder(made.id).await.unwrap();
    let again = rig.store.create_folder(inbox.mailbox, CollectionNumber(0), "A").await.unwrap();
    assert!(again.number > made.number && again.id != made.id);
}

pub(crate) async fn a_move_is_gone_here_and_new_there(rig: &Rig) {
    let inbox = inbox(rig).await;
    let trash = folder(rig, FolderKind::DeletedItems).await;
    let number = put(rig, &inbox, "m", 1).await;
    let category = StateChange { categories: Some(vec!["c".into()]), ..StateChange::default() };
    rig.store.set_state(inbox.id, number, category).await.unwrap();
    let before = rig.store.read(inbox.id, number).await.unwrap();
    let (here, there) =
        (rig.store.head(inbox.id).await.unwrap(), rig.store.head(trash.id).await.unwrap());
    let moved = rig.store.move_item(inbox.id, number, trash.id).await.unwrap();
    let gone = rig.store.changes_since(inbox.id, here, 9).await.unwrap().changes;
    assert!(matches!(gone[..], [Change::Gone { item, .. }] if item == number));
    let came = rig.store.changes_since(trash.id, there, 9).await.unwrap().changes;
    let [Change::Live(item)] = &came[..] else { panic!("{came:?}") };
    assert_eq!((item.item, item.arrived, item.identity), (moved, item.seq, before.0.identity));
    let after = rig.store.read(trash.id, moved).await.unwrap();
    assert_eq!((after.1, after.0.categories), (before.1, before.0.categories));
    let again = rig.store.move_item(inbox.id, number, trash.id).await;
    assert!(matches!(again, Err(MailboxError::NoSuchItem)));
    let same = rig.store.move_item(trash.id, moved, trash.id).await;
    assert!(matches!(same, Err(MailboxError::NotAllowed(_))));
}

pub(crate) async fn state_changes_and_repeats_cost_nothing(rig: &Rig) {
    let inbox = inbox(rig).await;
    let number = put(rig, &inbox, "m", 1).await;
    let flag =
        Flag { status: 2, due: Some(Timestamp(9)), reminder_set: Some(true), ..Flag::default() };
    let change = StateChange {
        read: Some(true),
        flag: Some(Some(flag.clone())),
        categories: Some(vec!["a".into(), "b".into()]),
        verb: Some((1, Timestamp(7))),
    };
    let seq = rig.store.set_state(inbox.id, number, change.clone()).await.unwrap();
    assert_eq!(rig.store.set_state(inbox.id, number, change).await.unwrap(), seq);
    assert_eq!(rig.store.head(inbox.id).await.unwrap(), Cursor(seq));
    let item = rig.store.items(inbox.id, &[number]).await.unwrap().remove(0);
    assert_eq!((item.read, item.flag, item.seq), (true, Some(flag), seq));
    assert_eq!((item.verb, item.verb_at), (1, Some(Timestamp(7))));
    let off = StateChange { flag: Some(None), ..StateChange::default() };
    rig.store.set_state(inbox.id, number, off).await.unwrap();
    let item = rig.store.items(inbox.id, &[number]).await.unwrap().remove(0);
    assert!(item.flag.is_none() && item.read && item.categories == ["a", "b"]);
}

pub(crate) async fn windows_go_down_and_up(rig: &Rig) {
    let inbox = inbox(rig).await;
    // Received out of order, two at the same time.
    for (id, ms) in [("a", 30), ("b", 10), ("c", 20), ("d", 20), ("e", 40)] {
        put(rig, &inbox, id, ms).await;
    }
    rig.store.delete(inbox.id, ItemNumber(5)).await.unwrap();
    let (top, store) = (Floor::TOP, &rig.store);
    let down = store.below(inbox.id, top, Timestamp(0), 3).await.unwrap();
    assert_eq!(numbers(&down), [1, 4, 3]);
    let floor = Floor { received: Timestamp(20), item: ItemNumber(4) };
    let rest = store.below(inbox.id, floor, Timestamp(0), 9).await.unwrap();
    assert_eq!(numbers(&rest), [3, 2]);
    let young = store.below(inbox.id, top, Timestamp(20), 9).await.unwrap();
    assert_eq!(numbers(&young), [1, 4, 3]);
    let leaving = store.above(inbox.id, floor, Timestamp(30), 9).await.unwrap();
    assert_eq!(numbers(&leaving), [4]);
    let bottom = Floor { received: Timestamp(0), item: ItemNumber(0) };
    let old = store.above(inbox.id, bottom, Timestamp(30), 2).await.unwrap();
    assert_eq!(numbers(&old), [2, 3]);
    assert!(store.above(inbox.id, top, Timestamp(i64::MAX), 9).await.unwrap().is_empty());
}

pub(crate) async fn drafts_keep_their_number(rig: &Rig) {
    let drafts = folder(rig, FolderKind::Drafts).await;
    let draft = Arrival { draft: true, ..at(1) };
    let number = rig.store.append(drafts.id, mail("d1", "one"), draft).await.unwrap();
    let before = rig.store.head(drafts.id).await.unwrap();
    let seq = rig.store.replace_draft(drafts.id, number, mail("d1", "two")).await.unwrap();
    let delta = rig.store.changes_since(drafts.id, before, 9).await.unwrap();
    assert!(matches!(&delta.changes[..], [Change::Live(item)] if item.seq == seq && item.draft));
    let (_, raw) = rig.store.read(drafts.id, number).await.unwrap();
    assert_eq!(raw, mail("d1", "two"));
    let sent = put(rig, &drafts, "m", 1).await;
    let refused = rig.store.replace_draft(drafts.id, sent, mail("m", "two")).await;
    assert!(matches!(refused, Err(MailboxError::NotAllowed(_))));
}

pub(crate) async fn a_token_makes_repetition_harmless(rig: &Rig) {
    let inbox = inbox(rig).await;
    let once = |token: &str| Arrival { once: Some(token.to_owned()), ..at(1) };
    let first = rig.store.append(inbox.id, mail("m", "x"), once("t1")).await.unwrap();
    let again = rig.store.append(inbox.id, mail("m", "x"), once("t1")).await.unwrap();
    let other = rig.store.append(inbox.id, mail("m", "x"), once("t2")).await.unwrap();
    assert!(first == again && first != other);
    assert_eq!(rig.store.find("m@a.example").await.unwrap().len(), 2);
}

pub(crate) async fn folders_have_rules(rig: &Rig) {
    let inbox = inbox(rig).await;
    let (store, mailbox, root) = (&rig.store, inbox.mailbox, CollectionNumber(0));
    let before = store.hierarchy_head(mailbox).await.unwrap();
    let a = store.create_folder(mailbox, root, " Projects ").await.unwrap();
    assert_eq!((a.name.as_str(), a.kind, a.parent), ("Projects", FolderKind::User, root));
    assert!(store.hierarchy_head(mailbox).await.unwrap() > before);
    let b = store.create_folder(mailbox, a.number, "Ünder").await.unwrap();
    let taken = store.create_folder(mailbox, a.number, "üNDER").await;
    assert!(matches!(taken, Err(MailboxError::NameTaken)));
    let orphan = store.create_folder(mailbox, CollectionNumber(999), "x").await;
    assert!(matches!(orphan, Err(MailboxError::NoSuchFolder)));
    for name in ["", "  ", "a\nb", &"x".repeat(256)] {
        let refused = store.create_folder(mailbox, root, name).await;
        assert!(matches!(refused, Err(MailboxError::NotAllowed(_))), "{name:?}");
    }
    let knot = store.rename_folder(a.id, b.number, "Projects").await;
    assert!(matches!(knot, Err(MailboxError::NotAllowed(_))));
    let renamed = store.rename_folder(b.id, root, "Above").await.unwrap();
    assert_eq!((renamed.number, renamed.parent, renamed.name.as_str()), (b.number, root, "Above"));
    assert_eq!(store.folder(mailbox, b.number).await.unwrap(), renamed);
    let fixed = store.rename_folder(inbox.id, root, "In").await;
    assert!(matches!(fixed, Err(MailboxError::NotAllowed(_))));
    assert!(matches!(store.delete_folder(inbox.id).await, Err(MailboxError::NotAllowed(_))));
}

pub(crate) async fn a_deleted_folder_takes_all_below(rig: &Rig) {
    let inbox = inbox(rig).await;
    let (store, mailbox) = (&rig.store, inbox.mailbox);
    let a = store.create_folder(mailbox, CollectionNumber(0), "A").await.unwrap();
    let b = store.create_folder(mailbox, a.number, "B").await.unwrap();
    let c = store.create_folder(mailbox, b.number, "C").await.unwrap();
    put(rig, &c, "m", 1).await;
    let mut gone = store.delete_folder(a.id).await.unwrap();
    gone.sort_unstable();
    assert_eq!(gone, [a.id, b.id, c.id]);
    assert!(store.find("m@a.example").await.unwrap().is_empty());
    let left = store.folders(mailbox).await.unwrap();
    assert!(left.iter().all(|folder| !gone.contains(&folder.id)));
    let late = store.append(c.id, mail("n", "x"), at(1)).await;
    assert!(matches!(late, Err(MailboxError::NoSuchFolder)));
}

pub(crate) async fn emptying_leaves_the_folder(rig: &Rig) {
    let trash = folder(rig, FolderKind::DeletedItems).await;
    let below = rig.store.create_folder(trash.mailbox, trash.number, "Old").await.unwrap();
    for n in 0..250 {
        put(rig, &trash, &format!("m{n}"), n).await;
    }
    put(rig, &below, "below", 1).await;
    let before = rig.store.head(trash.id).await.unwrap();
    rig.store.empty(trash.id, false).await.unwrap();
    let delta = rig.store.changes_since(trash.id, before, 999).await.unwrap();
    assert_eq!(delta.changes.len(), 250);
    assert!(delta.changes.iter().all(|change| matches!(change, Change::Gone { .. })));
    assert_eq!(rig.store.find("below@a.example").await.unwrap().len(), 1);
    rig.store.empty(trash.id, true).await.unwrap();
    assert!(rig.store.find("below@a.example").await.unwrap().is_empty());
    assert!(matches!(rig.store.head(below.id).await, Err(MailboxError::NoSuchFolder)));
    rig.store.head(trash.id).await.unwrap();
}

pub(crate) async fn copies_are_found_everywhere(rig: &Rig) {
    let mut identities = Vec::new();
    for user in rig.users {
        let mailbox = rig.store.mailbox_of(user).await.unwrap();
        let inbox = rig.store.folder(mailbox, CollectionNumber(1)).await.unwrap();
        let item = rig.store.append(inbox.id, mail("m", "x"), at(1)).await.unwrap();
        identities.push(rig.store.items(inbox.id, &[item]).await.unwrap()[0].identity);
    }
    assert_eq!(identities[0], identities[1], "the same message has one identity");
    let copies = rig.store.find("<m@a.example>").await.unwrap();
    assert_eq!(copies.len(), 2);
    assert_ne!(copies[0].mailbox, copies[1].mailbox);
    let forged = rig.store.append(copies[0].folder, mail("m", "other"), at(1)).await.unwrap();
    let copies = rig.store.find("m@a.example").await.unwrap();
    let forged = copies.iter().find(|copy| copy.item == forged).unwrap();
    assert_ne!(forged.identity, identities[0], "another body is another message");
    assert!(rig.store.find("nobody@a.example").await.unwrap().is_empty());
}

pub(crate) async fn what_is_not_there_is_an_error(rig: &Rig) {
    let inbox = inbox(rig).await;
    let (store, nowhere) = (&rig.store, crate::ids::FolderId(99_999));
    assert!(matches!(store.folders(MailboxId(99_999)).await, Err(MailboxError::NoSuchFolder)));
    assert!(matches!(store.head(nowhere).await, Err(MailboxError::NoSuchFolder)));
    let delta = store.changes_since(nowhere, Cursor(0), 1).await;
    assert!(matches!(delta, Err(MailboxError::NoSuchFolder)));
    let below = store.below(nowhere, Floor::TOP, Timestamp(0), 1).await;
    assert!(matches!(below, Err(MailboxError::NoSuchFolder)));
    assert!(matches!(store.items(nowhere, &[]).await, Err(MailboxError::NoSuchFolder)));
    assert!(matches!(store.empty(nowhere, true).await, Err(MailboxError::NoSuchFolder)));
    let item = store.read(inbox.id, ItemNumber(1)).await;
    assert!(matches!(item, Err(MailboxError::NoSuchItem)));
    let state = store.set_state(inbox.id, ItemNumber(1), StateChange::default()).await;
    assert!(matches!(state, Err(MailboxError::NoSuchItem)));
}
