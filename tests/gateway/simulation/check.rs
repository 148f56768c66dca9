//! What must be true after every step, and at the end.
//!
//! - The books cover every cache, and exposure never shrinks.
//! - No answer holds what an order covered when it left (looked at in `phones`).
//! - What reads acknowledged or prevented, no honest phone holds; a restored one re-opens it.
//! - A device that may not talk is given nothing and its pairs say so; a wipe is worth no more than its promise (`operators`).
//! - What was accepted is there; what a phone was told succeeded is so.
//! - What was sent from a phone leaves once (`post`); the audit verifies and says what the reports say (`diary`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use activesync_phone::activesync::Document;
use activesync_phone::activesync::ProtocolVersion;
use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::sync::{self, ClientCommand};
use activesync_phone::activesync::status::Status;
use activesync_phone::{SyncAsk, Waits};
use retract::audit;
use retract::eas::{Answer, Body};
use retract::ids::{DeviceId, FolderId, ItemNumber};
use retract::ledger::{self, Place};
use retract::recall::{Coverage, PairView, ReasonCode, RecipientResult, State};

use super::phones::Held;
use super::world::{Order, USERS, World};

/// How many rounds of syncing all phones may need to come to rest.
const ROUNDS_MAX: usize = 200;

impl World {
    /// Looks at everything that a step can have broken.
    pub(super) fn look(&mut self) {
        for index in 0..self.handsets.len() {
            self.check_books(index);
        }
        self.check_orders();
        self.check_post();
        if self.steps.is_multiple_of(8) {
            self.check_diary();
            self.check_store(false);
        }
        if self.steps.is_multiple_of(40) {
            self.check_audit();
        }
    }

    /// The ledger covers the cache; exposure never shrinks.
    fn check_books(&mut self, index: usize) {
        let Some(device) = self.device(index) else { return };
        let user = self.handsets[index].user;
        let mut places: BTreeMap<(FolderId, ItemNumber), Option<String>> = BTreeMap::new();
        let ids: BTreeMap<String, FolderId> =
            self.folders(user).iter().map(|f| (f.number.to_string(), f.id)).collect();
        for (folder, id, _) in self.handsets[index].holds() {
            let item = id.split_once(':').and_then(|(_, item)| item.parse().ok());
            if let (Some(folder_id), Some(item)) = (ids.get(&folder), item) {
                places.insert((*folder_id, ItemNumber(item)), Some(folder));
            }
        }
        let mut fetched = BTreeSet::new();
        for copy in &self.handsets[index].phone.copies {
            let mut parts = copy.id.split(':');
            let folder = parts.next().and_then(|folder| ids.get(folder));
            let item = parts.next().and_then(|item| item.parse().ok());
            if let (Some(folder), Some(item)) = (folder, item) {
                fetched.insert((*folder, ItemNumber(item)));
                places.entry((*folder, ItemNumber(item))).or_insert(None);
            }
        }
        let known = self.exposures.keys().filter(|(of, _, _)| *of == device);
        for (_, folder, item) in known {
            places.entry((*folder, *item)).or_insert(None);
        }
        let asked: Vec<(FolderId, ItemNumber)> = places.keys().copied().collect();
        let held = self.life().read(move |tx| {
            let look = |(folder, item)| ledger::held(tx, Place { device, folder }, item);
            asked.into_iter().map(look).collect::<Result<Vec<_>, _>>()
        });
        for (held, cached) in held.into_iter().zip(places.into_values()) {
            let key = (device, held.folder, held.item);
            let bits = held.exposure.bits();
            let old = self.exposures.insert(key, bits).unwrap_or(0);
            assert_eq!(old & !bits, 0, "exposure of {key:?} has shrunk");
            let is_fetched = fetched.contains(&(held.folder, held.item));
            let content = held.exposure.any_content();
            assert!(content || !is_fetched, "{key:?} was fetched, which never left");
            let Some(folder) = cached else { continue };
            let called = self.called(index);
            assert!(held.exposure.any_content(), "{called} has {key:?}, which never left");
            let handset = &self.handsets[index];
            if handset.is_honest && !handset.stale.contains(&folder) {
                assert!(held.open, "{called} has {key:?}, which the books have closed");
            }
        }
    }

    /// What reads acknowledged or prevented, no honest phone holds.
    fn check_orders(&mut self) {
        let devices: Vec<Option<DeviceId>> =
            (0..self.handsets.len()).map(|index| self.device(index)).collect();
        for order in self.orders.clone().into_iter().filter(|order| order.open) {
            let recall = self.life().house.recall.clone();
            let coverage = self.life().run(recall.coverage(order.id)).unwrap();
            self.check_left_out(&order, &coverage);
            for pair in &coverage.devices {
                let index = devices.iter().position(|device| *device == Some(pair.device));
                let Some(index) = index else { continue };
                self.check_standing(index, pair);
                if !pair.state.is_covered() {
                    continue;
                }
                let handset = &self.handsets[index];
                if !handset.is_honest {
                    continue;
                }
                for (folder, id, number) in handset.holds() {
                    let is_it = number == order.number && !handset.stale.contains(&folder);
                    assert!(
                        !is_it,
                        "{} holds {number} as {id}; order {} reads {:?}",
                        self.called(index),
                        order.id,
                        pair.state
                    );
                }
            }
        }
    }

    /// Where the author's own mailbox is left out, it is left alone, and said to be.
    fn check_left_out(&self, order: &Order, coverage: &Coverage) {
        let author = self.author(order.number).filter(|_| !order.include_sender);
        let Some(author) = author else { return };
        let mailbox = self.mailboxes[author];
        let none = coverage.devices.iter().all(|pair| pair.mailbox != mailbox);
        assert!(none, "order {} reaches for its author's mailbox", order.id);
        let address = format!("{}@a.example", USERS[author]);
        for view in coverage.recipients.iter().filter(|view| view.recipient == address) {
            assert_eq!(view.result, RecipientResult::LeftAlone, "order {}", order.id);
        }
    }

    /// Whoever names a recalled mail has it: its pair is open again, whatever was acknowledged.
    pub(super) fn check_named(&self, index: usize, number: u32) {
        // The books of a disk that died cannot be read; what survives is looked at after the restart.
        if self.mails.get(&number).is_none_or(|mail| mail.drafted) || self.is_dying() {
            return;
        }
        let handset = &self.handsets[index];
        let Some(device) = self.device(index).filter(|_| handset.was_served) else { return };
        for order in self.orders.iter().filter(|order| order.open && order.number == number) {
            let recall = self.life().house.recall.clone();
            let coverage = self.life().run(recall.coverage(order.id)).unwrap();
            let pair = coverage.devices.iter().find(|pair| pair.device == device);
            let state = pair.map(|pair| pair.state).filter(|state| state.is_covered());
            let called = self.called(index);
            assert!(state.is_none(), "{called} names {number}; order {} reads {state:?}", order.id);
        }
    }

    /// A restored phone has shown an old key: what it may hold again is not acknowledged any more.
    pub(super) fn check_reopened(&mut self, index: usize, folder: &str, before: &[Held]) {
        if self.is_dying() {
            return;
        }
        let Some(device) = self.device(index) else { return };
        for order in self.orders.clone().into_iter().filter(|order| order.open) {
            let held = before.iter().any(|(of, _, number)| of == folder && *number == order.number);
            if !held {
                continue;
            }
            let recall = self.life().house.recall.clone();
            let coverage = self.life().run(recall.coverage(order.id)).unwrap();
            let pair = coverage.devices.iter().find(|pair| pair.device == device);
            let covered = pair
                .is_some_and(|pair| matches!(pair.state, State::Acknowledged | State::Prevented));
            assert!(
                !covered,
                "{} came back with {} and order {} did not re-open",
                self.called(index),
                order.number,
                order.id
            );
        }
    }

    /// What a phone was just told succeeded is in the store.
    pub(super) fn check_told(
        &mut self,
        user: usize,
        version: ProtocolVersion,
        answer: &Answer,
        commands: &[ClientCommand],
    ) {
        let Body::Released(content) = &answer.body else { return };
        let Ok(response) = sync::Response::decode(version, content.octets()) else { return };
        for command in commands {
            let id = match command {
                ClientCommand::Change(change) => &change.server_id,
                ClientCommand::Delete(delete) => &delete.server_id,
                _ => continue,
            };
            let collection = id.as_str().split(':').next().unwrap_or_default();
            let mut answers = response.collections.iter().filter(|c| c.status == Status(1));
            let told = answers.find(|answer| answer.collection_id.as_str() == collection);
            let Some(told) = told else { continue };
            let failed = told
                .replies
                .iter()
                .any(|reply| reply.server_id.as_ref() == Some(id) && reply.status != Status(1));
            let Some((folder, item)) = self.place_of(user, id.as_str()) else { continue };
            let live = self.live_items(folder).into_iter().find(|(live, _)| *live == item);
            let (false, Some((_, read))) = (failed, live) else { continue };
            let number = self.name(folder, item);
            if self.is_covered(number, user) {
                // A recalled mail leaves the store by way of the vault.
                continue;
            }
            match command {
                ClientCommand::Delete(_) => panic!("{id} was told deleted and is there"),
                ClientCommand::Change(change) => {
                    let wanted = change.data.email().and_then(|email| email.read);
                    assert!(wanted.is_none_or(|wanted| wanted == read), "{id} was told changed");
                }
                _ => {}
            }
        }
    }

    /// What was accepted is there, and not more often than it came.
    fn check_store(&mut self, at_the_end: bool) {
        let mut counts: BTreeMap<(u32, usize), usize> = BTreeMap::new();
        for user in 0..self.mailboxes.len() {
            for folder in self.folders(user) {
                for item in self.live(folder.id) {
                    let number = self.name(folder.id, item);
                    *counts.entry((number, user)).or_default() += 1;
                }
            }
        }
        let ordered: BTreeSet<u32> = self.orders.iter().map(|order| order.number).collect();
        for (number, mail) in self.mails.clone() {
            for (user, presence) in mail.at {
                let count = counts.get(&(number, user)).copied().unwrap_or(0);
                let most = presence.accepted + presence.perhaps;
                assert!(count <= most, "mail {number} is there {count} times, not {most}");
                let withdrawn = self.is_covered(number, user);
                if withdrawn && at_the_end {
                    assert_eq!(
                        count, 0,
                        "recalled mail {number} is still with user {user}; {:?}",
                        self.orders
                    );
                }
                // What was sent from a phone arrives with the outbox; a recall stops it there, and cancelling does not send it.
                let touched = self.is_touched(number, user);
                let wanted = match mail.sender {
                    // The author's own copy stays where an order leaves it out.
                    Some(sender) if sender == user && !touched => presence.accepted.min(1),
                    Some(_) if at_the_end && !ordered.contains(&number) => presence.accepted,
                    None if at_the_end || !touched => presence.accepted,
                    _ => 0,
                };
                assert!(
                    withdrawn || presence.deleted || count >= wanted,
                    "mail {number} of user {user} is there {count} times, not {wanted}",
                );
            }
        }
    }

    fn check_audit(&self) {
        let report = self.life().read(audit::verify);
        assert!(report.first_bad.is_none(), "the audit: {:?}", report.first_bad);
    }

    /// All phones catch up: caches equal mailboxes, and what was recalled is gone.
    pub(super) fn end(&mut self) {
        self.tell("the end: everybody catches up".to_owned());
        for index in 0..self.handsets.len() {
            self.handsets[index].hang_up();
        }
        self.settle();
        self.check_store(true);
        self.check_post_at_the_end();
        self.check_audit();
        self.look();
        for index in 0..self.handsets.len() {
            if self.handsets[index].is_honest {
                self.check_cache(index);
            }
        }
        for order in self.orders.clone().into_iter().filter(|order| order.open) {
            let recall = self.life().house.recall.clone();
            let coverage = self.life().run(recall.coverage(order.id)).unwrap();
            let outside = coverage.states.get("outside").copied().unwrap_or(0);
            let reached = coverage.pairs - outside;
            let (promised, open): (Vec<_>, Vec<_>) = coverage
                .devices
                .iter()
                .filter(|pair| !pair.state.is_covered())
                .partition(|pair| self.may_stay_promised(pair));
            let open: Vec<_> = open
                .iter()
                .map(|pair| (pair.device, pair.state, pair.folder, pair.item, pair.reason))
                .collect();
            assert_eq!(
                coverage.covered + promised.len() as u64,
                reached,
                "order {} of {}: {open:?}",
                order.id,
                order.number
            );
        }
    }

    /// What a phone promised to have wiped is never more than promised, and of one that is older than the books nobody can say.
    fn may_stay_promised(&self, pair: &PairView) -> bool {
        let mut indices = 0..self.handsets.len();
        let index = indices.find(|index| self.device(*index) == Some(pair.device));
        let Some(standing) = index.map(|index| &self.handsets[index].standing) else {
            return false;
        };
        match pair.state {
            State::WipeAcked | State::WipeCorroborated => standing.promised,
            State::NotRetractable => standing.older && pair.reason == Some(ReasonCode::LedgerGap),
            _ => false,
        }
    }

    fn settle(&mut self) {
        for round in 0..ROUNDS_MAX {
            let before = self.quiet();
            self.everybody_is_let_in();
            // Longer than the clock was ever set back, so that everything is due.
            self.clock.advance(Duration::from_secs(3 * 3_600));
            let recall = self.life().house.recall.clone();
            self.life().run(recall.work_off()).unwrap();
            self.the_outbox_works().unwrap();
            for index in 0..self.handsets.len() {
                self.catches_up(index);
            }
            // A mail that a phone repeated last may have to be tried again.
            let outbox = self.life().house.outbox.clone();
            let waits = self.life().run(outbox.counts()).unwrap().waiting > 0;
            if round > 3 && before == self.quiet() && !waits {
                return;
            }
        }
        panic!("phones never come to rest");
    }

    /// What a round of syncing would change.
    fn quiet(&self) -> Vec<(Vec<Held>, Vec<String>)> {
        let state = self.handsets.iter().map(|handset| {
            let collections = handset.phone.cache.collections.values();
            let keys = collections.filter_map(|c| c.key.as_ref().map(ToString::to_string));
            (handset.holds(), keys.collect())
        });
        state.collect()
    }

    fn catches_up(&mut self, index: usize) {
        self.repeats_mail(index);
        let exchange = self.handsets[index].phone.folder_sync();
        self.exchange_taken(index, &exchange);
        let folders: Vec<String> = self.handsets[index]
            .phone
            .cache
            .folders
            .values()
            .filter(|folder| folder.folder_type != FolderType::OUTBOX)
            .map(|folder| folder.server_id.to_string())
            .collect();
        for folder in folders {
            let handset = &mut self.handsets[index];
            handset.phone.profile.window_size = 100;
            if let Some(collection) = handset.phone.cache.collections.get_mut(&folder) {
                collection.filter = Some(0);
            }
            let mut ask = SyncAsk::of(&folder);
            ask.commands = handset.pending_of(&folder);
            let exchange = handset.phone.sync(&[ask], Waits::No);
            self.exchange_taken(index, &exchange);
        }
    }

    fn check_cache(&mut self, index: usize) {
        let user = self.handsets[index].user;
        for folder in self.folders(user) {
            let number = folder.number.to_string();
            let collection = self.handsets[index].phone.cache.collections.get(&number);
            let Some(collection) = collection else { continue };
            // A backup put back at a key that still counts has forgotten what the phone itself said since, and nobody can tell.
            let forgets = self.handsets[index].was_restored;
            let cached: BTreeMap<String, bool> = collection
                .items
                .iter()
                .map(|(id, item)| (id.clone(), item.is_read() || forgets))
                .collect();
            let live: BTreeMap<String, bool> = self
                .live_items(folder.id)
                .into_iter()
                .map(|(item, read)| (format!("{number}:{item}"), read || forgets))
                .collect();
            assert_eq!(cached, live, "{}: {}", self.called(index), folder.name);
        }
    }
}
