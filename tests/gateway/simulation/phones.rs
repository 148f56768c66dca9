//! The phones: what they ask, what becomes of the answers, and whether they are honest.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use activesync_phone::activesync::ProtocolVersion;
use activesync_phone::activesync::command::CommandName;
use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::sync::ClientCommand;
use activesync_phone::activesync::item::email::Email;
use activesync_phone::activesync::types::ClientId;
use activesync_phone::{Exchange, Phone, Profile, SyncAsk, Waits};
use retract::eas::{Answer, Outcome as Served};
use retract::ids::{DeviceId, UserId};
use retract::ledger;

use super::operators::Standing;
use super::post::Unsent;
use super::world::{USERS, World, number_in};
use crate::house::PASSWORD;
use crate::random::Random;

/// A mail in a cache: folder, ServerId, number.
pub(super) type Held = (String, String, u32);

pub(super) type Wait = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A device in somebody's hand.
pub(super) struct Handset {
    pub(super) phone: Phone,
    pub(super) user: usize,
    /// Whether it deletes what it is told to delete.
    pub(super) is_honest: bool,
    /// Folders whose cache came out of a backup and has not been synced since.
    pub(super) stale: BTreeSet<String>,
    /// Whether it ever came back from a backup.
    pub(super) was_restored: bool,
    /// Whether a Sync was answered since it was set up or restored: before that an app knows of none to repeat.
    pub(super) may_repeat: bool,
    /// What operators decided about it.
    pub(super) standing: Standing,
    /// Whether its last request was let in and answered.
    pub(super) was_served: bool,
    pub(super) backup: Option<Phone>,
    pub(super) connection: u64,
    /// Folders of which an answer was lost: what was said there may or may not count.
    pub(super) unsure: BTreeSet<String>,
    /// What the phone did and no answer has confirmed.
    pub(super) pending: Vec<(String, ClientCommand)>,
    /// An answer on its way.
    pub(super) held: Option<(Exchange, Answer)>,
    /// A mail it wants sent and has not been told about.
    pub(super) unsent: Option<Unsent>,
    pub(super) hanging: Option<(Exchange, Wait)>,
}

/// Which phone of a user speaks 12.1.
const OLDEST_AT: usize = 2;

impl Handset {
    /// A few phones for every user.
    pub(super) fn some(random: &mut Random) -> Vec<Handset> {
        let mut handsets = Vec::new();
        for user in 0..USERS.len() {
            for at in 0..2 + random.index(2) {
                handsets.push(Handset::any(random, user, at));
            }
        }
        handsets
    }

    /// A phone of a user, of any family.
    pub(super) fn any(random: &mut Random, user: usize, at: usize) -> Handset {
        let families = Profile::families();
        let mut profile = random.pick(&families).expect("there are families").clone();
        if at == OLDEST_AT {
            // Every user's third phone is an old one; what the seeds found before stays as it was.
            profile = Profile::oldest();
        }
        profile.window_size = 1 + u32::try_from(random.below(8)).expect("small");
        profile.keeps_deleted = random.once_in(8);
        let wire = format!("{}PHONE{at}", USERS[user].to_uppercase());
        Handset {
            is_honest: !profile.keeps_deleted,
            phone: Phone::new(profile, USERS[user], PASSWORD, &wire),
            user,
            stale: BTreeSet::new(),
            was_restored: false,
            may_repeat: false,
            standing: Standing::default(),
            was_served: false,
            backup: None,
            connection: 1 + random.below(1 << 32),
            unsure: BTreeSet::new(),
            pending: Vec::new(),
            held: None,
            unsent: None,
            hanging: None,
        }
    }

    /// The connection is gone, and with it whatever was on its way.
    pub(super) fn hang_up(&mut self) {
        self.connection += 1;
        if let Some((exchange, _)) = self.held.take() {
            self.lost(&exchange);
        }
        self.hanging = None;
    }

    /// It wipes itself: the account is gone, and with it all that was under way.
    pub(super) fn erase(&mut self) {
        self.hang_up();
        self.phone.erase();
        self.pending.clear();
        self.stale.clear();
        self.unsure.clear();
        self.unsent = None;
    }

    pub(super) fn lost(&mut self, exchange: &Exchange) {
        if exchange.command == Some(CommandName::Sync) {
            self.unsure.extend(self.phone.cache.collections.keys().cloned());
        }
    }

    /// The mails it holds in its folders: folder, ServerId, number.
    pub(super) fn holds(&self) -> Vec<Held> {
        let items = self.phone.cache.items();
        items
            .map(|(folder, id, item)| {
                (folder.to_owned(), id.to_owned(), number_in(item.subject()).unwrap_or(0))
            })
            .collect()
    }

    /// What it did in a folder and no answer has confirmed.
    pub(super) fn pending_of(&self, folder: &str) -> Vec<ClientCommand> {
        let pending = self.pending.iter().filter(|(of, _)| of == folder);
        pending.map(|(_, command)| command.clone()).collect()
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.phone.profile.version
    }
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    Lost,
    Part(usize),
    Held,
    Twice,
    /// The request is sent again before its answer is taken; one answer is taken, or both.
    Raced,
}

impl World {
    /// A phone does something, or goes on with what it does.
    pub(super) fn some_phone_acts(&mut self) {
        let index = self.random.index(self.handsets.len());
        if let Some((exchange, wait)) = self.handsets[index].hanging.take() {
            return self.goes_on_waiting(index, exchange, wait);
        }
        if let Some((exchange, answer)) = self.handsets[index].held.take() {
            self.tell(format!("{}: the held answer arrives", self.called(index)));
            let fate = if self.random.once_in(2) { Fate::Taken } else { Fate::Part(1) };
            return self.receive(index, &exchange, answer, fate);
        }
        let folders: Vec<String> = self.mail_folders(index);
        if folders.is_empty() || self.random.once_in(12) {
            let exchange = self.handsets[index].phone.folder_sync();
            let fate = if self.random.once_in(5) { Fate::Lost } else { Fate::Taken };
            return self.exchange(index, &exchange, fate);
        }
        match self.random.below(40) {
            0..24 => self.syncs(index, &folders),
            24..26 if self.handsets[index].may_repeat => {
                let exchange = self.handsets[index].phone.empty_sync();
                self.exchange(index, &exchange, Fate::Taken);
            }
            24..26 => self.syncs(index, &folders),
            26..29 => {
                let ids: Vec<&str> = folders.iter().map(String::as_str).collect();
                let exchange = self.handsets[index].phone.ping(&ids, 600);
                self.exchange(index, &exchange, Fate::Taken);
            }
            29..31 => self.fetches(index),
            31..33 => self.moves(index, &folders),
            33..36 => self.sends(index),
            36 => {
                let folder = self.random.pick(&folders).expect("there are some").clone();
                let exchange = self.handsets[index].phone.get_item_estimate(&folder);
                self.exchange(index, &exchange, Fate::Taken);
            }
            37 => self.makes_or_deletes_a_folder(index),
            38 => {
                // The app begins a folder again.
                let folder = self.random.pick(&folders).expect("there are some").clone();
                self.tell(format!("{}: begins {folder} again", self.called(index)));
                let handset = &mut self.handsets[index];
                if let Some(collection) = handset.phone.cache.collections.get_mut(&folder) {
                    collection.key = None;
                    collection.items.clear();
                }
                handset.pending.retain(|(of, _)| *of != folder);
                handset.stale.remove(&folder);
                self.syncs_folders(index, &[folder], Vec::new());
            }
            _ => {
                self.tell(format!("{}: folders from the beginning", self.called(index)));
                self.handsets[index].phone.cache.hierarchy_key = None;
                let exchange = self.handsets[index].phone.folder_sync();
                self.exchange(index, &exchange, Fate::Taken);
            }
        }
    }

    /// A backup of a phone is made, or put back.
    pub(super) fn a_backup_or_its_return(&mut self) {
        let index = self.random.index(self.handsets.len());
        let called = self.called(index);
        let handset = &mut self.handsets[index];
        match handset.backup.take() {
            Some(backup) => {
                handset.hang_up();
                handset.phone = backup;
                handset.was_restored = true;
                handset.may_repeat = false;
                handset.pending.clear();
                handset.unsure.extend(handset.phone.cache.collections.keys().cloned());
                handset.stale = handset.phone.cache.collections.keys().cloned().collect();
                self.tell(format!("{called}: restored from its backup"));
            }
            None => {
                handset.backup = Some(handset.phone.clone());
                self.tell(format!("{called}: backed up"));
            }
        }
    }

    pub(super) fn called(&self, index: usize) -> String {
        let handset = &self.handsets[index];
        let honest = if handset.is_honest { "" } else { " (keeps)" };
        format!("{}/{}{honest}", handset.phone.device_id, handset.phone.profile.name)
    }

    /// The device's row, once it has been met.
    pub(super) fn device(&self, index: usize) -> Option<DeviceId> {
        let handset = &self.handsets[index];
        let user = UserId(self.mailboxes[handset.user].0);
        let wire = handset.phone.device_id.clone();
        let known = self.life().read(move |tx| ledger::device::known(tx, user, &wire));
        known.map(|device| device.id)
    }

    fn mail_folders(&self, index: usize) -> Vec<String> {
        let folders = self.handsets[index].phone.cache.folders.values();
        folders
            .filter(|folder| folder.folder_type != FolderType::OUTBOX)
            .map(|folder| folder.server_id.to_string())
            .collect()
    }

    fn syncs(&mut self, index: usize, folders: &[String]) {
        let mut chosen: Vec<String> = Vec::new();
        let inbox = self.handsets[index].phone.cache.folder_of(FolderType::INBOX);
        chosen.extend(inbox.filter(|_| !self.random.clone().once_in(4)).map(str::to_owned));
        if chosen.is_empty() || self.random.once_in(3) {
            let other = self.random.pick(folders).expect("there are some").clone();
            if !chosen.contains(&other) {
                chosen.push(other);
            }
        }
        let mut fresh = Vec::new();
        if self.random.once_in(3) {
            fresh.extend(self.something_done(index, &chosen[0]));
        }
        self.syncs_folders(index, &chosen, fresh);
    }

    /// The person deletes, reads or flags something, or writes a draft.
    fn something_done(&mut self, index: usize, folder: &str) -> Option<ClientCommand> {
        let key = self.handsets[index].phone.cache.collections.get(folder)?.key.clone();
        key.filter(|key| !key.is_initial())?;
        let called = self.called(index);
        let is_drafts =
            self.handsets[index].phone.cache.folder_of(FolderType::DRAFTS) == Some(folder);
        let is_drafts = is_drafts && self.handsets[index].version() >= ProtocolVersion::V16_0;
        if is_drafts && self.random.once_in(2) {
            return self.goes_on_with_a_draft(index, folder);
        }
        if is_drafts {
            let number = u32::try_from(self.mails.len()).expect("few mails") + 1;
            let id = ClientId::new(self.client_id()).expect("a short name");
            let user = self.handsets[index].user;
            let mail = self.mails.entry(number).or_default();
            (mail.sender, mail.author, mail.drafted) = (Some(user), Some(user), true);
            self.accepted(number, user, false);
            self.tell(format!("{called}: drafts {number}"));
            let subject = Some(format!("mk{number}x draft"));
            return Some(Phone::draft(&id, Email { subject, ..Email::default() }));
        }
        let items: Vec<String> = self.handsets[index]
            .phone
            .cache
            .collections
            .get(folder)?
            .items
            .keys()
            .cloned()
            .collect();
        let item = self.random.pick(&items)?.clone();
        let what = self.random.below(4);
        let collection = self.handsets[index].phone.cache.collections.get_mut(folder)?;
        let number = number_in(collection.items[&item].subject()).unwrap_or(0);
        let command = match what {
            0 => {
                collection.items.remove(&item);
                Phone::delete(&item)
            }
            1 => Phone::flag(&item, true),
            _ => {
                let read = what == 2;
                collection.items.get_mut(&item)?.email.read = Some(read);
                Phone::read(&item, read)
            }
        };
        if what == 0 {
            self.may_be_deleted(number, self.handsets[index].user);
        }
        self.tell(format!("{called}: {what} on {number} {item}"));
        Some(command)
    }

    fn syncs_folders(&mut self, index: usize, folders: &[String], fresh: Vec<ClientCommand>) {
        let filter = self.random.once_in(6).then(|| self.random.below(6) as u8);
        let moves = *self.random.pick(&[None, Some(true), Some(false)]).expect("three");
        let waits = if self.random.once_in(6) { Waits::Seconds(600) } else { Waits::No };
        let mut asks = Vec::new();
        for (at, folder) in folders.iter().enumerate() {
            let handset = &mut self.handsets[index];
            if let (Some(filter), Some(collection)) =
                (filter, handset.phone.cache.collections.get_mut(folder))
            {
                collection.filter = Some(filter);
            }
            let mut ask = SyncAsk::of(folder);
            ask.deletes_as_moves = moves;
            let old = handset.pending.iter().filter(|(of, _)| of == folder);
            ask.commands = old.map(|(_, command)| command.clone()).collect();
            if at == 0 {
                ask.commands.extend(fresh.iter().cloned());
                handset.pending.extend(fresh.iter().map(|c| (folder.clone(), c.clone())));
            }
            asks.push(ask);
        }
        let user = self.handsets[index].user;
        for ask in &asks {
            for command in &ask.commands {
                if let ClientCommand::Delete(delete) = command {
                    let named = self.place_of(user, delete.server_id.as_str());
                    if let Some((folder, item)) = named {
                        // Nobody may have looked at the folder since the mail came.
                        let is_there = self.live(folder).contains(&item);
                        let looked = is_there.then(|| self.name(folder, item));
                        let number = looked.or_else(|| self.names.get(&(folder, item)).copied());
                        number.into_iter().for_each(|n| self.may_be_deleted(n, user));
                    }
                }
            }
        }
        let partial = self.random.once_in(8) && self.handsets[index].may_repeat;
        let phone = &self.handsets[index].phone;
        let exchange =
            if partial { phone.partial_sync(&asks, waits) } else { phone.sync(&asks, waits) };
        let fate = self.fate();
        let (user, sure) = (self.handsets[index].user, self.handsets[index].unsure.is_empty());
        let old = self.handsets[index].pending.len() == fresh.len();
        let served = self.serve(index, &exchange);
        if let (Some(Served::Answer(answer)), true, true, false) =
            (&served, sure, old, fresh.is_empty())
        {
            self.check_told(user, self.handsets[index].version(), answer, &fresh);
        }
        self.proceed(index, &exchange, served, fate);
    }

    pub(super) fn fate(&mut self) -> Fate {
        match self.random.below(100) {
            0..60 => Fate::Taken,
            60..71 => Fate::Lost,
            71..83 => Fate::Part(self.random.index(4)),
            83..89 => Fate::Held,
            89..93 => Fate::Twice,
            _ => Fate::Raced,
        }
    }

    fn fetches(&mut self, index: usize) {
        if self.random.once_in(6) {
            return self.fetches_what_it_fetched(index);
        }
        let held = self.handsets[index].holds();
        let Some((folder, id, number)) = self.random.pick(&held).cloned() else { return };
        let item = &self.handsets[index].phone.cache.collections[&folder].items[&id];
        let attachments = item.email.attachments.iter().flat_map(|all| &all.attachments);
        let reference = attachments.filter_map(|a| a.file_reference.clone()).next();
        let handset = &self.handsets[index];
        let exchange = match reference.filter(|_| self.random.once_in(2)) {
            Some(reference) => handset.phone.fetch_attachment(reference.as_str(), None),
            None => handset.phone.fetch(&folder, &id),
        };
        self.tell(format!("{}: fetches {number} {id}", self.called(index)));
        self.exchange(index, &exchange, Fate::Taken);
        self.check_named(index, number);
    }

    /// What it once fetched beside its folders, again, whether the mail is still in the folder or not.
    fn fetches_what_it_fetched(&mut self, index: usize) {
        let copies = self.handsets[index].phone.copies.clone();
        let Some(copy) = self.random.pick(&copies) else { return };
        let Some(number) = number_in(&String::from_utf8_lossy(&copy.octets)) else { return };
        let exchange = match copy.id.matches(':').count() {
            1 => {
                let folder = copy.id.split(':').next().unwrap_or_default();
                self.handsets[index].phone.fetch(folder, &copy.id)
            }
            _ => self.handsets[index].phone.fetch_attachment(&copy.id, None),
        };
        self.tell(format!("{}: fetches {number} {} again", self.called(index), copy.id));
        self.exchange(index, &exchange, Fate::Taken);
        self.check_named(index, number);
    }

    fn moves(&mut self, index: usize, folders: &[String]) {
        let held = self.handsets[index].holds();
        let Some((folder, id, number)) = self.random.pick(&held).cloned() else { return };
        let to = self.random.pick(folders).expect("there are some").clone();
        let exchange = self.handsets[index].phone.move_items(&folder, &[&id], &to);
        self.tell(format!("{}: moves {number} {id} to {to}", self.called(index)));
        let fate = if self.random.once_in(4) { Fate::Lost } else { Fate::Taken };
        self.exchange(index, &exchange, fate);
        if fate == Fate::Taken {
            self.check_named(index, number);
        }
    }

    fn makes_or_deletes_a_folder(&mut self, index: usize) {
        let handset = &self.handsets[index];
        let own: Vec<String> = handset
            .phone
            .cache
            .folders
            .values()
            .filter(|folder| folder.display_name.starts_with("Folder"))
            .map(|folder| folder.server_id.to_string())
            .collect();
        let exchange = match self.random.pick(&own) {
            Some(folder) if self.random.once_in(2) => {
                let folder = folder.clone();
                let user = self.handsets[index].user;
                if let Some(id) = self.folder_id(user, &folder) {
                    for item in self.live(id) {
                        let number = self.name(id, item);
                        self.may_be_deleted(number, user);
                    }
                }
                self.handsets[index].phone.folder_delete(&folder)
            }
            _ => {
                self.folders_made += 1;
                let name = format!("Folder {}", self.folders_made);
                self.handsets[index].phone.folder_create("0", &name)
            }
        };
        self.exchange(index, &exchange, Fate::Taken);
    }
}
