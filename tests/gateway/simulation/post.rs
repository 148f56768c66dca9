//! Mail that phones send, and the relay's log as a witness beside caches, mailboxes, books and audit.
//!
//! A phone repeats a mail under the same ClientId until it is told what became of it. What it was told was accepted leaves exactly once,
//! or a recall withdrew it and the outbox says so; only where the relay had it and we cannot know can it leave again, the same to the
//! last octet. What an order covers does not leave any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use activesync_phone::activesync::command::CommandName;
use activesync_phone::activesync::status::Status;
use activesync_phone::activesync::types::ClientId;
use activesync_phone::{Commit, Exchange, Outcome};
use parking_lot::Mutex;
use retract::clock::Timestamp;
use retract::delivery::{Offer, OutboxId, Relay};
use retract::eas::Outcome as Served;
use sha2::{Digest, Sha256};

use super::others::raw;
use super::serving::is_served;
use super::world::{USERS, World, number_in};
use crate::random::Random;

/// For how long a phone repeats a mail.
const PATIENCE: Duration = Duration::from_hours(24 * 7);

/// What the relay was handed.
#[derive(Clone, Debug)]
struct Handed {
    number: u32,
    recipient: String,
    octets: [u8; 32],
    /// We were not told, or died before we could write it down.
    unsure: bool,
}

/// The relay and its log.
pub(super) struct Post {
    log: Arc<Mutex<Log>>,
}

struct Log {
    random: Random,
    handed: Vec<Handed>,
    /// Mails that the relay refused, or did not answer for.
    refused: Vec<u32>,
}

/// A mail that a phone wants sent and has not been told about.
#[derive(Clone, Debug)]
pub(super) struct Unsent {
    exchange: Exchange,
    number: u32,
    source: Option<u32>,
    since: Timestamp,
}

impl Post {
    /// A relay whose moods a seed decides.
    pub(super) fn new(seed: u64) -> Post {
        let log = Log { random: Random::new(seed), handed: Vec::new(), refused: Vec::new() };
        Post { log: Arc::new(Mutex::new(log)) }
    }

    /// The way to it.
    pub(super) fn relay(&self) -> Relay {
        let log = self.log.clone();
        Relay::by_hand(Arc::new(move |_sender, recipients, octets| {
            let mut log = log.lock();
            recipients.iter().map(|recipient| log.take(recipient, octets)).collect()
        }))
    }

    fn len(&self) -> usize {
        self.log.lock().handed.len()
    }
}

impl Log {
    fn take(&mut self, recipient: &str, octets: &[u8]) -> Offer {
        let text = String::from_utf8_lossy(octets);
        let subject = text.split("Subject: ").nth(1).unwrap_or_default();
        let number = number_in(subject).expect("a mail of ours");
        let mood = self.random.below(12);
        if !matches!(mood, 0..3) {
            self.handed.push(Handed {
                number,
                recipient: recipient.to_owned(),
                octets: Sha256::digest(octets).into(),
                unsure: mood == 3,
            });
        }
        match mood {
            0 => {
                self.refused.push(number);
                Offer::Refused("5.1.1 nobody here".to_owned())
            }
            1 => {
                // It may be given up after two days of that.
                self.refused.push(number);
                Offer::Later("4.2.0 not now".to_owned())
            }
            2 | 3 => {
                self.refused.push(number);
                Offer::Unknown("no answer".to_owned())
            }
            _ => Offer::Taken("2.0.0 mine now".to_owned()),
        }
    }
}

impl World {
    /// A new mail, a reply or a forward; or one whose answer never came, again.
    pub(super) fn sends(&mut self, index: usize) {
        if self.handsets[index].unsent.is_some() {
            return self.repeats_mail(index);
        }
        let number = u32::try_from(self.mails.len()).expect("few mails") + 1;
        let (user, to) = (self.handsets[index].user, self.random.index(USERS.len()));
        let from = format!("{0} <{0}@a.example>", USERS[user]);
        let abroad = self.random.once_in(2);
        let far = if abroad { format!(", far{number}@far.example") } else { String::new() };
        let text = raw(number, &from, false)
            .replace("To: list@b.example", &format!("To: {}@a.example{far}", USERS[to]));
        let id = ClientId::new(self.client_id()).expect("a short name");
        let held = self.handsets[index].holds();
        let source = self.random.pick(&held).cloned().filter(|_| self.random.once_in(2));
        let reply = self.random.once_in(2);
        let phone = &self.handsets[index].phone;
        let exchange = match &source {
            Some((folder, item, _)) => {
                let command =
                    if reply { CommandName::SmartReply } else { CommandName::SmartForward };
                phone.smart(command, &id, (folder, item), text.as_bytes())
            }
            None => phone.send_mail(&id, text.as_bytes()),
        };
        let mail = self.mails.entry(number).or_default();
        (mail.sender, mail.author, mail.abroad) = (Some(user), Some(user), abroad);
        self.tell(format!(
            "{}: sends {number} to {}{far} from {source:?}",
            self.called(index),
            USERS[to]
        ));
        // The copy in Sent Items, and the one of the recipient, which the outbox brings later.
        self.accepted(number, user, false);
        self.will_come(number, to, false);
        self.mails.entry(number).or_default().sent_to = Some(to);
        let unsent = Unsent {
            exchange,
            number,
            source: source.map(|(_, _, number)| number),
            since: self.clock.now(),
        };
        self.sends_again(index, unsent);
    }

    /// The phone sends a mail under the ClientId it has, and is told what became of it, or not.
    fn sends_again(&mut self, index: usize, unsent: Unsent) {
        let user = self.handsets[index].user;
        let refused = unsent.source.is_some_and(|source| self.is_covered(source, user));
        let before = self.mails[&unsent.number].told;
        let served = self.serve(index, &unsent.exchange);
        let lost = self.random.once_in(4);
        let Some(Served::Answer(answer)) = served else {
            self.tell(format!("{}: nothing was said of {}", self.called(index), unsent.number));
            self.handsets[index].unsent = Some(unsent);
            return;
        };
        let seen = self.check_answer(index, &unsent.exchange, answer);
        let phone = &mut self.handsets[index].phone;
        let said = seen.map(|seen| phone.take(&unsent.exchange, &seen, Commit::All));
        let told = matches!(said, Some(Ok(Outcome::Sent(None))));
        let number = unsent.number;
        self.tell(format!("{}: of {number}: {said:?}, lost: {lost}", self.called(index)));
        assert!(!(told && refused && !before), "a recalled mail was forwarded");
        let source = unsent.source.filter(|_| !lost);
        let let_in = said.as_ref().is_some_and(is_served);
        if told && !before {
            self.was_taken(unsent.number, user);
        }
        // A phone that may not talk, or must provision, has it still; so has one whose answer was lost.
        let later = match said {
            Some(Ok(Outcome::Refused(status))) => {
                matches!(status, Status(111 | 129 | 140 | 142..=144))
            }
            Some(Err(_)) | None => true,
            _ => false,
        };
        if lost || later {
            self.handsets[index].unsent = Some(unsent);
        }
        self.handsets[index].was_served = let_in;
        if let Some(source) = source {
            self.check_named(index, source);
        }
        if matches!(said, Some(Ok(Outcome::Refused(Status(140 | 142..=144))))) {
            self.provisions(index);
        }
    }

    /// A phone that was not told about a mail asks again.
    pub(super) fn repeats_mail(&mut self, index: usize) {
        let unsent = self.handsets[index].unsent.take();
        // A ClientId is remembered for two weeks; no app tries that long.
        let patient = |unsent: &Unsent| self.clock.now().since(unsent.since) < PATIENCE;
        if let Some(unsent) = unsent.filter(patient) {
            self.sends_again(index, unsent);
        }
    }

    /// A mail is on its way: what may have been accepted is.
    pub(super) fn was_taken(&mut self, number: u32, user: usize) {
        let mail = self.mails.entry(number).or_default();
        mail.told = true;
        let to = mail.sent_to;
        for user in [Some(user), to].into_iter().flatten() {
            let presence = mail.at.entry(user).or_default();
            presence.perhaps = presence.perhaps.saturating_sub(1);
            presence.accepted += 1;
        }
        self.covers_late(number, user);
    }

    /// The outbox does what is due, and what it handed over is looked at.
    pub(super) fn the_outbox_works(&mut self) -> Result<(), String> {
        let outbox = self.life().house.outbox.clone();
        let before = self.post.len();
        let done = self.life().run(outbox.run_due()).map(drop).map_err(|error| error.to_string());
        let dying = self.is_dying();
        let mut log = self.post.log.lock();
        for handed in log.handed.iter_mut().skip(before) {
            handed.unsure |= dying;
        }
        let new: Vec<u32> = log.handed.iter().skip(before).map(|handed| handed.number).collect();
        drop(log);
        for number in new {
            let stands = self.orders.iter().find(|order| {
                order.open && order.number == number && self.clock.now() <= order.stands_until
            });
            let stands = stands.filter(|_| !self.mails[&number].drafted);
            assert!(stands.is_none(), "recalled mail {number} left for the relay: {stands:?}");
        }
        done
    }

    /// Nothing left twice but where nobody could know, and then the same again.
    pub(super) fn check_post(&self) {
        let log = self.post.log.lock();
        let mut seen: BTreeMap<(u32, &str), &Handed> = BTreeMap::new();
        for handed in &log.handed {
            let key = (handed.number, handed.recipient.as_str());
            if let Some(earlier) = seen.insert(key, handed) {
                assert!(earlier.unsure, "mail {} left twice", handed.number);
                assert_eq!(earlier.octets, handed.octets, "mail {} left otherwise", handed.number);
            }
        }
    }

    /// At the end every mail that was accepted has left, or the outbox says why not.
    pub(super) fn check_post_at_the_end(&self) {
        self.check_post();
        let outbox = self.life().house.outbox.clone();
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        for id in 1..=i64::try_from(self.mails.len()).expect("few mails") {
            let all = self.life().run(outbox.states(OutboxId(id))).unwrap();
            states.extend(all.into_iter().map(|one| (one.recipient, one.state)));
        }
        let log = self.post.log.lock();
        for (number, mail) in self.mails.iter().filter(|(_, mail)| mail.abroad) {
            let left = log.handed.iter().any(|handed| handed.number == *number);
            let ordered = self.orders.iter().any(|order| order.number == *number);
            let state = states.get(&format!("far{number}@far.example")).map(String::as_str);
            match state {
                Some("relayed") => assert!(left, "mail {number} is said to have left"),
                Some("withdrawn") => assert!(ordered, "nobody recalled mail {number}"),
                Some("failed") => assert!(log.refused.contains(number), "{number} was not refused"),
                // Its record is forgotten after a month.
                None if mail.told => assert!(
                    left || ordered || log.refused.contains(number),
                    "mail {number} was accepted and never left"
                ),
                None => {}
                Some(other) => panic!("mail {number} is still {other}"),
            }
        }
    }
}
