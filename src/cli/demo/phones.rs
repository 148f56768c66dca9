//! The demo's phones: each a task that syncs, waits as its family does, and sometimes loses an answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use activesync_phone::client::Server as Line;
use activesync_phone::driver::{DriveError, Driver, Waited};
use activesync_phone::{Commit, Phone, Profile, SyncAsk, Waits};
use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::mails::{PASSWORD, PEOPLE};
use crate::server::Server;

/// The phone that is offline before the mail comes: it never gets it.
pub(super) const AWAY_BEFORE: &str = "Erin's Nine";
/// The phone that goes offline with the mail.
pub(super) const AWAY_AFTER: &str = "Dave's Windows Phone";
/// The phone that stores half an answer and dies before it stores the key.
const HALF: &str = "Carol's Android Mail";

/// Seconds a phone waits at a time.
const HEARTBEAT_S: u32 = 300;
/// Pause before a phone whose line broke calls again.
const CALL_AGAIN: Duration = Duration::from_millis(200);

/// All phones.
pub(super) struct Phones {
    handsets: BTreeMap<String, Handset>,
    news: watch::Sender<u64>,
}

struct Handset {
    line: String,
    online: watch::Sender<bool>,
    cache: Arc<Mutex<Phone>>,
    task: JoinHandle<()>,
}

impl Phones {
    /// Sets every phone up: account, policy, folders, all mail.
    pub(super) async fn call(server: &Server) -> anyhow::Result<Phones> {
        let address = server.addresses.phones.context("phones are not served")?;
        let pem = server.certificate_pem.as_deref().context("no certificate")?;
        let roots: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(pem)
            .map(|der| der.map(|der| der.to_vec()))
            .collect::<Result<_, _>>()
            .context("the certificate is not PEM")?;
        let line = Line::tls(address, "localhost", &roots)?;
        let mut phones = Phones { handsets: BTreeMap::new(), news: watch::Sender::new(0) };
        let families = Profile::families();
        for (number, (user, _, display_name)) in PEOPLE.iter().skip(1).enumerate() {
            for (which, profile) in
                [&families[number % 5], &families[(number + 2) % 5]].into_iter().enumerate()
            {
                let first_name = display_name.split(' ').next().unwrap_or(user);
                let name = format!("{first_name}'s {}", profile.name);
                let id = format!("DEMO{number}{which}{}", profile.device_type);
                let phone = Phone::new(profile.clone(), user, PASSWORD, &id);
                phones.set_up(name, Driver::new(phone, line.clone())).await?;
            }
        }
        Ok(phones)
    }

    async fn set_up(&mut self, name: String, mut driver: Driver) -> anyhow::Result<()> {
        let told = async {
            driver.set_up().await?;
            let inbox = driver.inbox();
            driver.catch_up(&inbox).await
        };
        told.await.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let profile = &driver.phone.profile;
        let mails = driver.phone.cache.items().count();
        let line = format!(
            "{name:<24} EAS {}, waits by {:?}: {mails} mails",
            profile.version, profile.push
        );
        let (online, is_online) = watch::channel(true);
        let cache = Arc::new(Mutex::new(driver.phone.clone()));
        let life = Life {
            name: name.clone(),
            driver,
            cache: cache.clone(),
            is_online,
            news: self.news.clone(),
        };
        let task = tokio::spawn(life.live());
        self.handsets.insert(name, Handset { line, online, cache, task });
        Ok(())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.handsets.len()
    }

    /// A line about each.
    pub(super) fn introductions(&self) -> impl Iterator<Item = &str> {
        self.handsets.values().map(|handset| handset.line.as_str())
    }

    /// How many are offline with a mail of this subject: they cannot let go of it yet.
    pub(super) fn offline_with(&self, subject: &str) -> u64 {
        let keeps = |handset: &&Handset| {
            !*handset.online.borrow() && handset.cache.lock().cache.find(subject).is_some()
        };
        self.handsets.values().filter(keeps).count() as u64
    }

    /// Waits until no phone that is online holds a mail with this subject, or patience is over.
    pub(super) async fn let_go(&self, subject: &str, patience: Duration) {
        let mut news = self.news.subscribe();
        let everybody = async {
            loop {
                news.mark_unchanged();
                if self.holders(subject).is_empty() || news.changed().await.is_err() {
                    return;
                }
            }
        };
        // Whoever still holds it then is named in the report.
        let _ = tokio::time::timeout(patience, everybody).await;
    }

    /// Takes a phone off the net.
    pub(super) async fn go_offline(&self, name: &str) {
        if let Some(handset) = self.handsets.get(name) {
            handset.online.send_replace(false);
        }
    }

    /// Brings it back.
    pub(super) fn come_back(&self, name: &str) {
        if let Some(handset) = self.handsets.get(name) {
            handset.online.send_replace(true);
        }
    }

    /// Waits until every phone that is online has a mail with this subject.
    pub(super) async fn all_have(&self, subject: &str, patience: Duration) -> anyhow::Result<()> {
        let mut news = self.news.subscribe();
        let everybody = async {
            loop {
                news.mark_unchanged();
                if self.without(subject).is_empty() || news.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(patience, everybody).await.is_err() {
            let without = self.without(subject).join(", ");
            bail!("without the mail after {} s: {without}", patience.as_secs());
        }
        Ok(())
    }

    fn without(&self, subject: &str) -> Vec<String> {
        let lacks = |(name, handset): (&String, &Handset)| {
            let lacks =
                *handset.online.borrow() && handset.cache.lock().cache.find(subject).is_none();
            lacks.then(|| name.clone())
        };
        self.handsets.iter().filter_map(lacks).collect()
    }

    /// The phones online whose cache has a mail with this subject: looked up in the phones, not in the books.
    pub(super) fn holders(&self, subject: &str) -> Vec<String> {
        let holds = |(name, handset): (&String, &Handset)| {
            let holds =
                *handset.online.borrow() && handset.cache.lock().cache.find(subject).is_some();
            holds.then(|| name.clone())
        };
        self.handsets.iter().filter_map(holds).collect()
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        for handset in self.handsets.values() {
            handset.task.abort();
        }
    }
}

/// One phone's life.
struct Life {
    name: String,
    driver: Driver,
    cache: Arc<Mutex<Phone>>,
    is_online: watch::Receiver<bool>,
    news: watch::Sender<u64>,
}

impl Life {
    async fn live(mut self) {
        let mut is_online = self.is_online.clone();
        loop {
            if !*is_online.borrow_and_update() {
                self.driver.hang_up();
                if is_online.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let lived = tokio::select! {
                lived = self.round() => lived,
                _ = is_online.changed() => continue,
            };
            self.show();
            if let Err(error) = lived {
                tracing::debug!(phone = self.name, %error, "a phone lost its line");
                self.driver.hang_up();
                if matches!(error, DriveError::Wiped | DriveError::Refused(_)) {
                    return;
                }
                tokio::time::sleep(CALL_AGAIN).await;
            }
        }
    }

    /// Syncs, opens what is new if its owner does, and waits.
    async fn round(&mut self) -> Result<(), DriveError> {
        let inbox = self.driver.inbox();
        if self.name == HALF {
            self.store_half(&inbox).await?;
        }
        self.driver.catch_up(&inbox).await?;
        self.show();
        if self.driver.phone.profile.opens_mail {
            self.open_mail(&inbox).await?;
            // Marking it read is a Sync too: its answer may have brought what the demo waits for.
            self.show();
        }
        match self.driver.wait(&[&inbox], HEARTBEAT_S).await? {
            Waited::News(_) | Waited::Hierarchy | Waited::Quiet => Ok(()),
        }
    }

    /// The app stores the first item of an answer and dies before it stores the key.
    async fn store_half(&mut self, inbox: &str) -> Result<(), DriveError> {
        let exchange = self.driver.phone.sync(&[SyncAsk::of(inbox)], Waits::No);
        let answer = self.driver.send(&exchange).await?;
        self.driver.phone.take(&exchange, &answer, Commit::Items(1))?;
        Ok(())
    }

    /// Opens unread mail: fetches it whole, with its attachments, and marks it read.
    async fn open_mail(&mut self, inbox: &str) -> Result<(), DriveError> {
        let Some(collection) = self.driver.phone.cache.collections.get(inbox) else {
            return Ok(());
        };
        let unread = collection.items.iter().filter(|(_, item)| !item.is_read());
        let unread = unread.max_by_key(|(_, item)| item.email.date_received);
        let Some((id, item)) = unread.map(|(id, item)| (id.clone(), item.clone())) else {
            return Ok(());
        };
        let fetch = self.driver.phone.fetch(inbox, &id);
        self.driver.ask(fetch).await?;
        for attachment in item.email.attachments.iter().flat_map(|all| &all.attachments) {
            if let Some(reference) = &attachment.file_reference {
                let fetch = self.driver.phone.fetch_attachment(reference.as_str(), None);
                self.driver.ask(fetch).await?;
            }
        }
        let read = SyncAsk::of(inbox).with(Phone::read(&id, true));
        let exchange = self.driver.phone.sync(&[read], Waits::No);
        self.driver.ask(exchange).await?;
        Ok(())
    }

    fn show(&self) {
        self.cache.lock().clone_from(&self.driver.phone);
        self.news.send_modify(|news| *news += 1);
    }
}
