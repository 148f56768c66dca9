//! Signing in: is this password this user's, and may they ask at all?
//!
//! Phones send their password with every request, so what was verified is remembered as a keyed digest over user, hash and
//! password: a changed password changes the digest, and a digest tells nobody a password. What was wrong is remembered likewise, so
//! that a phone left with an old password costs nothing and counts once.
//!
//! Where a [`Verifier`] outside is asked, passwords change unseen: what was right is asked about again after a while, what was wrong
//! likewise; and a verifier that is down makes nobody wrong, strikes nobody, and shuts nobody out who was right lately.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::OwnedSemaphorePermit;

use super::lockout::{Lockout, Patience, network};
use super::memory::Memory;
use super::password::{self, PASSWORD_BYTES_MAX};
use super::sources::Source;
use super::users::{Account, User, account, normal_login};
use super::{Directory, DirectoryError, Down, Outside, Verifier};
use crate::clock::Timestamp;
use crate::database;
use crate::keyring::{Credential, CredentialKind};
use crate::secret::Secret;

/// How sign-in is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Memory of one Argon2id hash, in KiB.
    pub argon2_kib: u32,
    /// Passes of one Argon2id hash.
    pub argon2_passes: u32,
    /// Passwords checked at a time; each takes a core and the memory above.
    pub checks_at_once: usize,
    /// Passwords asked about outside at a time.
    pub asks_at_once: usize,
    /// Passwords that may wait to be checked; more are told to come back. Fewer than the requests handled at a time: each waits in a
    /// turn of its own, and who is known already needs one too.
    pub checks_waiting_max: usize,
    /// Different wrong passwords for one name before it has to wait.
    pub user_guesses_free: u32,
    /// Wrong passwords from one network before it has to wait.
    pub network_guesses_free: u32,
    /// The first wait; each further wrong password doubles it.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such user, or not their password; we do not say which.
    #[error("wrong name or password")]
    Wrong,
    /// The password is right, the account is shut.
    #[error("the account is disabled")]
    Disabled,
    /// Too many wrong guesses of late.
    #[error("too many wrong passwords; again in {} s", .after.as_secs().max(1))]
    LockedOut {
        /// How long to wait.
        after: Duration,
    },
    /// Whoever verifies cannot be asked; that says nothing about the password.
    #[error("passwords cannot be verified at the moment")]
    Down {
        /// When to ask again.
        after: Duration,
    },
    /// More people are signing in than we check at a time; the same again in a moment may do.
    #[error("too many people are signing in")]
    Busy,
    /// Our own fault.
    #[error(transparent)]
    Ours(#[from] database::Error),
}

/// What is remembered of sign-ins, all of it bounded.
#[derive(Debug)]
pub(super) struct Guard {
    /// When each was last verified.
    right: Memory<Digest, Timestamp>,
    right_for: Duration,
    wrong: Memory<Digest, Timestamp>,
    wrong_for: Duration,
    names: Lockout<Digest>,
    networks: Lockout<IpAddr>,
    waiting: usize,
    /// Until when nobody is asked outside.
    down_until: Option<Timestamp>,
}

type Digest = [u8; 32];

/// What one attempt is remembered and counted under.
struct Attempt {
    credentials: Digest,
    name: Digest,
    network: IpAddr,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            argon2_kib: 19 * 1024,
            argon2_passes: 2,
            checks_at_once: std::thread::available_parallelism().map_or(1, usize::from).min(4),
            asks_at_once: 32,
            checks_waiting_max: 192,
            user_guesses_free: 10,
            network_guesses_free: 50,
            first_wait: Duration::from_secs(30),
            longest_wait: Duration::from_secs(15 * 60),
        }
    }
}

impl Settings {
    /// For tests: hashes that cost nothing and protect nothing.
    pub fn quick() -> Settings {
        Settings { argon2_kib: 8, argon2_passes: 1, ..Settings::default() }
    }
}

/// How an attempt stands before anybody is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It was verified lately.
    Right,
    /// It was verified, and it is time to ask again; believed while nobody can be asked.
    RightBefore,
    /// Nobody has said.
    Unknown,
}

impl Guard {
    pub(super) fn new(settings: &Settings, outside: &Outside) -> Guard {
        let patience = |free| Patience {
            free,
            first_wait: settings.first_wait,
            longest_wait: settings.longest_wait,
        };
        // A hash here is part of the digest, so that what was verified against it stays true; a password outside changes unseen.
        let (right_for, kept_for, wrong_for) = match outside.verifier {
            None => (RIGHT_FOR, RIGHT_FOR, WRONG_FOR),
            Some(_) => {
                let kept_for = outside.right_for.max(outside.right_for_while_down);
                (outside.right_for, kept_for, outside.wrong_for)
            }
        };
        Guard {
            right: Memory::new(REMEMBERED_MAX, kept_for),
            right_for,
            wrong: Memory::new(REMEMBERED_MAX, WRONG_FOR.max(wrong_for)),
            wrong_for,
            names: Lockout::new(patience(settings.user_guesses_free)),
            networks: Lockout::new(patience(settings.network_guesses_free)),
            waiting: 0,
            down_until: None,
        }
    }

    /// How an attempt stands; an error where it is wrong, or too early.
    fn standing(&self, attempt: &Attempt, now: Timestamp) -> Result<Standing, SignInError> {
        if let Some(verified) = self.right.get(&attempt.credentials, now) {
            let is_fresh = *verified <= now && now.since(*verified) < self.right_for;
            return Ok(if is_fresh { Standing::Right } else { Standing::RightBefore });
        }
        if let Some(verified) = self.wrong.get(&attempt.credentials, now)
            && *verified <= now
            && now.since(*verified) < self.wrong_for
        {
            return Err(SignInError::Wrong);
        }
        let by_name = self.names.wait(&attempt.name, now);
        let by_network = self.networks.wait(&attempt.network, now);
        match by_name.max(by_network) {
            Some(after) => Err(SignInError::LockedOut { after }),
            None => Ok(Standing::Unknown),
        }
    }

    fn settle(&mut self, attempt: &Attempt, is_right: bool, now: Timestamp) {
        // What is remembered is remembered from now on.
        self.right.remove(&attempt.credentials);
        if is_right {
            self.wrong.remove(&attempt.credentials);
            self.right.put(attempt.credentials, now, now);
            self.names.forgive(&attempt.name);
            return;
        }
        // Two requests of one phone may be checked at once, and an old password is asked about again and again; it is one guess.
        let is_new = self.wrong.get(&attempt.credentials, now).is_none();
        self.wrong.put(attempt.credentials, now, now);
        if is_new {
            self.names.strike(attempt.name, now);
            self.networks.strike(attempt.network, now);
        }
    }
}

impl Directory {
    /// Lets somebody in who knows the password: by name, `DOMAIN\name`, or any of their addresses, in any case.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &Secret,
        from: IpAddr,
    ) -> Result<User, SignInError> {
        self.sign_in_with(login, CredentialKind::Password, password, from).await
    }

    /// Lets somebody in who has a token.
    pub async fn sign_in_by_token(
        &self,
        login: &str,
        token: &Secret,
        from: IpAddr,
    ) -> Result<User, SignInError> {
        if !self.takes_bearer() {
            return Err(SignInError::Wrong);
        }
        self.sign_in_with(login, CredentialKind::Bearer, token, from).await
    }

    async fn sign_in_with(
        &self,
        login: &str,
        kind: CredentialKind,
        secret: &Secret,
        from: IpAddr,
    ) -> Result<User, SignInError> {
        let bytes_max = match kind {
            CredentialKind::Password => PASSWORD_BYTES_MAX,
            CredentialKind::Bearer => TOKEN_BYTES_MAX,
        };
        if login.len() > LOGIN_BYTES_MAX || secret.reveal().len() > bytes_max || secret.is_empty() {
            return Err(SignInError::Wrong);
        }
        let given = without_domain(login);
        let login = normal_login(login);
        let name = login.clone();
        let found = self.0.database.read(move |tx| account(tx, &name)).await?;
        let attempt = self.attempt(&login, found.as_ref(), kind, secret, from);
        let credential = Credential {
            login: found
                .as_ref()
                .map_or_else(|| given.to_owned(), |account| self.login_behind(&account.user)),
            kind,
            secret: secret.clone(),
        };
        let standing = self.0.guard.lock().standing(&attempt, self.0.clock.now())?;
        if standing != Standing::Right {
            self.verify(&attempt, standing, found.as_ref(), &credential).await?;
        }
        let user = match found {
            Some(account) => account.user,
            None => self.make_user(&credential).await?,
        };
        if user.disabled {
            return Err(SignInError::Disabled);
        }
        if let Some(keyring) = &self.0.outside.keyring {
            keyring.present(user.id, credential);
        }
        Ok(user)
    }

    /// Checks the password itself, when it is its turn; remembers and counts the result.
    async fn verify(
        &self,
        attempt: &Attempt,
        standing: Standing,
        found: Option<&Account>,
        credential: &Credential,
    ) -> Result<(), SignInError> {
        let _place = Place::take(self).ok_or(SignInError::Busy)?;
        let turns = if self.0.outside.verifier.is_some() { &self.0.asks } else { &self.0.checks };
        let Ok(permit) = turns.clone().acquire_owned().await else {
            return Err(SignInError::Busy);
        };
        // While we waited, others may have guessed themselves into a lock-out, or our own twin may have been settled.
        if self.0.guard.lock().standing(attempt, self.0.clock.now())? == Standing::Right {
            return Ok(());
        }
        let is_right = match &self.0.outside.verifier {
            Some(verifier) => match self.ask(&**verifier, credential).await {
                Ok(is_right) => is_right,
                // What was right when it was last asked goes on being right for a while.
                Err(_) if standing == Standing::RightBefore => return Ok(()),
                Err(down) => return Err(down),
            },
            None => self.check_here(found, &credential.secret, permit).await,
        };
        self.0.guard.lock().settle(attempt, is_right, self.0.clock.now());
        if is_right {
            return Ok(());
        }
        if let (Some(keyring), Some(account)) = (&self.0.outside.keyring, found) {
            keyring.forget_this(account.user.id, credential);
        }
        Err(SignInError::Wrong)
    }

    /// Checks a password against its hash.
    async fn check_here(
        &self,
        found: Option<&Account>,
        password: &Secret,
        permit: OwnedSemaphorePermit,
    ) -> bool {
        let hash =
            found.map_or_else(|| self.0.nobody.clone(), |account| account.password_hash.clone());
        let (known, password) = (found.is_some(), password.clone());
        let checked = tokio::task::spawn_blocking(move || {
            let is_right = password::is_right(password.reveal().as_bytes(), &hash);
            drop(permit);
            is_right
        });
        known && checked.await.unwrap_or(false)
    }

    /// Asks whoever verifies; one who has just been down is given a moment.
    async fn ask(
        &self,
        verifier: &dyn Verifier,
        credential: &Credential,
    ) -> Result<bool, SignInError> {
        let now = self.0.clock.now();
        let down_until = self.0.guard.lock().down_until;
        if down_until.is_some_and(|until| until > now && until.since(now) <= DOWN_FOR) {
            return Err(SignInError::Down { after: AGAIN_AFTER_DOWN });
        }
        let asked = tokio::time::timeout(ASKED_FOR_MAX, verifier.verify(credential)).await;
        match asked.unwrap_or_else(|_| Err(Down("no answer in time".to_owned()))) {
            Ok(is_right) => Ok(is_right),
            Err(Down(error)) => {
                tracing::error!(
                    error,
                    "passwords cannot be verified; nobody is told that theirs is wrong"
                );
                self.0.guard.lock().down_until = Some(self.0.clock.now().after(DOWN_FOR));
                Err(SignInError::Down { after: AGAIN_AFTER_DOWN })
            }
        }
    }

    /// The user behind a credential that was verified, of whom we have not heard yet.
    async fn make_user(&self, credential: &Credential) -> Result<User, SignInError> {
        let outside = &self.0.outside;
        let Some(domain) = &outside.makes_users_at else {
            if matches!(outside.source, Some(Source::Ldap(_))) {
                // New there since the last look.
                self.look_again();
                return Err(SignInError::Down { after: AGAIN_AFTER_DOWN });
            }
            return Err(SignInError::Wrong);
        };
        let made = self.add_from_sign_in(&credential.login, domain).await;
        made.map_err(|error| match error {
            DirectoryError::Ours(error) => SignInError::Ours(error),
            error => {
                tracing::error!(login = credential.login, %error, "no user can be made of a sign-in");
                SignInError::Wrong
            }
        })
    }

    fn attempt(
        &self,
        login: &str,
        found: Option<&Account>,
        kind: CredentialKind,
        secret: &Secret,
        from: IpAddr,
    ) -> Attempt {
        // All spellings of one user are one name; a name that is nobody's stands for itself.
        let (who, hash) = match found {
            Some(account) => (format!("id:{}", account.user.id), account.password_hash.as_str()),
            None => (format!("login:{login}"), ""),
        };
        Attempt {
            credentials: self.digest(&[&who, hash, kind_name(kind), secret.reveal()]),
            name: self.digest(&[&who]),
            network: network(from),
        }
    }

    fn digest(&self, parts: &[&str]) -> Digest {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0.key).expect("HMAC takes any key");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// A place among those who wait for a check; given back when dropped, also by somebody who stops waiting.
struct Place<'d>(&'d Directory);

impl<'d> Place<'d> {
    fn take(directory: &'d Directory) -> Option<Place<'d>> {
        let mut guard = directory.0.guard.lock();
        if guard.waiting >= directory.0.settings.checks_waiting_max {
            return None;
        }
        guard.waiting += 1;
        Some(Place(directory))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.guard.lock().waiting -= 1;
    }
}

/// What somebody typed, without a Windows domain.
fn without_domain(login: &str) -> &str {
    let login = login.trim();
    login.rsplit_once('\\').map_or(login, |(_, name)| name)
}

fn kind_name(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Password => "password",
        CredentialKind::Bearer => "bearer",
    }
}

/// Octets of a token at most.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// How long whoever verifies may take, whatever they say of themselves.
const ASKED_FOR_MAX: Duration = Duration::from_secs(40);
/// How long nobody is asked after that went wrong.
const DOWN_FOR: Duration = Duration::from_secs(5);
/// When a phone is told to come back.
const AGAIN_AFTER_DOWN: Duration = Duration::from_secs(30);
/// A domain, a backslash and the longest address.
const LOGIN_BYTES_MAX: usize = 512;
const REMEMBERED_MAX: usize = 65_536;
const RIGHT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const WRONG_FOR: Duration = Duration::from_secs(6 * 60 * 60);
