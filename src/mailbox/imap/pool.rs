//! Connections to the server: few for each user, bounded in all, kept for a while, and made again with back-off and jitter.
//!
//! A connection goes back only when every command on it has ended; one that was left in the middle is closed.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use imap_sans::{Limits, Mailbox, Sasl};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::link::{Link, Place};
use super::session::Session;
use crate::database::Database;
use crate::directory;
use crate::ids::{MailboxId, UserId};
use crate::keyring::{CredentialKind, Keyring};
use crate::mailbox::MailboxError;
use crate::secret::Secret;

/// How the gateway signs in for a user.
#[derive(Clone, Debug)]
pub enum Access {
    /// As the user, with what their phone signed in with.
    Owner,
    /// As a master user, on behalf of any user.
    Master {
        /// The master's name.
        user: String,
        /// The master's password.
        password: Secret,
        /// How the server is told for whom.
        style: MasterStyle,
    },
}

/// How a server is told for whom a master signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterStyle {
    /// In the name: `user*master` (Dovecot's `auth_master_user_separator`).
    Separator(char),
    /// As the SASL authorisation identity (RFC 4616): Cyrus, and Dovecot too.
    AuthorizationId,
}

/// By which of a user's names the mail server knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginName {
    /// The name they sign in under here.
    #[default]
    Name,
    /// Their address.
    Address,
}

/// How connections are made and how many there may be.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Where the server is.
    pub place: Place,
    /// How the gateway signs in.
    pub access: Access,
    /// By which name the server knows a user.
    pub login: LoginName,
    /// Connections of one user at most, the watcher's included; servers limit them too.
    pub per_user_max: usize,
    /// Connections in all at most.
    pub in_all_max: usize,
    /// For how long a connection nobody uses is kept.
    pub kept: Duration,
    /// How long one waits for a connection to become free.
    pub patience: Duration,
    /// The limits of one connection: deadlines and sizes.
    pub limits: Limits,
}

impl PoolSettings {
    /// The usual settings for a server.
    pub fn new(place: Place, access: Access) -> PoolSettings {
        PoolSettings {
            place,
            access,
            login: LoginName::Name,
            per_user_max: 5,
            in_all_max: 10_000,
            kept: Duration::from_secs(60),
            patience: Duration::from_secs(20),
            limits: Limits::DEFAULT,
        }
    }
}

/// The connections there are. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    settings: PoolSettings,
    tls: Arc<ClientConfig>,
    database: Database,
    keyring: Keyring,
    in_all: Arc<Semaphore>,
    /// How many wait for a place among all: a connection that nobody uses is closed for them, not kept.
    in_line: Arc<AtomicUsize>,
    users: Mutex<HashMap<MailboxId, Arc<User>>>,
}

struct User {
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<(Session, OwnedSemaphorePermit, Instant)>>,
    fault: Mutex<Option<Fault>>,
}

/// The last failure to connect.
struct Fault {
    again_at: Instant,
    pause: Duration,
    why: String,
}

/// A connection that is somebody's for now.
pub(super) struct Lease {
    session: Option<Session>,
    user: Arc<User>,
    /// The place among all; gone with the connection.
    all: Option<OwnedSemaphorePermit>,
    in_line: Arc<AtomicUsize>,
    _one: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(
        mut settings: PoolSettings,
        tls: Arc<ClientConfig>,
        database: Database,
        keyring: Keyring,
    ) -> Pool {
        // A watcher keeps one and looks with another.
        settings.per_user_max = settings.per_user_max.max(PER_USER_MIN);
        settings.in_all_max = settings.in_all_max.clamp(PER_USER_MIN, Semaphore::MAX_PERMITS);
        let in_all = Arc::new(Semaphore::new(settings.in_all_max));
        let (in_line, users) = (Arc::default(), Mutex::default());
        Pool(Arc::new(Inner { settings, tls, database, keyring, in_all, in_line, users }))
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    /// Can the gateway sign in for this user now?
    pub(super) fn has_access(&self, mailbox: MailboxId) -> bool {
        match self.0.settings.access {
            // Asking is no use of it: it must not keep it.
            Access::Owner => self.0.keyring.knows(UserId(mailbox.0)),
            Access::Master { .. } => true,
        }
    }

    /// A connection for a user, with this mailbox open if one has it.
    pub(super) async fn session(
        &self,
        mailbox: MailboxId,
        wish: Option<&Mailbox>,
    ) -> Result<Lease, MailboxError> {
        let user = self.user(mailbox);
        let waited =
            tokio::time::timeout(self.0.settings.patience, user.permits.clone().acquire_owned());
        let one = match waited.await {
            Ok(Ok(permit)) => permit,
            _ => return Err(MailboxError::Down("every connection of the user is busy".to_owned())),
        };
        while let Some((mut session, all)) = user.take(wish, self.0.settings.kept) {
            // The server may have hung up while nobody listened.
            session.link.settle().await;
            if session.is_sound() {
                return Ok(self.lease(session, user, all, one));
            }
        }
        // Whose password is not here has no fault of the server's to wait for.
        if !self.has_access(mailbox) {
            return Err(no_credential());
        }
        user.check_fault()?;
        let all = self.place_for_one().await?;
        match self.connect(mailbox).await {
            Ok(session) => {
                *user.fault.lock() = None;
                Ok(self.lease(session, user, all, one))
            }
            Err(error) => {
                user.note_fault(&error);
                Err(error)
            }
        }
    }

    fn lease(
        &self,
        session: Session,
        user: Arc<User>,
        all: OwnedSemaphorePermit,
        one: OwnedSemaphorePermit,
    ) -> Lease {
        let in_line = Arc::clone(&self.0.in_line);
        Lease { session: Some(session), user, all: Some(all), in_line, _one: one }
    }

    /// Another connection in the place of one that was lost.
    pub(super) async fn renew(
        &self,
        mailbox: MailboxId,
        lease: &mut Lease,
    ) -> Result<(), MailboxError> {
        lease.user.check_fault()?;
        match self.connect(mailbox).await {
            Ok(session) => {
                lease.session = Some(session);
                Ok(())
            }
            Err(error) => {
                lease.user.note_fault(&error);
                Err(error)
            }
        }
    }

    /// Closes what nobody has used for long; gives how many connections there are then.
    pub(super) fn tidy(&self) -> usize {
        let mut users = self.0.users.lock();
        let kept = self.0.settings.kept;
        users.retain(|_, user| {
            user.idle.lock().retain(|(_, _, since)| since.elapsed() < kept);
            let is_idle = user.permits.available_permits() == self.0.settings.per_user_max;
            let has_fault = user.fault.lock().as_ref().is_some_and(|f| f.again_at > Instant::now());
            Arc::strong_count(user) > 1 || !is_idle || has_fault || !user.idle.lock().is_empty()
        });
        self.0.settings.in_all_max - self.0.in_all.available_permits()
    }

    /// Closes the connections of a user that nobody uses: what they have open may be about to go.
    pub(super) fn close_idle(&self, mailbox: MailboxId) {
        if let Some(user) = self.0.users.lock().get(&mailbox) {
            user.idle.lock().clear();
        }
    }

    /// The user's phone has signed in anew: what failed before may do now.
    pub(super) fn forgive(&self, mailbox: MailboxId) {
        if let Some(user) = self.0.users.lock().get(&mailbox) {
            *user.fault.lock() = None;
        }
    }

    fn user(&self, mailbox: MailboxId) -> Arc<User> {
        let mut users = self.0.users.lock();
        let new = || {
            Arc::new(User {
                permits: Arc::new(Semaphore::new(self.0.settings.per_user_max)),
                idle: Mutex::default(),
                fault: Mutex::default(),
            })
        };
        users.entry(mailbox).or_insert_with(new).clone()
    }

    /// A place among all; where there is none, the connections nobody uses make room.
    async fn place_for_one(&self) -> Result<OwnedSemaphorePermit, MailboxError> {
        if let Ok(place) = self.0.in_all.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _in_line = InLine::new(&self.0.in_line);
        let users: Vec<Arc<User>> = self.0.users.lock().values().cloned().collect();
        users.iter().for_each(|user| user.idle.lock().clear());
        let waited =
            tokio::time::timeout(self.0.settings.patience, self.0.in_all.clone().acquire_owned());
        match waited.await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(MailboxError::Down("too many connections to the mail server".to_owned())),
        }
    }

    async fn connect(&self, mailbox: MailboxId) -> Result<Session, MailboxError> {
        let settings = &self.0.settings;
        let sasl = self.sasl(mailbox).await?;
        let signed_in = async {
            let mut link = Link::connect(&settings.place, &self.0.tls, settings.limits).await?;
            link.sign_in(sasl).await?;
            Session::begin(link).await
        };
        // One that drips its answers meets every deadline but this.
        let in_time = tokio::time::timeout(SIGNED_IN_MAX, signed_in).await;
        in_time.unwrap_or_else(|_| Err(MailboxError::Down("no sign-in in time".to_owned())))
    }

    async fn sasl(&self, mailbox: MailboxId) -> Result<Sasl, MailboxError> {
        let Place { host, port, .. } = &self.0.settings.place;
        match &self.0.settings.access {
            Access::Owner => {
                let credential = self.0.keyring.of(UserId(mailbox.0));
                let credential = credential.ok_or_else(no_credential)?;
                let (user, secret) = (credential.login.clone(), wire_secret(&credential.secret));
                Ok(match credential.kind {
                    CredentialKind::Password => {
                        Sasl::Plain { act_as: None, user, password: secret }
                    }
                    CredentialKind::Bearer => {
                        Sasl::OAuthBearer { user, host: host.clone(), port: *port, token: secret }
                    }
                })
            }
            Access::Master { user, password, style } => {
                let name = self.name_of(mailbox).await?;
                Ok(for_master(&name, user, password, *style))
            }
        }
    }

    /// The name by which the server knows a user.
    async fn name_of(&self, mailbox: MailboxId) -> Result<String, MailboxError> {
        let user = self
            .0
            .database
            .read(move |tx| directory::user(tx, UserId(mailbox.0)))
            .await?
            .ok_or(MailboxError::NoSuchFolder)?;
        // Who became a user by signing in at the server is known there by that name.
        Ok(user.imap_login.unwrap_or(match self.0.settings.login {
            LoginName::Name => user.name,
            LoginName::Address => user.address,
        }))
    }
}

/// The words for a user whose password is not in memory; recall says so in its report.
pub(super) fn no_credential() -> MailboxError {
    MailboxError::Down("the owner's password is not in memory until they connect again".to_owned())
}

/// How a master signs in for the user of this name.
pub(super) fn for_master(name: &str, master: &str, password: &Secret, style: MasterStyle) -> Sasl {
    let password = wire_secret(password);
    match style {
        MasterStyle::Separator(separator) => {
            let user = format!("{name}{separator}{master}");
            Sasl::Plain { act_as: None, user, password }
        }
        MasterStyle::AuthorizationId => {
            Sasl::Plain { act_as: Some(name.to_owned()), user: master.to_owned(), password }
        }
    }
}

pub(super) fn wire_secret(secret: &Secret) -> imap_sans::Secret {
    imap_sans::Secret::new(secret.reveal().as_bytes())
}

impl User {
    /// A connection that is free; the one with this mailbox open first, then the one used last.
    fn take(
        &self,
        wish: Option<&Mailbox>,
        kept: Duration,
    ) -> Option<(Session, OwnedSemaphorePermit)> {
        let mut idle = self.idle.lock();
        idle.retain(|(session, _, since)| session.is_sound() && since.elapsed() < kept);
        let has = |session: &Session| {
            session.opened.as_ref().is_some_and(|opened| Some(&opened.wire) == wish)
        };
        let at = idle.iter().position(|(session, _, _)| has(session));
        let at = at.or_else(|| idle.len().checked_sub(1))?;
        let (session, place, _) = idle.swap_remove(at);
        Some((session, place))
    }

    fn check_fault(&self) -> Result<(), MailboxError> {
        match &*self.fault.lock() {
            Some(fault) if fault.again_at > Instant::now() => {
                Err(MailboxError::Down(fault.why.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Doubles the pause, up to [`PAUSE_MAX`], and spreads it so that not all come back at once.
    fn note_fault(&self, error: &MailboxError) {
        let mut fault = self.fault.lock();
        if fault.as_ref().is_some_and(|last| last.again_at > Instant::now()) {
            // Of several that failed together one counts.
            return;
        }
        let pause = fault.as_ref().map_or(PAUSE_MIN, |last| (last.pause * 2).min(PAUSE_MAX));
        let mut spread = [0u8];
        // Without randomness nothing is spread, and nothing else is lost.
        let _unspread = getrandom::fill(&mut spread);
        let jittered = pause.mul_f64(0.5 + f64::from(spread[0]) / 255.0);
        *fault = Some(Fault { again_at: Instant::now() + jittered, pause, why: error.to_string() });
    }
}

impl Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("a lease has its session until it is dropped")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("a lease has its session until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (Some(session), Some(all)) = (self.session.take(), self.all.take())
            && session.is_sound()
            && self.in_line.load(Ordering::Acquire) == 0
        {
            self.user.idle.lock().push((session, all, Instant::now()));
        }
    }
}

/// Somebody who waits for a place among all.
struct InLine(Arc<AtomicUsize>);

impl InLine {
    fn new(count: &Arc<AtomicUsize>) -> InLine {
        count.fetch_add(1, Ordering::AcqRel);
        InLine(Arc::clone(count))
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({:?})", self.0.settings.place)
    }
}

/// The fewest connections a user, and all of them, may have.
const PER_USER_MIN: usize = 2;
/// How long a connection may take until somebody is signed in on it.
const SIGNED_IN_MAX: Duration = Duration::from_secs(40);
/// The first pause after a connection failed.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(60);
