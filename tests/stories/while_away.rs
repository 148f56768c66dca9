//! "I am away": set on a phone, answered by the gateway, to people and once.

use activesync_phone::{Outcome, Profile};

use super::post::World;
use super::town::{LONG_S, Town, raw};

/// Mail from outside and from next door is answered; the second mail of a sender, a list's and a recalled one are not.
#[tokio::test]
async fn who_writes_to_somebody_away_is_answered_once() {
    let world = World::open().await;
    let town = Town::open_to(&world).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    let exchange = ann.phone().away(Some("Gone fishing until Monday."));
    let Outcome::Settings(told) = ann.ask(exchange).await else { panic!("not Settings") };
    assert_eq!(told.status.0, 1);
    // An order stands before its message comes: nobody hears that there was one.
    town.recall("secret").await;
    town.mail("secret").await;
    town.post(&["ann"], &format!("List-Id: <all.b.example>\r\n{}", raw("list", "Hello\r\n"))).await;
    town.mail("lunch").await;
    town.mail("lunch again").await;
    let client_id = ben.driver.phone.next_client_id();
    let exchange = ben.phone().send_mail(
        &client_id,
        b"From: ben@a.example\r\nTo: ann@a.example\r\nSubject: tea\r\n\r\nHello\r\n",
    );
    assert_eq!(ben.ask(exchange).await, Outcome::Sent(None));
    while !ben.holds("Automatic reply: tea") {
        ben.ping(LONG_S).await;
        ben.catch_up().await;
    }
    let letters = world.until(1).await;
    assert_eq!(letters[0].envelope, ["MAIL FROM:<>", "RCPT TO:<bob@b.example>"]);
    for words in [
        "Auto-Submitted: auto-replied\r\n",
        "Subject: Automatic reply: lunch\r\n",
        "In-Reply-To: <lunch@b.example>\r\n",
        "Gone fishing until Monday.",
    ] {
        assert!(letters[0].text.contains(words), "{words}: {}", letters[0].text);
    }
    // She is back, and away again: another absence. That answer is the second that leaves at all.
    for words in [None, Some("Gone again.")] {
        let exchange = ann.phone().away(words);
        ann.ask(exchange).await;
    }
    town.mail("dinner").await;
    let letters = world.until(2).await;
    assert_eq!(letters.len(), 2);
    assert!(letters[1].text.contains("Gone again."), "{}", letters[1].text);
    ann.catch_up().await;
    assert_eq!(ann.subjects(), ["dinner", "list", "lunch", "lunch again", "tea"]);
}
