//! Watching a mailbox for who waits: one connection, however many phones, and only while one does and a little after.
//!
//! With NOTIFY (RFC 5465) the server tells of every folder; without it INBOX is idled on (RFC 2177) and the other folders are asked
//! after every [`OTHERS_PERIOD`]; without that either, everything is. Whatever is told, a look decides what it means. When the line
//! is lost the watcher begins again, with the pool's back-off, and looks at everything: to phones it is a delay and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use imap_sans::{Command, Mailbox, MailboxStatus, NotifyEvent, NotifyFilter, SelectSync, Untagged};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Imap;
use super::pool::Lease;
use super::tables::{self, Place};
use crate::ids::{MailboxId, UserId};
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

/// After a fault the watcher begins anew, when the pool lets it.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// The watchers there are.
#[derive(Default)]
pub(super) struct Watchers(Mutex<HashMap<MailboxId, Arc<Watcher>>>);

/// What is shared between a watcher and those who wait.
#[derive(Default)]
pub(super) struct Watcher {
    /// Who waits, and since when nobody does.
    waiting: Mutex<(usize, Option<Instant>)>,
    /// Everything up to now has been looked at, and news will be told.
    is_live: AtomicBool,
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
        let mut all = self.0.watchers.0.lock();
        let watcher = match all.get(&mailbox) {
            Some(watcher) => Arc::clone(watcher),
            None => {
                let watcher = Arc::<Watcher>::default();
                watcher.waiting.lock().1 = Some(Instant::now());
                all.insert(mailbox, Arc::clone(&watcher));
                tokio::spawn(self.clone().watch_over(mailbox, Arc::clone(&watcher)));
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

    /// Is everything up to now known, and will news be told?
    pub(super) fn is_watched(&self, mailbox: MailboxId) -> bool {
        let watcher = self.0.watchers.0.lock().get(&mailbox).cloned();
        watcher.is_some_and(|watcher| watcher.is_live.load(Ordering::Acquire))
    }

    pub(super) fn stop_watching(&self) {
        for watcher in self.0.watchers.0.lock().values() {
            watcher.stopped.store(true, Ordering::Release);
            watcher.moved.notify_one();
        }
    }

    async fn watch_over(self, mailbox: MailboxId, watcher: Arc<Watcher>) {
        loop {
            let ended = self.watch_once(mailbox, &watcher).await;
            watcher.is_live.store(false, Ordering::Release);
            if let Err(error) = ended {
                tracing::debug!(%mailbox, %error, "watching was interrupted");
            }
            {
                let mut all = self.0.watchers.0.lock();
                if watcher.is_over() {
                    all.remove(&mailbox);
                    return;
                }
            }
            tokio::time::sleep(AFTER_FAULT).await;
        }
    }

    /// Watches until nobody waits any more or the line is lost.
    async fn watch_once(&self, mailbox: MailboxId, watcher: &Watcher) -> Result<(), MailboxError> {
        let mut session = self.pool().session(mailbox, Some(&Mailbox::inbox())).await?;
        let is_told = session.can.notify && self.ask_to_be_told(&mut session).await?;
        self.look_at_changed(&mut session, mailbox).await?;
        if !is_told {
            session.select(&Mailbox::inbox(), SelectSync::Plain).await?;
        }
        watcher.is_live.store(true, Ordering::Release);
        let mut others_asked = Instant::now();
        while !watcher.is_over() {
            let news = if is_told {
                let told = session.link.told(pause(watcher, PROOF_OF_LIFE)).await?;
                if told.is_empty() { session.link.run(Command::Noop).await?.data } else { told }
            } else if session.can.idle {
                let until_others = OTHERS_PERIOD.saturating_sub(others_asked.elapsed());
                session.link.idle(pause(watcher, until_others)).await?
            } else {
                pause(watcher, POLL_PERIOD.saturating_sub(others_asked.elapsed())).await;
                Vec::new()
            };
            let news = News::of(&news);
            if news.overflow {
                return Err(MailboxError::Down("the server tells no more".to_owned()));
            }
            if news.folders {
                self.refresh_folders(mailbox).await?;
            }
            let period = if session.can.idle { OTHERS_PERIOD } else { POLL_PERIOD };
            if !is_told && others_asked.elapsed() >= period {
                others_asked = Instant::now();
                self.look_at_changed(&mut session, mailbox).await?;
                session.select(&Mailbox::inbox(), SelectSync::Plain).await?;
            }
            self.look_at_news(mailbox, &news).await?;
        }
        if is_told {
            session.link.run(Command::NotifyNone).await?;
        }
        Ok(())
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

    /// Looks at INBOX and every folder that has been looked at before and is not as it was.
    async fn look_at_changed(
        &self,
        session: &mut Lease,
        mailbox: MailboxId,
    ) -> Result<(), MailboxError> {
        self.refresh_folders(mailbox).await?;
        let places = self.read(move |tx| Ok(tables::places(tx, mailbox)?)).await?;
        for place in places.iter().filter(|place| is_followed(place)) {
            let status = session.status(&place.wire).await?;
            if !self.is_as_known(place, &status).await? {
                self.look_at(place.folder).await?;
            }
        }
        Ok(())
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

    async fn look_at_news(&self, mailbox: MailboxId, news: &News) -> Result<(), MailboxError> {
        if !news.inbox && news.states.is_empty() {
            return Ok(());
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
                self.look_at(place.folder).await?;
            }
        }
        Ok(())
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
}

impl News {
    fn of(told: &[Untagged]) -> News {
        let mut news = News::default();
        for one in told {
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
