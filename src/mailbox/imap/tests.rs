//! The suite of every store, against real servers: Dovecot with its extensions, Dovecot without them, and Cyrus.
//!
//! `tests/run` installs them and sets `RETRACT_MAIL_SERVERS=1`; a machine without one says so and goes on.

#[path = "../../../protocol/imap/tests/rig/mod.rs"]
pub(crate) mod rig;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use imap_sans::Limits;

use super::link::{Place, Security};
use super::{Access, Imap, PoolSettings};
use crate::clock::{Clock, Timestamp};
use crate::database::{Bodies, Database, Options};
use crate::directory::{Directory, NewUser, Settings};
use crate::ids::{CollectionNumber, UserId};
use crate::keyring::{Credential, CredentialKind, Keyring};
use crate::mailbox::embedded::{Embedded, OnEvent};
use crate::mailbox::suite::{self, Rig, mail};
use crate::mailbox::{Arrival, SearchIn, Word};
use crate::secret::Secret;

mod faults;
mod liar;
mod lies;
mod proxy;
mod watching;

/// The password of everybody on the servers of the rig.
const PASSWORD: &str = "pw";

pub(crate) static ONE_AT_A_TIME: LazyLock<Arc<tokio::sync::Mutex<()>>> =
    LazyLock::new(Arc::default);

/// A mirror over a server, with two users whose phones have signed in.
pub(super) struct House {
    pub(super) store: Imap,
    pub(super) users: Vec<UserId>,
    _dir: tempfile::TempDir,
}

/// No TLS is spoken with the servers of the rig, which listen on this machine only.
pub(crate) fn no_tls() -> Arc<rustls::ClientConfig> {
    let roots = rustls::RootCertStore::empty();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

impl House {
    pub(super) async fn new(port: u16, on_event: OnEvent) -> House {
        House::with(port, on_event, &["anna", "berta"], |_| ()).await
    }

    pub(super) async fn with(
        port: u16,
        on_event: OnEvent,
        names: &[&str],
        change: impl FnOnce(&mut PoolSettings),
    ) -> House {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_000_000));
        let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        let directory = Directory::new(database.clone(), clock.clone(), Settings::quick()).unwrap();
        let keyring = Keyring::new(clock.clone(), Duration::from_secs(3600));
        let mut users = Vec::new();
        for &name in names {
            let user = NewUser {
                name: name.into(),
                address: format!("{name}@example.com"),
                password: Secret::new("correct horse".into()),
                ..NewUser::default()
            };
            let user = directory.add_user(user).await.unwrap();
            let credential = Credential {
                login: name.into(),
                kind: CredentialKind::Password,
                secret: Secret::new(PASSWORD.into()),
            };
            keyring.present(user, credential);
            users.push(user);
        }
        let rows = Embedded::new(database, Bodies::simulated(), clock, on_event);
        let place = Place { host: "127.0.0.1".into(), port, security: Security::None };
        let mut settings = PoolSettings {
            limits: Limits { silence_max: Duration::from_secs(30), ..Limits::DEFAULT },
            ..PoolSettings::new(place, Access::Owner)
        };
        change(&mut settings);
        let store = Imap::new(rows, settings, no_tls(), keyring, None);
        House { store, users, _dir: dir }
    }
}

macro_rules! on {
    ($module:ident, $start:expr, $keeps:ident) => {
        mod $module {
            use super::*;

            async fn rig() -> Option<Rig> {
                // Several at a time are more than a small machine, and a Cyrus of Debian's, stand.
                let alone = ONE_AT_A_TIME.clone().lock_owned().await;
                let server = $start?;
                let house = House::new(server.port, Arc::new(|_| ())).await;
                let (store, users) =
                    (Arc::new(house.store.clone()), [house.users[0], house.users[1]]);
                let keeps = suite::Octets::$keeps;
                Some(Rig { store, users, keeps, _keep: Box::new((house, server, alone)) })
            }

            suite::every_test!(rig);

            #[tokio::test]
            async fn words_are_found_by_the_server() {
                let Some(rig) = rig().await else { return };
                super::words_are_found(&rig).await;
            }
        }
    };
}

/// Each word alone, both together, and none that is not there.
async fn words_are_found(rig: &Rig) {
    let mailbox = rig.store.mailbox_of(rig.users[0]).await.unwrap();
    let inbox = rig.store.folder(mailbox, CollectionNumber(1)).await.unwrap();
    let mut put = Vec::new();
    for (id, body) in [("one", "Blue whale"), ("two", "blue sky"), ("three", "Grüne Wiese")] {
        let arrival = Arrival::default();
        // Cyrus finds nothing but ASCII in a text that does not say its charset.
        let said = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
        let raw = String::from_utf8(mail(id, body).to_vec()).unwrap().replacen("\r\n\r\n", said, 1);
        put.push(rig.store.append(inbox.id, raw.into(), arrival).await.unwrap());
    }
    let found = async |words: &[(&str, SearchIn)]| {
        let words = words.iter().map(|(text, place)| Word { text: (*text).into(), place: *place });
        rig.store.holding(inbox.id, words.collect()).await.unwrap().unwrap()
    };
    assert_eq!(found(&[("blue", SearchIn::Anywhere)]).await, [put[0], put[1]]);
    let both = [("blue", SearchIn::Body), ("one", SearchIn::Subject)];
    assert_eq!(found(&both).await, [put[0]]);
    assert_eq!(found(&[("grüne", SearchIn::Anywhere)]).await, [put[2]]);
    assert_eq!(found(&[("ann", SearchIn::From), ("sky", SearchIn::Body)]).await, [put[1]]);
    assert!(found(&[("nowhere", SearchIn::Anywhere)]).await.is_empty());
    assert_eq!(rig.store.holding(inbox.id, Vec::new()).await.unwrap(), None);
}

on!(dovecot, rig::dovecot(true), Mended);
on!(dovecot_without_extensions, rig::dovecot(false), Mended);
on!(cyrus, rig::cyrus(), AsTheyCame);
