//! Signing in: is this password this user's, and may they ask at all?
//!
//! Phones send their password with every request, so what was verified is remembered as a keyed digest over user, hash and
//! password: a changed password changes the digest, and a digest tells nobody a password. What was wrong is remembered likewise, so
//! that a phone left with an old password costs nothing and counts once.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Directory;
use super::lockout::{Lockout, Patience, network};
use super::memory::Memory;
use super::password::{self, PASSWORD_BYTES_MAX};
use super::users::{Account, User, account, normal_login};
use crate::clock::Timestamp;
use crate::database;
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
    right: Memory<Digest, ()>,
    wrong: Memory<Digest, ()>,
    names: Lockout<Digest>,
    networks: Lockout<IpAddr>,
    waiting: usize,
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

impl Guard {
    pub(super) fn new(settings: &Settings) -> Guard {
        let patience = |free| Patience {
            free,
            first_wait: settings.first_wait,
            longest_wait: settings.longest_wait,
        };
        Guard {
            right: Memory::new(REMEMBERED_MAX, RIGHT_FOR),
            wrong: Memory::new(REMEMBERED_MAX, WRONG_FOR),
            names: Lockout::new(patience(settings.user_guesses_free)),
            networks: Lockout::new(patience(settings.network_guesses_free)),
            waiting: 0,
        }
    }

    fn check(&self, attempt: &Attempt, now: Timestamp) -> Result<(), SignInError> {
        if self.wrong.get(&attempt.credentials, now).is_some() {
            return Err(SignInError::Wrong);
        }
        let by_name = self.names.wait(&attempt.name, now);
        let by_network = self.networks.wait(&attempt.network, now);
        match by_name.max(by_network) {
            Some(after) => Err(SignInError::LockedOut { after }),
            None => Ok(()),
        }
    }

    fn settle(&mut self, attempt: Attempt, is_right: bool, now: Timestamp) {
        if is_right {
            self.right.put(attempt.credentials, (), now);
            self.names.forgive(&attempt.name);
        } else if self.wrong.get(&attempt.credentials, now).is_none() {
            // Two requests of one phone may be checked at once; they are one guess.
            self.wrong.put(attempt.credentials, (), now);
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
        if login.len() > LOGIN_BYTES_MAX || password.reveal().len() > PASSWORD_BYTES_MAX {
            return Err(SignInError::Wrong);
        }
        let login = normal_login(login);
        let name = login.clone();
        let found = self.0.database.read(move |tx| account(tx, &name)).await?;
        let attempt = self.attempt(&login, found.as_ref(), password, from);
        let now = self.0.clock.now();
        let known_right = {
            let guard = self.0.guard.lock();
            let known_right = guard.right.get(&attempt.credentials, now).is_some();
            if !known_right {
                guard.check(&attempt, now)?;
            }
            known_right
        };
        if !known_right {
            self.verify(attempt, found.as_ref(), password).await?;
        }
        match found {
            Some(account) if account.user.disabled => Err(SignInError::Disabled),
            Some(account) => Ok(account.user),
            None => Err(SignInError::Wrong),
        }
    }

    /// Checks the password itself, when it is its turn; remembers and counts the result.
    async fn verify(
        &self,
        attempt: Attempt,
        found: Option<&Account>,
        password: &Secret,
    ) -> Result<(), SignInError> {
        let _place = Place::take(self).ok_or(SignInError::Busy)?;
        let Ok(permit) = self.0.checks.clone().acquire_owned().await else {
            return Err(SignInError::Busy);
        };
        // While we waited, others may have guessed themselves into a lock-out, or our own twin may have been settled.
        let now = self.0.clock.now();
        {
            let guard = self.0.guard.lock();
            if guard.right.get(&attempt.credentials, now).is_some() {
                return Ok(());
            }
            guard.check(&attempt, now)?;
        }
        let hash =
            found.map_or_else(|| self.0.nobody.clone(), |account| account.password_hash.clone());
        let (known, password) = (found.is_some(), password.clone());
        let checked = tokio::task::spawn_blocking(move || {
            let is_right = password::is_right(password.reveal().as_bytes(), &hash);
            drop(permit);
            is_right
        });
        let is_right = known && checked.await.unwrap_or(false);
        self.0.guard.lock().settle(attempt, is_right, self.0.clock.now());
        if is_right { Ok(()) } else { Err(SignInError::Wrong) }
    }

    fn attempt(
        &self,
        login: &str,
        found: Option<&Account>,
        password: &Secret,
        from: IpAddr,
    ) -> Attempt {
        // All spellings of one user are one name; a name that is nobody's stands for itself.
        let (who, hash) = match found {
            Some(account) => (format!("id:{}", account.user.id), account.password_hash.as_str()),
            None => (format!("login:{login}"), ""),
        };
        Attempt {
            credentials: self.digest(&[&who, hash, password.reveal()]),
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

/// A domain, a backslash and the longest address.
const LOGIN_BYTES_MAX: usize = 512;
const REMEMBERED_MAX: usize = 65_536;
const RIGHT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const WRONG_FOR: Duration = Duration::from_secs(6 * 60 * 60);
