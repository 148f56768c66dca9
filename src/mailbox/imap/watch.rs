//! Watching a mailbox for who waits: one connection, however many phones, and only while one does and a little after.
//!
//! With NOTIFY (RFC 5465) the server tells of every folder; without it INBOX is idled on (RFC 2177) and the other folders are asked
//! after every [`OTHERS_PERIOD`]; without that either, everything is. Whatever is told, a look decides what it means. When the line
//! is lost the watcher begins again, with the pool's back-off, and looks at everything: to phones it is a delay and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use imap_sans::{Command, Mailbox, MailboxStatus, NotifyEvent, NotifyFilter, SelectSync, Untagged};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Imap;
use super::link::Heard;
use super::pool::Lease;
use super::tables::{self, Place};
use crate::ids::{FolderId, MailboxId, UserId};
use crate::mailbox::MailboxError;
use crate::mailbox::store::Watching;

/// Folders other than INBOX are asked after this often where the server does not tell of them.
pub(super) const OTHERS_PERIOD: Duration = Duration::from_secs(60);

/// Everything is asked after this often where the server tells of nothing.
const POLL_PERIOD: Duration = Duration::from_secs(30);

/// A quiet line is tried this often, so that a dead one is found.
const PROOF_OF_LIFE: Duration = Duration::from_secs(5 * 60);

/// A watcher goes on for so long after the last one who waited: phones ask again at once.
const LINGER: Duration = Duration::from_secs(120);

/// After a fault the watcher begins anew, when the pool lets it; each time later, up to [`AFTER_FAULT_MAX`].
const AFTER_FAULT: Duration = Duration::from_secs(1);
const AFTER_FAULT_MAX: Duration = Duration::from_secs(15);

/// A watch that held for so long was a good one: the next fault is the first again.
const HELD: Duration = Duration::from_secs(60);

/// An IDLE that the server ends before this, with nothing to tell, is no waiting.
const IDLE_MIN: Duration = Duration::from_secs(1);

/// So often in a row news may be missed before a server that says it tells is not believed.
const MISSED_MAX: u32 = 2;

/// How often in [`PACE`] a mailbox is looked at for what the server tells.
const LOOKS_IN_PACE: u32 = 5;
const PACE: Duration = Duration::from_secs(1);

/// The watchers there are.
#[derive(Default)]
pub(super) struct Watchers {
    pub(super) of: Mutex<HashMap<MailboxId, Arc<Watcher>>>,
    /// All is over: nobody watches any more.
    closed: AtomicBool,
}

/// What is shared between a watcher and those who wait.
#[derive(Default)]
pub(super) struct Watcher {
    /// Who waits, and since when nobody does.
    waiting: Mutex<(usize, Option<Instant>)>,
    /// Of what everything up to now has been looked at and news will be told.
    covers: AtomicU8,
    /// Somebody came, went, or all is over.
    moved: Notify,
    stopped: AtomicBool,
}

impl Watcher {
    fn is_over(&self) -> bool {
        let (count, since) = *self.waiting.lock();
        self.stopped.load(Ordering::Acquire)
            || count == 0 && since.is_none_or(|since| since.elapsed() >= LINGER)
    }
}

impl Imap {
    /// The mailbox is watched for as long as this lives.
    pub(super) fn watched(&self, mailbox: MailboxId) -> Watching {
        let mut all = self.0.watchers.of.lock();
        let watcher = match all.get(&mailbox) {
            Some(watcher) => Arc::clone(watcher),
            None => {
                let watcher = Arc::<Watcher>::default();
                watcher.waiting.lock().1 = Some(Instant::now());
                if !self.0.watchers.closed.load(Ordering::Acquire) {
                    all.insert(mailbox, Arc::clone(&watcher));
                    tokio::spawn(self.clone().watch_over(mailbox, Arc::clone(&watcher)));
                }
                watcher
            }
        };
        watcher.waiting.lock().0 += 1;
        drop(all);
        let held = self.pool().keyring().hold(UserId(mailbox.0));
        Watching::new(move || {
            {
                let mut waiting = watcher.waiting.lock();
                waiting.0 -= 1;
                if waiting.0 == 0 {
                    waiting.1 = Some(Instant::now());
                }
            }
            watcher.moved.notify_one();
            drop(held);
        })
    }

    /// Is everything up to now known of this folder, and will news be told?
    pub(super) fn is_watched(&self, place: &Place) -> bool {
        let watcher = self.0.watchers.of.lock().get(&place.mailbox).cloned();
        let covers = watcher.map_or(NOTHING, |watcher| watcher.covers.load(Ordering::Acquire));
        let is_covered = match covers {
            EVERYTHING => true,
            INBOX => place.wire == Mailbox::inbox(),
            _ => false,
        };
        is_covered && place.uid_validity != 0 && !self.is_unsure(place.folder)
    }

    pub(super) fn stop_watching(&self) {
        let all = self.0.watchers.of.lock();
        self.0.watchers.closed.store(true, Ordering::Release);
        for watcher in all.values() {
            watcher.stopped.store(true, Ordering::Release);
            watcher.moved.notify_one();
        }
    }

    async fn watch_over(self, mailbox: MailboxId, watcher: Arc<Watcher>) {
        let mut after = AFTER_FAULT;
        loop {
            let began = Instant::now();
            let ended = self.watch_once(mailbox, &watcher).await;
            if let Err(error) = &ended {
                tracing::debug!(%mailbox, %error, "watching was interrupted");
            }
            {
                let mut all = self.0.watchers.of.lock();
                if watcher.is_over() {
                    all.remove(&mailbox);
                    return;
                }
            }
            if began.elapsed() >= HELD {
                after = AFTER_FAULT;
            }
            if ended.is_err() {
                pause(&watcher, after).await;
                after = (after * 2).min(AFTER_FAULT_MAX);
            }
        }
    }

    /// Watches until nobody waits any more or the line is lost.
    async fn watch_once(&self, mailbox: MailboxId, watcher: &Watcher) -> Result<(), MailboxError> {
        let mut session = self.pool().session(mailbox, Some(&Mailbox::inbox())).await?;
        let ended = self.watch_with(&mut session, mailbox, watcher).await;
        watcher.covers.store(NOTHING, Ordering::Release);
        if ended.is_err() {
            // The server may go on telling: that is nothing for whoever comes next.
            session.link.abandon();
        }
        ended
    }

    async fn watch_with(
        &self,
        session: &mut Lease,
        mailbox: MailboxId,
        watcher: &Watcher,
    ) -> Result<(), MailboxError> {
        let mut way = self.way(session).await?;
        // What comes from now on is told: the look is after that.
        let mut looked = self.look_at_changed(session, mailbox).await?;
        watcher.covers.store(way.covers(), Ordering::Release);
        let (mut asked, mut missed, mut pace) = (Instant::now(), 0, Pace::new());
        while !watcher.is_over() {
            let period = if looked.failed { way.period().min(POLL_PERIOD) } else { way.period() };
            let heard = way.wait(session, watcher, period.saturating_sub(asked.elapsed())).await?;
            let news = News::of(&heard);
            if news.overflow {
                return Err(MailboxError::Down("the server tells no more".to_owned()));
            }
            if news.folders {
                self.refresh_folders(mailbox).await?;
            }
            looked.failed |= self.look_at_news(mailbox, &news).await?.failed;
            if asked.elapsed() >= period || news.unknown {
                asked = Instant::now();
                looked = self.look_at_changed(session, mailbox).await?;
                missed = if looked.changed && !news.unknown { missed + 1 } else { 0 };
            }
            if way == Way::Told && missed >= MISSED_MAX {
                tracing::debug!(%mailbox, "the server says it tells of news and does not");
                session.link.run(Command::NotifyNone).await?;
                (way, missed) = (self.way_without_notify(session).await?, 0);
                watcher.covers.store(way.covers(), Ordering::Release);
            }
            if news.is_any()
                && let Some(rest) = pace.rest()
            {
                pause(watcher, rest).await;
            }
        }
        if way == Way::Told {
            session.link.run(Command::NotifyNone).await?;
        }
        Ok(())
    }

    /// How news of this server come.
    async fn way(&self, session: &mut Lease) -> Result<Way, MailboxError> {
        if session.can.notify && self.ask_to_be_told(session).await? {
            return Ok(Way::Told);
        }
        self.way_without_notify(session).await
    }

    async fn way_without_notify(&self, session: &mut Lease) -> Result<Way, MailboxError> {
        session.select(&Mailbox::inbox(), SelectSync::Plain).await?;
        Ok(if session.can.idle { Way::Idle } else { Way::Asked })
    }

    /// Asks the server to tell of every folder of one's own; gives whether it will.
    async fn ask_to_be_told(&self, session: &mut Lease) -> Result<bool, MailboxError> {
        let events = || {
            vec![
                NotifyEvent::MessageNew(Vec::new()),
                NotifyEvent::MessageExpunge,
                NotifyEvent::FlagChange,
            ]
        };
        let mut others = events();
        others.push(NotifyEvent::MailboxName);
        // Nothing is selected: every folder is told of by STATUS, and each look opens it on another connection.
        session.link.run(Command::Unselect).await.map(drop).or_else(harmless)?;
        session.opened = None;
        let groups = vec![(NotifyFilter::Personal, others)];
        match session.link.run(Command::NotifySet { status: false, groups }).await {
            Ok(_) => {
                // Dovecot 2.3 loses the first change after this unless a command follows.
                session.link.run(Command::Noop).await?;
                Ok(true)
            }
            Err(_) if !session.link.is_closed() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Looks at INBOX and every folder that has been looked at before and is not as it was. A folder that cannot be looked at keeps
    /// nobody from news of the others.
    async fn look_at_changed(
        &self,
        session: &mut Lease,
        mailbox: MailboxId,
    ) -> Result<Looked, MailboxError> {
        self.refresh_folders(mailbox).await?;
        let mut places = self.read(move |tx| Ok(tables::places(tx, mailbox)?)).await?;
        // INBOX may be open here: what is told of it while others are asked is in its own state.
        places.sort_by_key(|place| place.wire == Mailbox::inbox());
        let mut looked = Looked::default();
        for place in places.iter().filter(|place| is_followed(place)) {
            let (status, is_told) = match session.status(&place.wire).await {
                Ok((status, is_told)) => (Some(status), is_told),
                Err(error) if session.link.is_closed() => return Err(error),
                Err(_) => (None, false),
            };
            let is_same = match &status {
                Some(status) => self.is_as_known(place, status).await?,
                None => false,
            };
            if !is_same || is_told || self.is_unsure(place.folder) {
                looked.changed |= self.known(place.folder).await?.modseq != 0 && !is_same;
                looked.failed |= self.looked_at(place.folder).await;
            }
        }
        Ok(looked)
    }

    /// Looks at a folder and gives whether that failed; then it is looked at again before anybody relies on it.
    async fn looked_at(&self, folder: FolderId) -> bool {
        match self.look_at(folder).await {
            Ok(()) => false,
            Err(error) => {
                tracing::debug!(%folder, %error, "a watched folder could not be looked at");
                true
            }
        }
    }

    /// Does the state of a folder say that nothing in it has changed? Without positions of changes it cannot.
    async fn is_as_known(
        &self,
        place: &Place,
        status: &MailboxStatus,
    ) -> Result<bool, MailboxError> {
        let known = self.known(place.folder).await?;
        Ok(known.modseq != 0
            && status.uid_validity == Some(known.uid_validity)
            && status.highest_modseq == Some(known.modseq)
            && status.messages.map(u64::from) == Some(known.live.len()))
    }

    async fn look_at_news(&self, mailbox: MailboxId, news: &News) -> Result<Looked, MailboxError> {
        let mut looked = Looked::default();
        if !news.inbox && news.states.is_empty() {
            return Ok(looked);
        }
        let places = self.read(move |tx| Ok(tables::places(tx, mailbox)?)).await?;
        for place in places.iter().filter(|place| is_followed(place)) {
            let is_open = news.inbox && place.wire == Mailbox::inbox();
            let told = news.states.iter().rev().find(|status| status.mailbox == place.wire);
            let is_news = match told {
                Some(status) => !self.is_as_known(place, status).await?,
                None => false,
            };
            if is_open || is_news {
                looked.failed |= self.looked_at(place.folder).await;
            }
        }
        Ok(looked)
    }
}

/// What a watcher's looks were like.
#[derive(Clone, Copy, Debug, Default)]
struct Looked {
    /// Was something found that nobody had told of?
    changed: bool,
    /// Could a folder not be looked at?
    failed: bool,
}

/// How news come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The server tells of every folder (NOTIFY).
    Told,
    /// It tells of INBOX while asked to (IDLE).
    Idle,
    /// Somebody must ask.
    Asked,
}

impl Way {
    fn covers(self) -> u8 {
        match self {
            Way::Told => EVERYTHING,
            Way::Idle => INBOX,
            Way::Asked => NOTHING,
        }
    }

    fn period(self) -> Duration {
        match self {
            Way::Told => PROOF_OF_LIFE,
            Way::Idle => OTHERS_PERIOD,
            Way::Asked => POLL_PERIOD,
        }
    }

    /// Waits for news, for so long at most.
    async fn wait(
        &mut self,
        session: &mut Lease,
        watcher: &Watcher,
        time: Duration,
    ) -> Result<Heard, MailboxError> {
        let began = Instant::now();
        match self {
            Way::Told => session.link.told(pause(watcher, time)).await,
            Way::Idle => {
                let heard = session.link.idle(pause(watcher, time)).await?;
                if heard.is_unasked && !heard.is_news() && began.elapsed() < IDLE_MIN {
                    tracing::debug!("the server says it can IDLE and does not");
                    *self = Way::Asked;
                    watcher.covers.store(NOTHING, Ordering::Release);
                }
                Ok(heard)
            }
            Way::Asked => {
                pause(watcher, time).await;
                Ok(Heard::default())
            }
        }
    }
}

/// What a watch covers: nothing, INBOX, or every folder.
const NOTHING: u8 = 0;
const INBOX: u8 = 1;
const EVERYTHING: u8 = 2;

/// Keeps a server that tells without end from making us look without end.
struct Pace {
    since: Instant,
    looks: u32,
}

impl Pace {
    fn new() -> Pace {
        Pace { since: Instant::now(), looks: 0 }
    }

    /// Notes a look; gives how long to rest if there were many.
    fn rest(&mut self) -> Option<Duration> {
        if self.since.elapsed() >= PACE {
            *self = Pace::new();
        }
        self.looks += 1;
        (self.looks > LOOKS_IN_PACE).then(|| PACE.saturating_sub(self.since.elapsed()))
    }
}

/// A folder somebody has asked for, and INBOX.
fn is_followed(place: &Place) -> bool {
    place.selectable && (place.uid_validity != 0 || place.wire == Mailbox::inbox())
}

/// What the server told.
#[derive(Debug, Default)]
struct News {
    /// Of the mailbox that is open.
    inbox: bool,
    /// Of others.
    states: Vec<MailboxStatus>,
    /// Of the folders themselves.
    folders: bool,
    /// It will tell no more.
    overflow: bool,
    /// Something that could not be read.
    unknown: bool,
}

impl News {
    fn is_any(&self) -> bool {
        self.inbox || self.folders || self.unknown || !self.states.is_empty()
    }

    fn of(heard: &Heard) -> News {
        let mut news = News { unknown: heard.is_garbled, ..News::default() };
        for one in &heard.told {
            match one {
                Untagged::Exists(_)
                | Untagged::Expunge(_)
                | Untagged::Vanished { .. }
                | Untagged::Fetch(_) => news.inbox = true,
                Untagged::MailboxStatus(status) => news.states.push(status.clone()),
                Untagged::List(_) => news.folders = true,
                Untagged::Status(status) => {
                    let overflow = imap_sans::Code::NotificationOverflow;
                    news.overflow |= status.code.as_ref() == Some(&overflow);
                }
                _ => {}
            }
        }
        news
    }
}

/// Ends after a time, or when nobody has waited for long enough.
async fn pause(watcher: &Watcher, time: Duration) {
    let until = tokio::time::Instant::now() + time;
    loop {
        let over_at = match *watcher.waiting.lock() {
            (0, Some(since)) => tokio::time::Instant::from_std(since + LINGER),
            _ => until,
        };
        tokio::select! {
            () = tokio::time::sleep_until(until.min(over_at)) => return,
            () = watcher.moved.notified() => if watcher.is_over() { return },
        }
    }
}

/// A server without UNSELECT has nothing selected that matters yet.
fn harmless(error: MailboxError) -> Result<(), MailboxError> {
    match error {
        MailboxError::Ours(_) | MailboxError::Down(_) => Ok(()),
        error => Err(error),
    }
}
