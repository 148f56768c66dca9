//! Everything but phones: mail that arrives, clients that change a mailbox beside us, administrators, and the workers.

use std::collections::BTreeSet;

use retract::ids::{FolderId, ItemNumber, OrderId};
use retract::mailbox::{Change, Cursor, Flag, Folder, FolderKind, Mailbox, StateChange};
use retract::recall::{Actor, OrderRequest};

use super::world::{Order, UNNAMED, USERS, World, number_in};
use crate::house::deliver;

impl World {
    /// A mail comes in by LMTP; sometimes one that was here before.
    pub(super) fn mail_arrives(&mut self) {
        let old = self.mails.iter().filter(|(_, mail)| !mail.raw.is_empty());
        let old: Vec<u32> = old.map(|(number, _)| *number).collect();
        let again = self.random.pick(&old).copied().filter(|_| self.random.clone().once_in(8));
        let new = u32::try_from(self.mails.len()).expect("few mails") + 1;
        let number = again.unwrap_or(new);
        if !self.mails.contains_key(&number) {
            let author = self.random.once_in(4).then(|| self.random.index(USERS.len()));
            let from = author
                .map_or("ext@b.example".to_owned(), |user| format!("{}@a.example", USERS[user]));
            let raw = raw(number, &format!("Someone <{from}>"), self.random.once_in(3));
            let mail = self.mails.entry(number).or_default();
            (mail.raw, mail.author) = (raw, author);
        }
        let raw = self.mails[&number].raw.clone();
        let count = 1 + self.random.index(USERS.len());
        let first = self.random.index(USERS.len());
        let users: Vec<usize> = (0..count).map(|at| (first + at) % USERS.len()).collect();
        let recipients: Vec<String> =
            users.iter().map(|user| format!("{}@a.example", USERS[*user])).collect();
        let taken = self.life().run(deliver(&self.life().house, &recipients, &raw));
        let dying = self.is_dying();
        assert!(dying || taken == vec![true; count], "mail was refused");
        self.tell(format!("mail {number} for {users:?}: {taken:?}"));
        for (at, user) in users.into_iter().enumerate() {
            let certain = taken.get(at).copied().unwrap_or(false);
            self.accepted(number, user, certain);
        }
    }

    /// Another client changes something in a mailbox.
    pub(super) fn another_client(&mut self) {
        let user = self.random.index(USERS.len());
        let folders = self.folders(user);
        let what = self.random.below(12);
        if what == 11 {
            return self.another_client_makes_or_deletes_a_folder(user, &folders);
        }
        let full: Vec<(Folder, Vec<ItemNumber>)> = folders
            .iter()
            .map(|folder| (folder.clone(), self.live(folder.id)))
            .filter(|(_, items)| !items.is_empty())
            .collect();
        let Some((folder, items)) = self.random.pick(&full).cloned() else { return };
        let item = *self.random.pick(&items).expect("it is not empty");
        let number = self.name(folder.id, item);
        self.tell(format!(
            "another client, {}: {what} on {number} {}:{item}",
            USERS[user], folder.name
        ));
        let store = self.life().house.store.clone();
        match what {
            0..4 => {
                let read = Some(!self.random.once_in(3));
                let change = StateChange { read, ..StateChange::default() };
                self.life().run(store.set_state(folder.id, item, change)).unwrap();
            }
            4..6 => {
                let flag = Flag { status: 2, ..Flag::default() };
                let flag = Some(self.random.once_in(2).then_some(flag));
                let change = StateChange { flag, ..StateChange::default() };
                self.life().run(store.set_state(folder.id, item, change)).unwrap();
            }
            6..9 => {
                let to = self.random.pick(&folders).expect("there are folders").clone();
                if to.id != folder.id && to.kind != FolderKind::Drafts {
                    let new = self.life().run(store.move_item(folder.id, item, to.id));
                    if let Ok(new) = new {
                        self.names.insert((to.id, new), number);
                    }
                }
            }
            _ => {
                self.may_be_deleted(number, user);
                self.life().run(store.delete(folder.id, item)).unwrap();
            }
        }
    }

    fn another_client_makes_or_deletes_a_folder(&mut self, user: usize, folders: &[Folder]) {
        let store = self.life().house.store.clone();
        let own: Vec<&Folder> = folders.iter().filter(|f| f.kind == FolderKind::User).collect();
        if own.len() < 2 {
            self.folders_made += 1;
            let name = format!("Folder {}", self.folders_made);
            let root = retract::ids::CollectionNumber(0);
            let made = self.life().run(store.create_folder(self.mailboxes[user], root, &name));
            self.tell(format!("{} makes {name}: {made:?}", USERS[user]));
            return;
        }
        let gone = (*self.random.pick(&own).expect("there are some")).clone();
        self.tell(format!("{} deletes {}", USERS[user], gone.name));
        for item in self.live(gone.id) {
            let number = self.name(gone.id, item);
            self.may_be_deleted(number, user);
        }
        self.life().run(store.delete_folder(gone.id)).unwrap();
    }

    /// An administrator recalls a mail: one that is here, one that will be, or one that was.
    pub(super) fn somebody_recalls(&mut self) {
        let ordered: Vec<u32> =
            self.orders.iter().filter(|order| order.open).map(|order| order.number).collect();
        let over = self.random.pick(&ordered).copied().filter(|_| self.random.clone().once_in(4));
        let number = match over {
            // One more over the same mail.
            Some(number) => number,
            None => 1 + self.random.index(self.mails.len() + 2) as u32,
        };
        let open = self.orders.iter().filter(|order| order.open).count();
        if open >= 8 {
            return;
        }
        let request = OrderRequest {
            message_id: format!("<mk{number}x@b.example>"),
            reason: "a test".to_owned(),
            include_sender: self.random.once_in(2),
            ..OrderRequest::default()
        };
        let recall = self.life().house.recall.clone();
        let told = self.life().run(recall.order(request, admin(), None));
        self.tell(format!("recall of {number}: {:?}", told.as_ref().map_err(ToString::to_string)));
        if let (Ok(id), false) = (told, self.is_dying()) {
            self.learn(id, number);
        }
    }

    fn learn(&mut self, id: OrderId, number: u32) {
        if self.orders.iter().any(|order| order.id == id) {
            return;
        }
        let recall = self.life().house.recall.clone();
        let view = self.life().run(recall.show(id)).unwrap();
        let (include_sender, author) = (view.include_sender, self.author(number));
        let mut users: BTreeSet<usize> = match self.mails.get(&number) {
            Some(mail) => {
                let here = |(user, presence): (&usize, &super::world::Presence)| {
                    // What comes from the outbox may not have come yet.
                    let came = mail.sender.is_none_or(|sender| sender == *user);
                    (came && presence.accepted > 0 && !presence.deleted).then_some(*user)
                };
                mail.at.iter().filter_map(here).collect()
            }
            None => BTreeSet::new(),
        };
        users.retain(|user| include_sender || author != Some(*user));
        let (stands_until, open) = (view.stands_until, view.state == "open");
        self.orders.push(Order { id, number, stands_until, open, include_sender, users });
    }

    /// After a start: what was ordered and cancelled is in the database, whoever was told.
    pub(super) fn learn_orders(&mut self) {
        let recall = self.life().house.recall.clone();
        let views = self.life().run(recall.orders(None, 1_000)).unwrap();
        for known in &self.orders {
            assert!(views.iter().any(|view| view.id == known.id), "order {} is lost", known.id);
        }
        for view in views.iter().rev() {
            let number = number_in(&view.message_id).expect("an order of ours");
            self.learn(view.id, number);
            let order = self.orders.iter_mut().find(|order| order.id == view.id);
            order.expect("it was learnt").open = view.state == "open";
        }
    }

    /// An administrator cancels an order.
    pub(super) fn somebody_cancels(&mut self) {
        let open: Vec<OrderId> =
            self.orders.iter().filter(|order| order.open).map(|order| order.id).collect();
        let Some(id) = self.random.pick(&open).copied() else { return };
        let recall = self.life().house.recall.clone();
        self.life().run(recall.cancel(id, admin())).unwrap();
        self.tell(format!("order {id} is cancelled"));
        for order in self.orders.iter_mut().filter(|order| order.id == id) {
            order.open = false;
        }
    }

    /// The workers of recall and of the outbox do what is due.
    pub(super) fn the_worker_works(&mut self) {
        let recall = self.life().house.recall.clone();
        let what = self.random.below(4);
        let done = match what {
            0 => self.life().run(recall.sweep()).map_err(|error| error.to_string()),
            1 => self.the_outbox_works(),
            _ => self.life().run(recall.work_off()).map_err(|error| error.to_string()),
        };
        self.tell(format!("the workers: {what} {done:?}"));
        assert!(done.is_ok() || self.is_dying(), "a worker failed: {done:?}");
    }

    /// The folders of a user.
    pub(super) fn folders(&self, user: usize) -> Vec<Folder> {
        let store = self.life().house.store.clone();
        self.life().run(store.folders(self.mailboxes[user])).unwrap()
    }

    /// The live items of a folder.
    pub(super) fn live(&self, folder: FolderId) -> Vec<ItemNumber> {
        self.live_items(folder).into_iter().map(|(item, _)| item).collect()
    }

    /// The live items of a folder, with whether each is read.
    pub(super) fn live_items(&self, folder: FolderId) -> Vec<(ItemNumber, bool)> {
        let store = self.life().house.store.clone();
        let delta = self.life().run(store.changes_since(folder, Cursor(0), 100_000)).unwrap();
        let live = delta.changes.into_iter().filter_map(|change| match change {
            Change::Live(item) => Some((item.item, item.read)),
            Change::Gone { .. } => None,
        });
        live.collect()
    }

    /// Which mail an item is.
    pub(super) fn name(&mut self, folder: FolderId, item: ItemNumber) -> u32 {
        if let Some(number) = self.names.get(&(folder, item)) {
            return *number;
        }
        let store = self.life().house.store.clone();
        let (_, raw) = self.life().run(store.read(folder, item)).unwrap();
        let text = String::from_utf8_lossy(&raw);
        let subject = text.split("Subject: ").nth(1).unwrap_or_default();
        let number = number_in(subject).unwrap_or(UNNAMED);
        self.names.insert((folder, item), number);
        number
    }
}

/// Who orders.
pub(super) fn admin() -> Actor {
    Actor::Admin("root".to_owned())
}

/// The octets of a mail.
pub(super) fn raw(number: u32, from: &str, attachment: bool) -> String {
    let head = format!(
        "From: {from}\r\nTo: list@b.example\r\nSubject: mk{number}x news\r\nMessage-ID: <mk{number}x@b.example>\r\n\
         Date: Tue, 24 Nov 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    );
    let text = format!("mk{number}x says this.\r\n");
    if !attachment {
        return format!("{head}Content-Type: text/plain\r\n\r\n{text}");
    }
    format!(
        "{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{text}--b\r\n\
         Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n\
         mk{number}x attached\r\n--b--\r\n"
    )
}
