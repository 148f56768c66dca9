//! Stories of signing in, and of the addresses that reach somebody.

use super::*;
use crate::clock::Timestamp;
use crate::database::Options;
use crate::ids::UserId;
use crate::secret::Secret;
use std::net::IpAddr;
use std::time::Duration;
use tempfile::TempDir;

struct House {
    directory: Directory,
    clock: Clock,
    ann: UserId,
    _dir: TempDir,
}

const PASSWORD: &str = "correct horse";
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

async fn house_with(settings: Settings) -> House {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(1_000_000));
    let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
    let directory = Directory::new(database, clock.clone(), settings).unwrap();
    let ann = directory.add_user(new_user("Ann", "Ann@A.example")).await.unwrap();
    House { directory, clock, ann, _dir: dir }
}

async fn house() -> House {
    house_with(Settings::quick()).await
}

fn new_user(name: &str, address: &str) -> NewUser {
    NewUser {
        name: name.into(),
        address: address.into(),
        display_name: format!("{name} Example"),
        password: secret(PASSWORD),
        ..NewUser::default()
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

impl House {
    async fn tries(&self, login: &str, password: &str, from: IpAddr) -> Result<User, SignInError> {
        self.directory.sign_in(login, &secret(password), from).await
    }

    async fn guesses(&self, login: &str, from: IpAddr, times: usize) -> Vec<SignInError> {
        let mut errors = Vec::new();
        for n in 0..times {
            errors.push(self.tries(login, &format!("guess {n}"), from).await.unwrap_err());
        }
        errors
    }
}

#[tokio::test]
async fn a_user_signs_in_by_every_spelling() {
    let house = house().await;
    house.directory.add_alias(house.ann, "A.Nn@b.example").await.unwrap();
    for login in [
        "ann",
        "ANN",
        " Ann ",
        "CORP\\Ann",
        "\\ann",
        "ann@a.example",
        "ANN@A.EXAMPLE",
        "a.nn@B.example",
    ] {
        let user = house.tries(login, PASSWORD, HOME).await.unwrap();
        assert_eq!((user.id, user.name.as_str()), (house.ann, "ann"), "{login}");
    }
    for login in ["", "an", "ann@b.example", "ann+x@a.example", "ann\\", "%", "bob"] {
        let refused = house.tries(login, PASSWORD, HOME).await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{login}");
    }
    for password in ["", "Correct horse", "correct horse ", &"x".repeat(5_000)] {
        let refused = house.tries("ann", password, HOME).await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{password}");
    }
}

#[tokio::test]
async fn guessing_locks_a_name_with_growing_waits() {
    let house = house().await;
    let errors = house.guesses("ann", AWAY, 11).await;
    assert!(errors[..10].iter().all(|error| matches!(error, SignInError::Wrong)));
    let SignInError::LockedOut { after } = errors[10] else { panic!("{errors:?}") };
    assert_eq!(after, Duration::from_secs(30));
    // Also with the right password, and from elsewhere: the name itself waits.
    let locked = house.tries("CORP\\ann", PASSWORD, HOME).await;
    assert!(matches!(locked, Err(SignInError::LockedOut { .. })));
    house.clock.advance(Duration::from_secs(30));
    house.tries("ann", "one more guess", AWAY).await.unwrap_err();
    let SignInError::LockedOut { after } = house.tries("ann", PASSWORD, HOME).await.unwrap_err()
    else {
        panic!("not locked")
    };
    assert_eq!(after, Duration::from_secs(60));
    house.clock.advance(Duration::from_secs(60));
    house.tries("ann", PASSWORD, HOME).await.unwrap();
}

#[tokio::test]
async fn a_phone_in_use_is_not_locked_out_by_a_stranger() {
    let house = house().await;
    house.tries("ann", PASSWORD, HOME).await.unwrap();
    let errors = house.guesses("ann", AWAY, 12).await;
    assert!(matches!(errors[11], SignInError::LockedOut { .. }));
    house.tries("ann", PASSWORD, HOME).await.unwrap();
}

#[tokio::test]
async fn one_old_password_is_one_wrong_guess() {
    let house = house().await;
    for _ in 0..200 {
        let refused = house.tries("ann", "last year's password", HOME).await;
        assert!(matches!(refused, Err(SignInError::Wrong)));
    }
    house.tries("ann", PASSWORD, HOME).await.unwrap();
}

#[tokio::test]
async fn a_network_that_tries_many_names_waits() {
    let house = house().await;
    for n in 0..50 {
        let refused = house.tries(&format!("user{n}"), PASSWORD, AWAY).await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{n}");
    }
    let locked = house.tries("ann", PASSWORD, AWAY).await;
    assert!(matches!(locked, Err(SignInError::LockedOut { .. })));
    house.tries("ann", PASSWORD, HOME).await.unwrap();
}

#[tokio::test]
async fn nobody_is_treated_like_somebody() {
    let house = house().await;
    let nobody = house.guesses("nobody", AWAY, 11).await;
    assert!(matches!(nobody[9], SignInError::Wrong));
    assert!(matches!(nobody[10], SignInError::LockedOut { .. }));
}

#[tokio::test]
async fn a_new_password_works_at_once_and_the_old_one_does_not() {
    let house = house().await;
    house.tries("ann", PASSWORD, HOME).await.unwrap();
    house.directory.set_password(house.ann, secret("battery staple")).await.unwrap();
    let old = house.tries("ann", PASSWORD, HOME).await;
    assert!(matches!(old, Err(SignInError::Wrong)));
    house.tries("ann", "battery staple", HOME).await.unwrap();
    let short = house.directory.set_password(house.ann, secret("short")).await;
    assert!(matches!(short, Err(DirectoryError::NotValid(_))));
    let nobody = house.directory.set_password(UserId(9), secret("long enough")).await;
    assert!(matches!(nobody, Err(DirectoryError::NoSuchUser)));
}

#[tokio::test]
async fn a_disabled_user_is_told_only_with_the_right_password() {
    let house = house().await;
    house.tries("ann", PASSWORD, HOME).await.unwrap();
    house.directory.set_disabled(house.ann, true).await.unwrap();
    assert!(matches!(house.tries("ann", PASSWORD, HOME).await, Err(SignInError::Disabled)));
    assert!(matches!(house.tries("ann", "guess", HOME).await, Err(SignInError::Wrong)));
    house.directory.set_disabled(house.ann, false).await.unwrap();
    house.tries("ann", PASSWORD, HOME).await.unwrap();
}

#[tokio::test]
async fn more_than_the_pool_holds_are_told_to_come_back() {
    let settings = Settings { checks_waiting_max: 0, ..Settings::quick() };
    let house = house_with(settings).await;
    assert!(matches!(house.tries("ann", PASSWORD, HOME).await, Err(SignInError::Busy)));
}

#[tokio::test]
async fn an_address_belongs_to_one_user() {
    let house = house().await;
    let directory = &house.directory;
    let bob = directory.add_user(new_user("bob", "bob@a.example")).await.unwrap();
    let taken = directory.add_user(new_user("BOB", "other@a.example")).await;
    assert!(matches!(taken, Err(DirectoryError::NameTaken)));
    let taken = directory.add_user(new_user("eve", "ANN@a.example")).await;
    assert!(matches!(taken, Err(DirectoryError::AddressTaken)));
    let taken = directory.add_alias(bob, "ann@a.example").await;
    assert!(matches!(taken, Err(DirectoryError::AddressTaken)));
    directory.add_alias(bob, "Sales@a.example").await.unwrap();
    assert_eq!(directory.addresses(bob).await.unwrap(), ["bob@a.example", "sales@a.example"]);
    let sales = directory.resolve("SALES@A.example").await.unwrap().unwrap();
    assert_eq!(sales.id, bob);
    directory.remove_alias(bob, "sales@a.example").await.unwrap();
    assert!(directory.resolve("sales@a.example").await.unwrap().is_none());
    let own = directory.remove_alias(bob, "bob@a.example").await;
    assert!(matches!(own, Err(DirectoryError::NotValid(_))));
    for wrong in ["", "bob", "@a.example", "a b@c", "a@b@c", "a@", "<a@b>", "a\r\n@b"] {
        let refused = directory.add_alias(bob, wrong).await;
        assert!(matches!(refused, Err(DirectoryError::NotValid(_))), "{wrong:?}");
    }
}

#[tokio::test]
async fn the_address_list_finds_by_the_beginning_of_words() {
    let house = house().await;
    house.directory.add_user(new_user("bob", "robert@a.example")).await.unwrap();
    let names = |users: Vec<User>| users.into_iter().map(|user| user.name).collect::<Vec<_>>();
    assert_eq!(names(house.directory.search("EXAM", 9).await.unwrap()), ["ann", "bob"]);
    assert_eq!(names(house.directory.search("rob", 9).await.unwrap()), ["bob"]);
    assert!(house.directory.search("%", 9).await.unwrap().is_empty());
    assert!(house.directory.search("", 9).await.unwrap().is_empty());
    assert_eq!(names(house.directory.list(Some(house.ann), 9).await.unwrap()), ["bob"]);
    house.directory.set_disabled(house.ann, true).await.unwrap();
    assert_eq!(names(house.directory.search("exam", 9).await.unwrap()), ["bob"]);
}

#[test]
fn no_password_shows_in_a_debug_line() {
    let shown = format!("{:?}", new_user("ann", "ann@a.example"));
    assert!(!shown.contains("horse"), "{shown}");
}
