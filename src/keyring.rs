//! The keyring: what phones signed in with, kept in memory only, for the servers that want to see it again.
//!
//! - **Never written:** not to the disk, not to a log; `Debug` prints nothing of it, and the memory is overwritten when it goes.
//! - **Kept no longer than needed:** as long as somebody holds it for a user ([`Keyring::hold`]: a phone waits, a mail is under way),
//!   and a set time after the last use; [`Keyring::tidy`] drops what is due, and what is due is not given out before either.
//! - **Bounded:** [`CREDENTIALS_MAX`] at most; of those nobody holds, the one longest unused goes first.
//! - **Who waits for somebody hears of it** ([`Keyring::subscribe`]): subscribe first, look then.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::clock::{Clock, Timestamp};
use crate::ids::UserId;
use crate::secret::Secret;

/// The most credentials kept at a time: half a kilobyte each.
pub const CREDENTIALS_MAX: usize = 100_000;

/// What users have signed in with. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner {
    clock: Clock,
    kept_after: Duration,
    credentials_max: usize,
    keys: Mutex<Keys>,
    came: broadcast::Sender<UserId>,
}

/// What kind of secret a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A password.
    Password,
    /// An OAuth 2.0 bearer token (RFC 6750).
    Bearer,
}

/// What a user proves with who they are.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The name they sign in under.
    pub login: String,
    /// What the secret is.
    pub kind: CredentialKind,
    /// The secret.
    pub secret: Secret,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({:?})", self.kind)
    }
}

/// As long as this lives, the user's credential is kept.
#[must_use = "nothing is held once this is dropped"]
pub struct Held {
    ring: Keyring,
    user: UserId,
}

#[derive(Default)]
struct Keys {
    of: HashMap<UserId, Key>,
    /// The credentials that nobody holds, by when they were last used.
    loose: BTreeSet<(Timestamp, UserId)>,
    /// How many entries have a credential.
    count: usize,
}

/// A user who has a credential here, or for whom somebody holds one, or both.
#[derive(Default)]
struct Key {
    credential: Option<Credential>,
    holders: usize,
    used: Timestamp,
}

impl Key {
    fn is_loose(&self) -> bool {
        self.credential.is_some() && self.holders == 0
    }
}

impl Keys {
    /// Changes a user's entry and keeps the index true; an entry that says nothing goes.
    fn change<T>(&mut self, user: UserId, change: impl FnOnce(&mut Key) -> T) -> T {
        let key = self.of.entry(user).or_default();
        if key.is_loose() {
            self.loose.remove(&(key.used, user));
        }
        let had = usize::from(key.credential.is_some());
        let given = change(key);
        self.count = self.count - had + usize::from(key.credential.is_some());
        if key.is_loose() {
            self.loose.insert((key.used, user));
        }
        if key.credential.is_none() && key.holders == 0 {
            self.of.remove(&user);
        }
        given
    }

    fn drop_credential(&mut self, user: UserId) {
        self.change(user, |key| key.credential = None);
    }
}

impl Keyring {
    /// An empty one, which keeps a credential so long after its last use, or after the last hold has ended.
    pub fn new(clock: Clock, kept_after: Duration) -> Keyring {
        Keyring::with_room(clock, kept_after, CREDENTIALS_MAX)
    }

    fn with_room(clock: Clock, kept_after: Duration, credentials_max: usize) -> Keyring {
        let (came, _) = broadcast::channel(COMINGS_KEPT);
        let keys = Mutex::default();
        Keyring(Arc::new(Inner { clock, kept_after, credentials_max, keys, came }))
    }

    /// A phone has signed in with this. Whoever subscribed hears of it if there was none before, or another one.
    pub fn present(&self, user: UserId, credential: Credential) {
        let now = self.0.clock.now();
        let mut keys = self.0.keys.lock();
        let known = keys.of.get(&user).is_some_and(|key| key.credential.is_some());
        if !known && keys.count >= self.0.credentials_max {
            let Some(&(_, longest_unused)) = keys.loose.first() else {
                tracing::warn!("no credential more can be kept: somebody waits for each of them");
                return;
            };
            keys.drop_credential(longest_unused);
        }
        let is_new = keys.change(user, |key| {
            key.used = now;
            let is_new = key.credential.as_ref() != Some(&credential);
            key.credential = Some(credential);
            is_new
        });
        drop(keys);
        if is_new {
            // Nobody may be listening.
            let _heard = self.0.came.send(user);
        }
    }

    /// Keeps the user's credential, the one that is there or one that comes, until the guard is dropped.
    pub fn hold(&self, user: UserId) -> Held {
        self.0.keys.lock().change(user, |key| key.holders += 1);
        Held { ring: self.clone(), user }
    }

    /// The user's credential, which counts as a use; none if it is due to go.
    pub fn of(&self, user: UserId) -> Option<Credential> {
        let now = self.0.clock.now();
        let mut keys = self.0.keys.lock();
        let key = keys.of.get(&user)?;
        if key.is_loose() && self.is_due(key.used, now) {
            keys.drop_credential(user);
            return None;
        }
        keys.change(user, |key| {
            key.used = now;
            key.credential.clone()
        })
    }

    /// Whether the user's credential is here; not a use.
    pub fn knows(&self, user: UserId) -> bool {
        let now = self.0.clock.now();
        let keys = self.0.keys.lock();
        keys.of.get(&user).is_some_and(|key| {
            key.credential.is_some() && (key.holders > 0 || !self.is_due(key.used, now))
        })
    }

    /// Drops the user's credential at once: the password was changed, or refused, or the user disabled.
    pub fn forget(&self, user: UserId) {
        let mut keys = self.0.keys.lock();
        if keys.of.contains_key(&user) {
            keys.drop_credential(user);
        }
    }

    /// Drops the user's credential if it still is this one: a server refused it, and a better one may have come meanwhile.
    pub fn forget_this(&self, user: UserId, refused: &Credential) {
        let mut keys = self.0.keys.lock();
        if keys.of.get(&user).is_some_and(|key| key.credential.as_ref() == Some(refused)) {
            keys.drop_credential(user);
        }
    }

    /// Tells who came with a credential that was not here before. Who lags behind looks at everybody they wait for.
    pub fn subscribe(&self) -> broadcast::Receiver<UserId> {
        self.0.came.subscribe()
    }

    /// Drops what is due; the server calls it now and then.
    pub fn tidy(&self) {
        let now = self.0.clock.now();
        let mut keys = self.0.keys.lock();
        while let Some(&(used, user)) = keys.loose.first() {
            if !self.is_due(used, now) {
                break;
            }
            keys.drop_credential(user);
        }
        // A clock that was set back must not keep them for longer.
        while let Some(&(used, user)) = keys.loose.last() {
            if used <= now {
                break;
            }
            keys.change(user, |key| key.used = now);
        }
    }

    /// How many credentials are kept.
    pub fn count(&self) -> usize {
        self.0.keys.lock().count
    }

    fn is_due(&self, used: Timestamp, now: Timestamp) -> bool {
        now.since(used) >= self.0.kept_after
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let now = self.ring.0.clock.now();
        self.ring.0.keys.lock().change(self.user, |key| {
            key.holders -= 1;
            key.used = now;
        });
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({:?})", self.user)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.count())
    }
}

/// Comings a listener may be behind before it is told that it has missed some.
const COMINGS_KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Duration = Duration::from_secs(600);
    const ADA: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    fn ring() -> (Keyring, Clock) {
        let clock = Clock::manual(Timestamp(1_000_000));
        (Keyring::with_room(clock.clone(), KEPT, 3), clock)
    }

    fn password(secret: &str) -> Credential {
        let secret = Secret::new(secret.to_owned());
        Credential { login: "ada".to_owned(), kind: CredentialKind::Password, secret }
    }

    #[test]
    fn it_goes_a_while_after_its_last_use() {
        let (ring, clock) = ring();
        ring.present(ADA, password("one"));
        clock.advance(KEPT / 2);
        assert_eq!(ring.of(ADA), Some(password("one")), "a use");
        clock.advance(KEPT * 3 / 4);
        ring.tidy();
        assert!(ring.knows(ADA));
        clock.advance(KEPT / 4);
        assert!(!ring.knows(ADA));
        assert_eq!((ring.of(ADA), ring.count()), (None, 0), "before anybody tidies");
    }

    #[test]
    fn who_holds_it_keeps_it_and_so_does_a_second_holder() {
        let (ring, clock) = ring();
        let (first, second) = (ring.hold(ADA), ring.hold(ADA));
        ring.present(ADA, password("one"));
        clock.advance(KEPT * 10);
        drop(first);
        clock.advance(KEPT * 10);
        ring.tidy();
        assert!(ring.knows(ADA), "the second still holds it");
        drop(second);
        clock.advance(KEPT - Duration::from_millis(1));
        ring.tidy();
        assert!(ring.knows(ADA), "the time runs from the end of the hold");
        clock.advance(Duration::from_millis(1));
        ring.tidy();
        assert_eq!(ring.count(), 0);
        assert!(ring.0.keys.lock().of.is_empty(), "nothing stays of it");
    }

    #[test]
    fn the_one_longest_unused_makes_room_and_a_held_one_does_not() {
        let (ring, clock) = ring();
        let _held = ring.hold(ADA);
        for user in [ADA, BOB, UserId(3)] {
            ring.present(user, password("one"));
            clock.advance(Duration::from_secs(1));
        }
        ring.present(UserId(4), password("one"));
        assert!(ring.knows(ADA) && !ring.knows(BOB) && ring.knows(UserId(3)));
        assert_eq!(ring.count(), 3);
        let _all = [ring.hold(UserId(3)), ring.hold(UserId(4))];
        ring.present(BOB, password("one"));
        assert!(!ring.knows(BOB), "no room: each of the others is waited for");
        ring.present(ADA, password("two"));
        assert_eq!(ring.of(ADA), Some(password("two")), "who is known always has room");
    }

    #[tokio::test]
    async fn who_waits_hears_of_what_is_new_and_of_nothing_else() {
        let (ring, _) = ring();
        let mut came = ring.subscribe();
        ring.present(ADA, password("one"));
        ring.present(ADA, password("one"));
        ring.present(BOB, password("one"));
        ring.present(ADA, password("two"));
        ring.forget(ADA);
        ring.present(ADA, password("two"));
        let heard: Vec<_> = std::iter::from_fn(|| came.try_recv().ok()).collect();
        assert_eq!(heard, [ADA, BOB, ADA, ADA]);
    }

    #[test]
    fn what_was_refused_goes_and_its_successor_stays() {
        let (ring, _) = ring();
        ring.present(ADA, password("old"));
        let refused = ring.of(ADA).expect("it is there");
        ring.present(ADA, password("new"));
        ring.forget_this(ADA, &refused);
        assert_eq!(ring.of(ADA), Some(password("new")));
        ring.forget_this(ADA, &password("new"));
        assert!(!ring.knows(ADA));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nothing_for_longer() {
        let (ring, clock) = ring();
        ring.present(ADA, password("one"));
        clock.set(Timestamp(10));
        ring.tidy();
        clock.advance(KEPT);
        ring.tidy();
        assert_eq!(ring.count(), 0);
    }

    #[test]
    fn debug_prints_neither_names_nor_secrets() {
        let (ring, _) = ring();
        ring.present(ADA, password("hunter2"));
        let printed = format!("{ring:?} {:?} {:?}", ring.of(ADA), ring.hold(ADA));
        assert!(!printed.contains("hunter2") && !printed.contains("ada"), "{printed}");
    }
}
