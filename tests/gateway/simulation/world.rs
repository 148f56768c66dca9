//! Everything there is: the disk, the process, users, phones, and what the simulation knows to be true of each mail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use retract::clock::{Clock, Timestamp};
use retract::database::Bodies;
use retract::ids::{DeviceId, FolderId, ItemNumber, MailboxId, OrderId};

use super::diary::Diary;
use super::life::Life;
use super::phones::Handset;
use super::post::Post;
use crate::disk::{Disk, Image, Unsynced};
use crate::random::Random;

/// The names of all users.
pub(super) const USERS: [&str; 3] = ["ann", "bob", "cam"];
const START: Timestamp = Timestamp(1_795_507_200_000);

/// All of it.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) random: Random,
    pub(super) clock: Clock,
    pub(super) life: Option<Life>,
    pub(super) mailboxes: Vec<MailboxId>,
    pub(super) handsets: Vec<Handset>,
    pub(super) mails: BTreeMap<u32, Mail>,
    pub(super) orders: Vec<Order>,
    /// Which mail lies where; what was once written stays so.
    pub(super) names: BTreeMap<(FolderId, ItemNumber), u32>,
    /// The exposure last seen of each item on each device.
    pub(super) exposures: BTreeMap<(DeviceId, FolderId, ItemNumber), u16>,
    pub(super) post: Post,
    pub(super) diary: Diary,
    pub(super) folders_made: u32,
    pub(super) client_ids: u32,
    pub(super) steps: usize,
    pub(super) log: Vec<String>,
    disk: Disk,
    bodies: Bodies,
    dir: Arc<tempfile::TempDir>,
}

/// A disk on which the users are known and nothing has happened yet.
pub(super) struct Stage {
    disk: Disk,
    dir: Arc<tempfile::TempDir>,
    mailboxes: Vec<MailboxId>,
    image: Image,
}

impl Stage {
    /// A stage of its own: [`World::on`] can play on it again and again, one story after the other.
    pub(super) fn new() -> Stage {
        let dir = tempfile::tempdir().expect("a directory");
        let (clock, disk, bodies) = (Clock::manual(START), Disk::new(), Bodies::simulated());
        let life = Life::begin(dir.path(), &disk, &bodies, &clock, Post::new(0).relay())
            .expect("a fresh start");
        let mailboxes = life.users(&USERS);
        drop(life);
        let image = disk.image();
        Stage { disk, dir: Arc::new(dir), mailboxes, image }
    }
}

/// What is true of a mail.
#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    /// The octets as they were handed in.
    pub(super) raw: String,
    /// Whose phone sent it, of our users.
    pub(super) sender: Option<usize>,
    /// Whose address stands in its From, of our users.
    pub(super) author: Option<usize>,
    /// Which of our users it was sent to from a phone.
    pub(super) sent_to: Option<usize>,
    /// Whether a phone sent it to somebody elsewhere too.
    pub(super) abroad: bool,
    /// Whether it was written as a draft, under a Message-ID that is not ours.
    pub(super) drafted: bool,
    /// Whether a phone was told that it was taken.
    pub(super) told: bool,
    /// How it stands with each user who has ever been given it.
    pub(super) at: BTreeMap<usize, Presence>,
}

/// How a mail stands with one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Presence {
    /// Copies that were certainly accepted.
    pub(super) accepted: usize,
    /// Copies that may have been accepted: nobody was told.
    pub(super) perhaps: usize,
    /// Somebody may have deleted it.
    pub(super) deleted: bool,
}

/// An order as it was told.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: OrderId,
    pub(super) number: u32,
    pub(super) stands_until: Timestamp,
    pub(super) open: bool,
    /// Whether the author's own mailbox is covered.
    pub(super) include_sender: bool,
    /// The users it covers.
    pub(super) users: BTreeSet<usize>,
}

impl World {
    /// A world from a seed, with users and new phones.
    pub(super) fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let handsets = Handset::some(&mut random);
        World::on(&Stage::new(), seed, random, handsets)
    }

    /// A world on a stage, with these phones.
    pub(super) fn on(stage: &Stage, seed: u64, random: Random, handsets: Vec<Handset>) -> World {
        let (clock, disk, bodies) = (Clock::manual(START), stage.disk.clone(), Bodies::simulated());
        disk.put_back(&stage.image);
        let post = Post::new(seed);
        let life = Life::begin(stage.dir.path(), &disk, &bodies, &clock, post.relay());
        World {
            seed,
            random,
            clock,
            life: Some(life.expect("a fresh start")),
            mailboxes: stage.mailboxes.clone(),
            handsets,
            mails: BTreeMap::new(),
            orders: Vec::new(),
            names: BTreeMap::new(),
            exposures: BTreeMap::new(),
            post,
            diary: Diary::default(),
            folders_made: 0,
            client_ids: 0,
            steps: 0,
            log: Vec::new(),
            disk,
            bodies,
            dir: stage.dir.clone(),
        }
    }

    /// The process that runs now.
    pub(super) fn life(&self) -> &Life {
        self.life.as_ref().expect("the process runs between steps")
    }

    /// Writes a line of the story.
    pub(super) fn tell(&mut self, line: String) {
        self.log.push(format!("{:4} {line}", self.steps));
    }

    /// One thing happens, and everything is looked at.
    pub(super) fn step(&mut self) {
        self.steps += 1;
        self.time_passes();
        match self.random.below(100) {
            0..14 => self.mail_arrives(),
            14..26 => self.another_client(),
            26..31 => self.somebody_recalls(),
            31..34 => self.somebody_cancels(),
            34..42 => self.the_worker_works(),
            42..46 => self.power_goes(),
            46..50 => self.a_backup_or_its_return(),
            50..54 => self.an_operator_acts(),
            _ => self.some_phone_acts(),
        }
        self.look();
    }

    fn time_passes(&mut self) {
        let by = match self.random.below(100) {
            0..90 => 1 + self.random.below(600),
            90..97 => 3_600 * (1 + self.random.below(72)),
            97..99 => 86_400 * (1 + self.random.below(21)),
            _ => {
                // Somebody sets the clock back.
                let back = Duration::from_secs(self.random.below(7_200));
                self.clock.set(self.clock.now().before(back));
                return;
            }
        };
        self.clock.advance(Duration::from_secs(by));
    }

    /// The power goes, at rest or in the middle of something, and comes back.
    fn power_goes(&mut self) {
        if self.random.once_in(2) {
            self.disk.dies_in(self.random.below(30));
            self.tell("the disk is about to die".to_owned());
            match self.random.below(6) {
                0 => self.mail_arrives(),
                5 => self.an_operator_acts(),
                1 => self.the_worker_works(),
                2 => self.somebody_recalls(),
                _ => self.some_phone_acts(),
            }
        }
        let seed = self.random.below(u64::MAX);
        let what = match self.random.below(3) {
            0 => Unsynced::Lost,
            1 => Unsynced::Prefix(seed),
            _ => Unsynced::Subset(seed),
        };
        self.tell(format!("power cut: {what:?}"));
        for handset in &mut self.handsets {
            handset.hang_up();
        }
        self.disk.crash(what);
        self.life = None;
        self.bodies.crash();
        let (dir, relay) = (self.dir.path(), self.post.relay());
        let life = Life::begin(dir, &self.disk, &self.bodies, &self.clock, relay);
        self.life = Some(life.expect("the process starts again"));
        self.learn_orders();
        self.learn_standings();
        self.check_audit_survived();
    }

    /// Whether the disk has died under what was just done: nobody was told anything.
    pub(super) fn is_dying(&self) -> bool {
        self.disk.is_dead()
    }

    /// Whether an order covers a mail in a user's mailbox.
    pub(super) fn is_covered(&self, number: u32, user: usize) -> bool {
        self.orders
            .iter()
            .any(|order| order.open && order.number == number && order.users.contains(&user))
    }

    /// A mail was accepted for a user, or may have been.
    pub(super) fn accepted(&mut self, number: u32, user: usize, certain: bool) {
        self.will_come(number, user, certain);
        if certain {
            self.covers_late(number, user);
        }
    }

    /// A mail has come to a user: the orders that stand for it cover it there, but for its author where that is left out.
    pub(super) fn covers_late(&mut self, number: u32, user: usize) {
        let (now, author) = (self.clock.now(), self.author(number));
        for order in &mut self.orders {
            let stands = order.open && order.number == number && now <= order.stands_until;
            if stands && (order.include_sender || author != Some(user)) {
                order.users.insert(user);
            }
        }
    }

    /// Whose address stands in a mail's From, of our users.
    pub(super) fn author(&self, number: u32) -> Option<usize> {
        self.mails.get(&number).and_then(|mail| mail.author)
    }

    /// Whether any order, open or not, ever reached for a mail in a user's mailbox.
    pub(super) fn is_touched(&self, number: u32, user: usize) -> bool {
        let is_author = self.author(number) == Some(user);
        let mut orders = self.orders.iter();
        orders.any(|order| order.number == number && (order.include_sender || !is_author))
    }

    /// A mail will come to a user, or may; whether an order that stands today covers it, its arrival decides.
    pub(super) fn will_come(&mut self, number: u32, user: usize, certain: bool) {
        let presence = self.mails.entry(number).or_default().at.entry(user).or_default();
        if certain {
            presence.accepted += 1;
        } else {
            presence.perhaps += 1;
        }
    }

    /// A client may have deleted a mail of a user.
    pub(super) fn may_be_deleted(&mut self, number: u32, user: usize) {
        if number == UNNAMED {
            return;
        }
        self.mails.entry(number).or_default().at.entry(user).or_default().deleted = true;
    }

    /// A name for a request that no other request has.
    pub(super) fn client_id(&mut self) -> String {
        self.client_ids += 1;
        format!("c{}-{}", self.seed, self.client_ids)
    }
}

/// The number of what nobody numbered: what the gateway wrote itself, when a mail did not reach somebody.
pub(super) const UNNAMED: u32 = 0;

/// The number in a subject or a text: `mk12x`.
pub(super) fn number_in(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("mk")?;
    rest.split_once('x')?.0.parse().ok()
}
