//! A request on its way and its answer's fate: taken, lost, cut, held, doubled or raced; and what the phone makes of it.

use std::collections::BTreeSet;

use activesync_phone::activesync::Document;
use activesync_phone::activesync::command::sync::{self, ReplyTo};
use activesync_phone::activesync::item::email::Email;
use activesync_phone::activesync::status::Status;
use activesync_phone::{CachedItem, Commit, Exchange, HttpAnswer, Outcome, PhoneError};
use activesync_phone::{SyncAsk, Waits};
use retract::eas::{Answer, ConnectionId, Handler, Outcome as Served};
use retract::ids::{FolderId, ItemNumber, ServerId};

use super::answers::{mails_in, shown};
use super::phones::{Fate, Held, Wait};
use super::world::World;
use crate::house::{incoming, keep_response};

impl World {
    /// Sends a request and takes the answer as fate has it.
    pub(super) fn exchange_taken(&mut self, index: usize, exchange: &Exchange) {
        self.exchange(index, exchange, Fate::Taken);
    }

    pub(super) fn exchange(&mut self, index: usize, exchange: &Exchange, fate: Fate) {
        let served = self.serve(index, exchange);
        self.proceed(index, exchange, served, fate);
    }

    /// The gateway serves a request; nothing when the process died over it.
    pub(super) fn serve(&mut self, index: usize, exchange: &Exchange) -> Option<Served> {
        let request = incoming(exchange, ConnectionId(self.handsets[index].connection));
        let gateway = self.life().house.gateway.clone();
        let barred = self.handsets[index].standing.is_barred();
        let served = self.life().run(gateway.handle(request));
        if self.is_dying() {
            self.may_stand_otherwise(index, exchange);
            return None;
        }
        self.handsets[index].was_served = false;
        if barred {
            self.check_barred(index, exchange, &served);
        }
        Some(served)
    }

    pub(super) fn proceed(
        &mut self,
        index: usize,
        exchange: &Exchange,
        served: Option<Served>,
        fate: Fate,
    ) {
        match served {
            None => self.handsets[index].lost(exchange),
            Some(Served::Wait(waiting)) => {
                self.tell(format!("{}: {:?} waits", self.called(index), exchange.command));
                self.handsets[index].hanging = Some((exchange.clone(), waiting.wait()));
            }
            Some(Served::Answer(answer)) => self.receive(index, exchange, answer, fate),
        }
    }

    pub(super) fn goes_on_waiting(&mut self, index: usize, exchange: Exchange, mut wait: Wait) {
        let answer = self.life().turns(&mut wait.as_mut(), 8);
        if self.is_dying() {
            return;
        }
        match answer {
            Some(answer) => {
                self.tell(format!("{}: the wait ends", self.called(index)));
                let served = Served::Answer(answer);
                if self.handsets[index].standing.is_barred() {
                    self.check_barred(index, &exchange, &served);
                }
                let Served::Answer(answer) = served else { return };
                let fate = self.fate();
                self.receive(index, &exchange, answer, fate);
            }
            None if self.random.once_in(2) => {
                self.tell(format!("{}: gives the wait up", self.called(index)));
                drop(wait);
                self.handsets[index].hang_up();
            }
            None => self.handsets[index].hanging = Some((exchange, wait)),
        }
    }

    /// An answer meets its fate.
    pub(super) fn receive(
        &mut self,
        index: usize,
        exchange: &Exchange,
        answer: Answer,
        fate: Fate,
    ) {
        match fate {
            Fate::Held => {
                self.tell(format!("{}: the answer is held", self.called(index)));
                self.handsets[index].held = Some((exchange.clone(), answer));
            }
            Fate::Raced => {
                let both = self.random.once_in(2);
                self.tell(format!("{}: asks again, takes both: {both}", self.called(index)));
                let second = self.serve(index, exchange);
                if both {
                    self.arrives(index, exchange, answer, Commit::All);
                } else {
                    drop(answer);
                }
                self.proceed(index, exchange, second, Fate::Taken);
            }
            Fate::Lost => {
                self.tell(format!("{}: {:?} lost", self.called(index), exchange.command));
                self.check_answer(index, exchange, answer);
                self.handsets[index].lost(exchange);
            }
            Fate::Part(count) => self.arrives(index, exchange, answer, Commit::Items(count)),
            Fate::Taken => self.arrives(index, exchange, answer, Commit::All),
            Fate::Twice => {
                if let Some(seen) = self.check_answer(index, exchange, answer) {
                    self.take(index, exchange, &seen, Commit::All);
                    self.take(index, exchange, &seen, Commit::All);
                }
            }
        }
    }

    fn arrives(&mut self, index: usize, exchange: &Exchange, answer: Answer, commit: Commit) {
        match self.check_answer(index, exchange, answer) {
            Some(seen) => self.take(index, exchange, &seen, commit),
            None => self.handsets[index].lost(exchange),
        }
    }

    /// The octets of an answer, looked at on their way out; nothing when the fence cut it.
    pub(super) fn check_answer(
        &mut self,
        index: usize,
        exchange: &Exchange,
        answer: Answer,
    ) -> Option<HttpAnswer> {
        let headers = answer
            .headers
            .iter()
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let status = answer.status.as_u16();
        let Some(body) = answer.into_bytes() else {
            self.tell(format!("{}: the answer was cut", self.called(index)));
            return None;
        };
        if status == 200 {
            keep_response(exchange.command, self.handsets[index].version(), &body);
        }
        let version = self.handsets[index].version();
        let user = self.handsets[index].user;
        for number in mails_in(exchange.command, version, &body) {
            assert!(!self.is_covered(number, user), "{}: was given {number}", self.called(index));
        }
        Some(HttpAnswer { status, headers, body: body.to_vec() })
    }

    fn take(&mut self, index: usize, exchange: &Exchange, seen: &HttpAnswer, commit: Commit) {
        let before = self.handsets[index].holds();
        let taken = self.handsets[index].phone.take(exchange, seen, commit);
        self.handsets[index].was_served = is_served(&taken);
        let line = match &taken {
            Ok(Outcome::Sync(response)) => format!("sync {}", shown(response.as_ref())),
            Ok(outcome) => {
                let text = format!("{outcome:?}");
                text.chars().take(300).collect()
            }
            Err(error) => error.to_string(),
        };
        self.tell(format!("{}: {commit:?} {line}", self.called(index)));
        match taken {
            Err(PhoneError::Undecodable(error)) => panic!("an answer cannot be read: {error}"),
            Err(PhoneError::Http(status)) => {
                assert!([501, 503].contains(&status), "HTTP {status}");
            }
            Err(PhoneError::Unexpected(_)) => {}
            Ok(Outcome::Sync(response)) => {
                self.took_sync(index, exchange, response, commit, &before);
            }
            Ok(Outcome::FolderSync(_)) => {
                let handset = &mut self.handsets[index];
                let known = &handset.phone.cache.folders;
                handset.pending.retain(|(folder, _)| known.contains_key(folder));
                // An app drops what belongs to no folder.
                let known: BTreeSet<String> = known.keys().cloned().collect();
                handset.phone.cache.collections.retain(|folder, _| known.contains(folder));
            }
            Ok(Outcome::Refused(Status(140 | 142..=144))) => self.provisions(index),
            Ok(_) => {}
        }
    }

    /// Both phases of Provision; whatever is lost on the way is asked for again another time.
    pub(super) fn provisions(&mut self, index: usize) {
        let first = self.handsets[index].phone.provision();
        let Some(Outcome::Provision(response)) = self.asks(index, &first) else { return };
        if response.remote_wipe || response.account_only_remote_wipe {
            return self.told_to_wipe(index, response.account_only_remote_wipe);
        }
        let key = response.policy.as_ref().and_then(|policy| policy.policy_key.clone());
        if let Some(key) = key {
            let second = self.handsets[index].phone.provision_acknowledge(&key);
            self.asks(index, &second);
        }
    }

    pub(super) fn asks(&mut self, index: usize, exchange: &Exchange) -> Option<Outcome> {
        let Some(Served::Answer(answer)) = self.serve(index, exchange) else { return None };
        let seen = self.check_answer(index, exchange, answer)?;
        self.handsets[index].phone.take(exchange, &seen, Commit::All).ok()
    }

    fn took_sync(
        &mut self,
        index: usize,
        exchange: &Exchange,
        response: Option<sync::Response>,
        commit: Commit,
        before: &[Held],
    ) {
        if commit != Commit::All {
            return self.handsets[index].lost(exchange);
        }
        self.handsets[index].may_repeat = true;
        let Some(response) = response else { return };
        if response.status == Some(Status(13)) {
            let asked = sync::Request::decode(self.handsets[index].version(), &exchange.body);
            let whole = asked.is_ok_and(|asked| !asked.partial) && !exchange.body.is_empty();
            assert!(!whole, "a whole request is incomplete");
            // [MS-ASCMD] 2.2.3.177.17: it sends the whole request.
            let handset = &self.handsets[index];
            let known = handset.phone.cache.collections.iter();
            let begun = known.filter(|(_, collection)| collection.key.is_some());
            let asks: Vec<SyncAsk> = begun.map(|(folder, _)| SyncAsk::of(folder)).collect();
            if asks.is_empty() {
                return;
            }
            let exchange = handset.phone.sync(&asks, Waits::No);
            return self.exchange(index, &exchange, Fate::Taken);
        }
        if response.status == Some(Status(12)) {
            let exchange = self.handsets[index].phone.folder_sync();
            return self.exchange(index, &exchange, Fate::Taken);
        }
        for answer in &response.collections {
            let folder = answer.collection_id.to_string();
            if answer.status == Status(3) && self.handsets[index].stale.contains(&folder) {
                self.check_reopened(index, &folder, before);
            }
            self.learns_of_sent_drafts(index, &folder, answer);
            let handset = &mut self.handsets[index];
            if answer.status == Status(1) || answer.status == Status(3) {
                handset.pending.retain(|(of, _)| *of != folder);
                handset.stale.remove(&folder);
                handset.unsure.remove(&folder);
            }
            for reply in answer.replies.iter().filter(|reply| reply.to == ReplyTo::Add) {
                let id = reply.server_id.as_ref().filter(|_| reply.status == Status(1));
                id.into_iter().for_each(|id| self.files_draft(index, &folder, id.as_str()));
            }
        }
    }

    /// A draft the phone wrote has its number now: the app files it, if it is still there.
    fn files_draft(&mut self, index: usize, folder: &str, id: &str) {
        let Some(place) = self.place_of(self.handsets[index].user, id) else { return };
        if !self.live(place.0).contains(&place.1) {
            return;
        }
        let subject = Some(format!("mk{}x draft", self.name(place.0, place.1)));
        let email = Email { subject, read: Some(true), ..Email::default() };
        let item = CachedItem { email, fetched_body: None, attachments: Vec::new() };
        let cache = &mut self.handsets[index].phone.cache;
        let collection = cache.collections.entry(folder.to_owned()).or_default();
        collection.items.entry(id.to_owned()).or_insert(item);
    }

    /// The folder and item a ServerId names.
    pub(super) fn place_of(&self, user: usize, id: &str) -> Option<(FolderId, ItemNumber)> {
        let id = ServerId::parse(id)?;
        let folder = self.folder_id(user, &id.collection.to_string())?;
        Some((folder, id.item))
    }

    /// The folder a CollectionId names.
    pub(super) fn folder_id(&self, user: usize, number: &str) -> Option<FolderId> {
        let folders = self.folders(user);
        folders.iter().find(|folder| folder.number.to_string() == number).map(|folder| folder.id)
    }
}

/// Whether a request was let in: it was answered with something of its own.
pub(super) fn is_served(taken: &Result<Outcome, PhoneError>) -> bool {
    match taken {
        Ok(Outcome::Refused(status)) => {
            !matches!(status, Status(111 | 129 | 140 | 142..=144 | 177))
        }
        Ok(_) => true,
        Err(_) => false,
    }
}
