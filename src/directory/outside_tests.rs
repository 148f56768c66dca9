//! Stories of users that come from elsewhere, and of passwords that are verified there.

use super::*;
use crate::clock::Timestamp;
use crate::database::Options;
use crate::ids::UserId;
use crate::keyring::{Credential, Keyring};
use crate::secret::Secret;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// A verifier that knows passwords by login, counts questions, and can be down.
#[derive(Default)]
struct Elsewhere {
    passwords: Mutex<BTreeMap<String, String>>,
    is_down: Mutex<bool>,
    asked: Mutex<Vec<String>>,
}

impl Verifier for Elsewhere {
    fn verify<'a>(&'a self, credential: &'a Credential) -> Verdict<'a> {
        Box::pin(async move {
            self.asked.lock().push(credential.login.clone());
            if *self.is_down.lock() {
                return Err(Down("cut".to_owned()));
            }
            let passwords = self.passwords.lock();
            Ok(passwords.get(&credential.login).is_some_and(|p| p == credential.secret.reveal()))
        })
    }
}

impl Elsewhere {
    fn set(&self, login: &str, password: &str) {
        self.passwords.lock().insert(login.to_owned(), password.to_owned());
    }

    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock()).len()
    }
}

struct House {
    directory: Directory,
    clock: Clock,
    elsewhere: Arc<Elsewhere>,
    keyring: Keyring,
    told: Arc<Mutex<Vec<Change>>>,
    file: PathBuf,
    _dir: TempDir,
}

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn house(change: impl FnOnce(&mut Outside)) -> House {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(1_000_000));
    let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
    let elsewhere = Arc::new(Elsewhere::default());
    let keyring = Keyring::new(clock.clone(), HOUR);
    let told: Arc<Mutex<Vec<Change>>> = Arc::default();
    let (file, hears) = (dir.path().join("users.csv"), told.clone());
    let mut outside = Outside {
        source: Some(Source::Csv(file.clone())),
        verifier: Some(elsewhere.clone()),
        keyring: Some(keyring.clone()),
        on_change: Arc::new(move |_, _, change| {
            hears.lock().push(change);
            Ok(())
        }),
        ..Outside::default()
    };
    change(&mut outside);
    let directory = Directory::with(database, clock.clone(), Settings::quick(), outside).unwrap();
    House { directory, clock, elsewhere, keyring, told, file, _dir: dir }
}

impl House {
    async fn tries(&self, login: &str, password: &str) -> Result<User, SignInError> {
        self.directory.sign_in(login, &Secret::new(password.to_owned()), HOME).await
    }

    /// Takes a file with these lines below the header.
    async fn takes(&self, lines: &[&str]) -> Result<Report, DirectoryError> {
        self.file(lines);
        self.directory.sync(false).await
    }

    fn file(&self, lines: &[&str]) {
        let header = "name,address,display_name,aliases,groups,kind,title";
        std::fs::write(&self.file, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    }

    async fn names(&self) -> Vec<String> {
        let users = self.directory.list(None, 99).await.unwrap().into_iter();
        let shown = users.map(|u| if u.disabled { format!("({})", u.name) } else { u.name });
        shown.collect()
    }
}

const ANN: &str = "ann,ann@a.example,Ann Lee,sales@a.example,Staff,,Chief";
const BEN: &str = "ben,ben@a.example,Ben Gray,,Staff,,";
const CAS: &str = "cas,cas@a.example,Cas Moss,,Board,,";

#[tokio::test]
async fn users_come_change_go_and_come_back() {
    let house = house(|_| {});
    let report = house.takes(&[ANN, BEN, CAS]).await.unwrap();
    assert_eq!((report.added, report.changed, report.gone, report.groups), (3, 0, 0, 2));
    let again = house.directory.sync(false).await.unwrap();
    assert!(!again.is_change(), "nothing new is nothing written: {again:?}");
    let ann = house.directory.resolve("sales@a.example").await.unwrap().unwrap();
    assert_eq!((ann.name.as_str(), ann.origin), ("ann", Origin::Csv));
    let report = house.takes(&[ANN, &BEN.replace("Gray", "Green"), CAS]).await.unwrap();
    assert_eq!((report.added, report.changed), (0, 1));
    let report = house.takes(&[ANN, CAS]).await.unwrap();
    assert_eq!((report.gone, house.names().await.join(" ").as_str()), (1, "ann (ben) cas"));
    // Gone is not deleted; an administrator cannot let them in, and the address can be somebody else's.
    let ben = house.directory.find("ben").await.unwrap();
    assert!(ben.is_gone && ben.disabled);
    let refused = house.directory.set_disabled(ben.id, false).await;
    assert!(matches!(refused, Err(DirectoryError::FromOutside("csv"))));
    let dan = "dan,dan@a.example,,ben@a.example,,,";
    house.takes(&[ANN, CAS, dan]).await.unwrap();
    let heir = house.directory.resolve("ben@a.example").await.unwrap().unwrap();
    assert_eq!(heir.name, "dan");
    let report = house.takes(&[ANN, CAS, BEN]).await.unwrap();
    assert_eq!((report.changed, report.added), (1, 0), "the same user comes back");
    assert_eq!(house.names().await.join(" "), "ann ben cas (dan)");
    let changes = house.told.lock().clone();
    let last = [Change::Gone(UserId(4)), Change::Back(ben.id)];
    assert_eq!(changes[changes.len() - 2..], last, "{changes:?}");
}

#[tokio::test]
async fn a_bad_file_and_an_empty_one_remove_nobody() {
    let house = house(|_| {});
    let ten: Vec<String> = (0..10).map(|n| format!("u{n},u{n}@a.example,,,,,")).collect();
    let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
    house.takes(&ten).await.unwrap();
    let broken = house.takes(&["u0,not an address,,,,,"]).await.unwrap_err().to_string();
    assert!(broken.contains("line 2, column address"), "{broken}");
    let status = house.directory.standing().await.unwrap();
    assert!(status.status.error.unwrap().contains("line 2"), "it is said");
    assert_eq!((status.users, status.users_gone), (10, 0));
    for left in [&ten[..0], &ten[..5]] {
        let report = house.takes(left).await.unwrap();
        assert_eq!((report.gone, report.gone_unconfirmed), (0, 10 - left.len()));
        assert_eq!(house.directory.standing().await.unwrap().users_gone, 0);
    }
    std::fs::remove_file(&house.file).unwrap();
    assert!(house.directory.sync(true).await.is_err(), "no file is no word about anybody");
    // What is new comes in meanwhile, and a word lets those go who are gone.
    let report = house.takes(&[&ten[..5], &["new,new@a.example,,,,,"]].concat()).await.unwrap();
    assert_eq!((report.added, report.gone, report.gone_unconfirmed), (1, 0, 5));
    let rehearsed = house.directory.rehearse().await.unwrap();
    assert_eq!((rehearsed.gone_unconfirmed, rehearsed.is_change()), (5, false));
    let report = house.directory.sync(true).await.unwrap();
    assert_eq!((report.gone, report.gone_unconfirmed), (5, 0));
    assert_eq!(house.directory.standing().await.unwrap().users_gone, 5);
}

#[tokio::test]
async fn who_was_here_before_becomes_the_sources_and_is_changed_there() {
    let house = house(|_| {});
    let old = NewUser {
        name: "ann".into(),
        address: "ann@old.example".into(),
        password: Secret::new("long enough".into()),
        is_admin: true,
        ..NewUser::default()
    };
    let id = house.directory.add_user(old).await.unwrap();
    assert_eq!(house.takes(&[ANN]).await.unwrap().changed, 1);
    let ann = house.directory.user(id).await.unwrap();
    assert_eq!((ann.address.as_str(), ann.origin), ("ann@a.example", Origin::Csv));
    assert!(ann.is_admin, "the file does not say otherwise");
    let directory = &house.directory;
    assert_eq!(directory.addresses(id).await.unwrap(), ["ann@a.example", "sales@a.example"]);
    for refused in [
        directory.add_alias(id, "x@a.example").await,
        directory.remove_alias(id, "sales@a.example").await,
        directory.set_display_name(id, "Anna").await,
        directory.keeps_password_of(&ann),
    ] {
        assert!(matches!(refused, Err(DirectoryError::FromOutside("csv"))), "{refused:?}");
    }
}

#[tokio::test]
async fn groups_lie_in_each_other_and_end_nowhere() {
    let house = house(|_| {});
    let inner = "inner,inner@a.example,Inner,,outer,group,";
    let outer = "outer,,Outer,,inner;Board,group,";
    house.takes(&[ANN, &BEN.replace("Staff", "inner"), CAS, inner, outer]).await.unwrap();
    let names = |group: &'static str| async {
        let group = house.directory.group(group).await.unwrap().unwrap();
        let members = house.directory.members(&group).await.unwrap().into_iter();
        members.map(|user| user.name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("outer").await, "ben");
    assert_eq!(names("INNER@a.example").await, "ben");
    assert_eq!(names("board").await, "ben cas");
    let ben = house.directory.find("ben").await.unwrap().id;
    let groups = house.directory.0.database.read(move |tx| groups_of(tx, ben)).await.unwrap();
    assert_eq!(groups.into_iter().collect::<Vec<_>>(), ["board", "inner", "outer"]);
    // The address list has groups with an address, and what the file says of people.
    let found = house.directory.look_up("in", 9).await.unwrap();
    assert_eq!(found.iter().map(Entry::address).collect::<Vec<_>>(), ["inner@a.example"]);
    let found = house.directory.look_up("lee", 9).await.unwrap();
    let [Entry::Person(_, card)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(card.title.as_deref(), Some("Chief"));
    house.takes(&[ANN, BEN, CAS]).await.unwrap();
    assert!(house.directory.group("inner").await.unwrap().is_none(), "a group that is gone");
}

#[tokio::test]
async fn a_password_is_asked_about_again_after_a_while() {
    let house = house(|_| {});
    house.takes(&[ANN]).await.unwrap();
    house.elsewhere.set("ann", "first");
    for _ in 0..3 {
        house.tries("SALES@a.example", "first").await.unwrap();
    }
    assert_eq!(*house.elsewhere.asked.lock(), ["ann"], "by the name it has there, once");
    let ann = house.directory.find("ann").await.unwrap().id;
    assert_eq!(house.keyring.of(ann).unwrap().login, "ann");
    house.elsewhere.set("ann", "second");
    house.clock.advance(14 * MINUTE);
    house.tries("ann", "first").await.unwrap();
    house.clock.advance(2 * MINUTE);
    let old = house.tries("ann", "first").await;
    assert!(matches!(old, Err(SignInError::Wrong)));
    assert!(house.keyring.of(ann).is_none(), "and nobody keeps it");
    house.tries("ann", "second").await.unwrap();
    house.elsewhere.asked();
    // One old password is asked about now and then, and is one guess however often.
    for _ in 0..40 {
        house.clock.advance(6 * MINUTE);
        let old = house.tries("ann", "first").await;
        assert!(matches!(old, Err(SignInError::Wrong)));
    }
    assert!(house.elsewhere.asked() <= 9);
    assert!(matches!(house.tries("ann", "").await, Err(SignInError::Wrong)));
    assert_eq!(house.elsewhere.asked(), 0, "an empty password is asked about nowhere");
}

#[tokio::test]
async fn a_verifier_that_is_down_makes_nobody_wrong() {
    let house = house(|_| {});
    house.takes(&[ANN, BEN]).await.unwrap();
    house.elsewhere.set("ann", "right");
    house.elsewhere.set("ben", "right");
    house.tries("ann", "right").await.unwrap();
    *house.elsewhere.is_down.lock() = true;
    for _ in 0..7 {
        house.clock.advance(HOUR);
        house.tries("ann", "right").await.unwrap();
        for guess in 0..4 {
            let ben = house.tries("ben", &format!("guess {guess}")).await;
            assert!(matches!(ben, Err(SignInError::Down { .. })), "{ben:?}");
        }
    }
    assert!(house.elsewhere.asked() <= 14, "one who is down is given a moment");
    house.clock.advance(2 * HOUR);
    assert!(matches!(house.tries("ann", "right").await, Err(SignInError::Down { .. })));
    *house.elsewhere.is_down.lock() = false;
    house.clock.advance(MINUTE);
    house.tries("ben", "right").await.unwrap();
    house.tries("ann", "right").await.unwrap();
}

#[tokio::test]
async fn guessing_elsewhere_locks_the_name_here() {
    let house = house(|_| {});
    house.takes(&[ANN]).await.unwrap();
    house.elsewhere.set("ann", "right");
    for guess in 0..10 {
        assert!(matches!(house.tries("ann", &format!("{guess}")).await, Err(SignInError::Wrong)));
    }
    let asked = house.elsewhere.asked();
    let locked = house.tries("ann", "right").await;
    assert!(matches!(locked, Err(SignInError::LockedOut { .. })), "{locked:?}");
    assert_eq!((asked, house.elsewhere.asked()), (10, 0));
}

#[tokio::test]
async fn whoever_is_let_in_elsewhere_becomes_a_user() {
    let house = house(|outside| {
        outside.source = None;
        outside.makes_users_at = Some("a.example".to_owned());
    });
    for login in ["Ann", "ben@b.example", "ann@b.example", "no body"] {
        house.elsewhere.set(login, "right");
    }
    let ann = house.tries("CORP\\Ann", "right").await.unwrap();
    assert_eq!((ann.name.as_str(), ann.address.as_str()), ("ann", "ann@a.example"));
    assert_eq!((ann.origin, ann.imap_login.as_deref()), (Origin::Imap, Some("Ann")));
    let same = house.tries("ann@a.example", "right").await.unwrap();
    assert_eq!(same.id, ann.id, "by the login of the first time");
    let ben = house.tries("ben@b.example", "right").await.unwrap();
    assert_eq!((ben.name.as_str(), ben.address.as_str()), ("ben", "ben@b.example"));
    let other = house.tries("ann@b.example", "right").await.unwrap();
    assert_eq!(other.name, "ann.b.example", "the short name is taken");
    assert!(matches!(house.tries("eve", "right").await, Err(SignInError::Wrong)));
    assert!(matches!(house.tries("no body", "right").await, Err(SignInError::Wrong)));
    assert_eq!(house.names().await.join(" "), "ann ben ann.b.example");
    // Without that, nobody becomes anybody; and tokens are for whoever takes them.
    let strict = self::house(|outside| outside.source = None);
    strict.elsewhere.set("ann", "right");
    assert!(matches!(strict.tries("ann", "right").await, Err(SignInError::Wrong)));
    let token = Secret::new("right".to_owned());
    let refused = strict.directory.sign_in_by_token("ann", &token, HOME).await;
    assert!(matches!(refused, Err(SignInError::Wrong)));
}
