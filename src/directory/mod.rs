//! Who is who: users, the addresses that reach them, the groups they are in, and whether a password is theirs.
//!
//! ```text
//!   sign_in ─► known good? ─► known wrong? ─► locked out? ─► Argon2id in a small pool, or a Verifier outside ─► remembered, counted
//!   sources (csv, ldap) ─► intake ─► users, aliases, cards, groups ─► sign-in, address list, policy rules
//! ```
//!
//! - A password is kept nowhere: the database has its Argon2id hash, memory a keyed digest of what was verified lately.
//! - Users are rows of ours whatever their source. One whom the source has no longer is shut out, not deleted; a source that is down or
//!   says nonsense changes nothing, and many who are gone at once stay until somebody confirms it.
//! - A verifier that is down is nobody's wrong password.
//! - A phone with a password that is known to be right is never locked out by somebody else's guesses.
//! - One phone that repeats one old password is one wrong guess, however often it asks.
//! - An unknown user takes as long, and is locked out as soon, as a known one.
//! - Names and addresses have no case. A local part is taken whole: `ann+x` is not `ann`.

mod away;
mod groups;
mod intake;
mod lockout;
mod memory;
mod outside;
mod password;
mod people;
mod sign_in;
mod sources;
mod tables;
mod users;

pub use away::{AWAY_TEXT_BYTES_MAX, Audience, Away, AwayText, AwayWhen, away, set_away};
pub use groups::{Group, group, groups_of, members};
pub use intake::Report;
pub use outside::{Change, Down, LoginBy, OnChange, Outside, Standing, Status, Verdict, Verifier};
pub use people::{Card, Entry, card};
pub use sign_in::{Settings, SignInError};
pub use sources::{Attributes, Ldap, LdapSettings, Place, Security, Source, SourceError};
pub use users::{
    NewUser, Origin, PasswordHash, User, addresses, disable, put_password, resolve, user,
};

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::database::{self, Database};

/// The directory. Cheap to clone; all clones share what they remember of sign-ins.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    database: Database,
    clock: Clock,
    settings: Settings,
    /// The key of the digests; new at every start, so that they are worthless elsewhere.
    key: [u8; 32],
    /// A hash that nobody's password has: unknown users are checked against it.
    nobody: String,
    /// One permit for each password that may be checked at a time.
    checks: Arc<Semaphore>,
    /// One permit for each password that may be asked about outside at a time.
    asks: Arc<Semaphore>,
    guard: Mutex<sign_in::Guard>,
    outside: Outside,
    looking: outside::Looking,
}

/// Why the directory did not do what an administrator asked.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no such user.
    #[error("no such user")]
    NoSuchUser,
    /// The name belongs to somebody.
    #[error("the name is taken")]
    NameTaken,
    /// The address belongs to somebody.
    #[error("the address is taken")]
    AddressTaken,
    /// That cannot be a name, an address or a password; the text says why.
    #[error("not valid: {0}")]
    NotValid(&'static str),
    /// The user comes from outside, and is changed there.
    #[error("the user comes from outside ({0}), and is changed there")]
    FromOutside(&'static str),
    /// The source cannot be taken.
    #[error("{0}")]
    Source(SourceError),
    /// Our own fault.
    #[error(transparent)]
    Ours(#[from] database::Error),
}

impl Directory {
    /// A directory over the database, of which nothing lives elsewhere.
    pub fn new(
        database: Database,
        clock: Clock,
        settings: Settings,
    ) -> Result<Directory, DirectoryError> {
        Directory::with(database, clock, settings, Outside::default())
    }

    /// A directory over the database, and what of it lives elsewhere.
    pub fn with(
        database: Database,
        clock: Clock,
        settings: Settings,
        outside: Outside,
    ) -> Result<Directory, DirectoryError> {
        let mut key = [0; 32];
        let mut random = [0; 32];
        getrandom::fill(&mut key)
            .and_then(|()| getrandom::fill(&mut random))
            .map_err(|_| DirectoryError::NotValid("the machine gives no random numbers"))?;
        let nobody = password::hash(&random, &settings)?;
        let checks = Arc::new(Semaphore::new(settings.checks_at_once));
        let asks = Arc::new(Semaphore::new(settings.asks_at_once));
        let guard = Mutex::new(sign_in::Guard::new(&settings, &outside));
        let looking = outside::Looking::default();
        let inner =
            Inner { database, clock, settings, key, nobody, checks, asks, guard, outside, looking };
        Ok(Directory(Arc::new(inner)))
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Directory")
    }
}

#[cfg(test)]
mod outside_tests;
#[cfg(test)]
mod tests;
