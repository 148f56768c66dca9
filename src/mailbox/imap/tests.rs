//! The suite of every store, against real servers: Dovecot with its extensions, Dovecot without them, and Cyrus.
//!
//! `tests/run` installs them and sets `RETRACT_MAIL_SERVERS=1`; a machine without one says so and goes on.

#[path = "../../../protocol/imap/tests/rig/mod.rs"]
mod rig;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use imap_sans::Limits;

use super::link::{Place, Security};
use super::{Access, Imap, PoolSettings};
use crate::clock::{Clock, Timestamp};
use crate::database::{Bodies, Database, Options};
use crate::directory::{Directory, NewUser, Settings};
use crate::ids::UserId;
use crate::keyring::{Credential, CredentialKind, Keyring};
use crate::mailbox::embedded::{Embedded, OnEvent};
use crate::mailbox::suite::{self, Rig};
use crate::secret::Secret;

/// The password of everybody on the servers of the rig.
const PASSWORD: &str = "pw";

static ONE_AT_A_TIME: LazyLock<Arc<tokio::sync::Mutex<()>>> = LazyLock::new(Arc::default);

/// A mirror over a server, with two users whose phones have signed in.
pub(super) struct House {
    pub(super) store: Imap,
    pub(super) users: [UserId; 2],
    _dir: tempfile::TempDir,
}

/// No TLS is spoken with the servers of the rig, which listen on this machine only.
fn no_tls() -> Arc<rustls::ClientConfig> {
    let roots = rustls::RootCertStore::empty();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

impl House {
    pub(super) async fn new(port: u16, on_event: OnEvent) -> House {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_000_000));
        let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        let directory = Directory::new(database.clone(), clock.clone(), Settings::quick()).unwrap();
        let keyring = Keyring::new(clock.clone(), Duration::from_secs(3600));
        let mut users = Vec::new();
        for name in ["anna", "berta"] {
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
        let settings = PoolSettings {
            limits: Limits { silence_max: Duration::from_secs(30), ..Limits::DEFAULT },
            ..PoolSettings::new(place, Access::Owner)
        };
        let store = Imap::new(rows, settings, no_tls(), keyring, None);
        House { store, users: [users[0], users[1]], _dir: dir }
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
                let (store, users) = (Arc::new(house.store.clone()), house.users);
                let keeps = suite::Octets::$keeps;
                Some(Rig { store, users, keeps, _keep: Box::new((house, server, alone)) })
            }

            suite::every_test!(rig);
        }
    };
}

on!(dovecot, rig::dovecot(true), Mended);
on!(dovecot_without_extensions, rig::dovecot(false), Mended);
on!(cyrus, rig::cyrus(), AsTheyCame);
