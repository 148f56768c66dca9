//! "My battery lasts." What wakes phones for nothing with other servers, and not with this one.

use activesync_phone::{Outcome, Phone, Profile, SyncAsk, Waits};
use retract::clock::Clock;
use retract::eas::tls::self_signed;

use super::town::{CHANGES, LONG_S, NOTHING, SHORT_S, Town};

/// SOGo wakes a phone once more after every mail it delivered.
#[tokio::test]
async fn one_wake_too_many() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
    for name in ["one", "two"] {
        town.mail(name).await;
        assert_eq!(phone.ping(LONG_S).await.status, CHANGES);
        // One Sync and no other: the phone is up to date and knows it.
        phone.sync().await.expect("the mail");
        assert!(phone.holds(name));
        assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
    }
}

/// If the answer may be lost, the phone is called once, and not twice.
#[tokio::test]
async fn one_wake_for_an_answer_that_may_be_lost() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    town.mail("one").await;
    phone.lose_sync().await.expect("the mail");
    // On a new line: whether the answer arrived nobody here knows.
    assert_eq!(phone.ping(LONG_S).await.status, CHANGES);
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
    phone.sync().await.expect("the mail, again");
    assert_eq!(phone.subjects(), ["one"]);
}

/// What the phone did itself, or another phone of its owner read, is no reason to wake it.
#[tokio::test]
async fn its_own_doing() {
    let town = Town::open().await;
    town.mail("one").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let mut other = town.phone("ann", Profile::android()).await;
    let (inbox, read) = (phone.inbox(), Phone::read(&phone.id_of("one"), true));
    phone.sync_with(SyncAsk::of(&inbox).with(read)).await.expect("a new key");
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
    assert_eq!(other.ping(SHORT_S).await.status, NOTHING);
    other.catch_up().await;
    let inbox = other.phone().cache.collections.get(&inbox).unwrap().items.values().next();
    assert!(inbox.unwrap().is_read());
}

/// A hanging Sync that ends with nothing to say is answered with nothing at all.
#[tokio::test]
async fn a_quiet_hour_costs_no_bytes() {
    let town = Town::open().await;
    town.mail("one").await;
    let mut phone = town.phone("ann", Profile::samsung()).await;
    let exchange = phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::Seconds(SHORT_S));
    let answer = phone.driver.send(&exchange).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(phone.ask(phone.phone().empty_sync()).await, Outcome::Sync(None));
}

/// A certificate is renewed every few weeks: nobody's wait ends for it.
#[tokio::test]
async fn a_renewed_certificate_reaches_new_connections_and_ends_no_wait() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let renew = || {
        let names = ["localhost".to_owned()];
        let (cert_pem, key_pem) = self_signed(&names, Clock::system().now()).unwrap();
        std::fs::write(&certificate, cert_pem).unwrap();
        std::fs::write(&key, key_pem).unwrap();
    };
    renew();
    let mut town = Town::with(Clock::system(), None, |config| {
        config.phones.certificate = Some(certificate.clone());
        config.phones.private_key = Some(key.clone());
    })
    .await;
    let mut waits = town.phone("ann", Profile::ios()).await;
    let old_line = town.tls_line();
    let exchange = waits.phone().ping(&[&waits.inbox()], LONG_S);
    let waiting = tokio::spawn(async move { (waits.ask(exchange).await, waits) });
    town.until_waiting(1).await;
    // Files that do not belong together change nothing.
    std::fs::write(&key, "nothing").unwrap();
    assert!(town.server.reload_certificate().is_err());
    assert!(old_line.connect().await.is_ok());
    renew();
    town.server.reload_certificate().unwrap();
    assert!(old_line.connect().await.is_err(), "new connections see the new certificate");
    assert!(town.tls_line().connect().await.is_ok());
    town.mail("news").await;
    let (told, mut waits) = waiting.await.unwrap();
    assert!(matches!(told, Outcome::Ping(ping) if ping.status == CHANGES));
    waits.catch_up().await;
    assert_eq!(waits.subjects(), ["news"]);
}
