//! Mail that phones send: once, whatever the line does; and nobody carries a recalled mail out by the back door.

use activesync_phone::activesync::command::CommandName;
use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::status::Status;
use activesync_phone::{Commit, Exchange, Outcome, Profile};

use super::town::{Handset, Town, folder};

fn letter(subject: &str) -> Vec<u8> {
    format!(
        "From: ann@a.example\r\nTo: ben@a.example\r\nSubject: {subject}\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello Ben.\r\n"
    )
    .into_bytes()
}

/// All open servers send twice when the answer to SendMail was lost.
#[tokio::test]
async fn double_send() {
    let town = Town::open().await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    let sent = folder(ann.phone(), FolderType::SENT_ITEMS);
    ann.driver.catch_up(&sent).await.unwrap();
    let client_id = ann.driver.phone.next_client_id();
    let exchange = ann.phone().send_mail(&client_id, &letter("hello"));
    for _ in 0..2 {
        let lost = ann.driver.send(&exchange).await.unwrap();
        assert_eq!(lost.status, 200);
        ann.driver.hang_up();
    }
    // After a restart too.
    let town = town.restart().await;
    let (mut ann, mut again) = (town.same_phone(ann), town.same_phone(ben));
    assert_eq!(ann.ask(exchange).await, Outcome::Sent(None));
    arrives(&mut again, "hello").await;
    ben = again;
    ann.driver.catch_up(&sent).await.unwrap();
    assert_eq!(ann.subjects_in(&sent), ["hello"]);
    assert_eq!(ben.subjects(), ["hello"]);
}

/// Forwarding or answering a recalled mail is refused with a word after which phones do not send it from their own cache.
#[tokio::test]
async fn a_recalled_mail_is_not_forwarded() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    let (inbox, id) = (ann.inbox(), ann.id_of("secret"));
    town.recall("secret").await;
    for command in [CommandName::SmartForward, CommandName::SmartReply] {
        let client_id = ann.driver.phone.next_client_id();
        let exchange = ann.phone().smart(command, &client_id, (&inbox, &id), &letter("Fw: secret"));
        for _ in 0..2 {
            let told = said(&mut ann, &exchange).await;
            assert!(matches!(told, Status(117 | 172)), "{command}: {told}");
        }
    }
    let client_id = ann.driver.phone.next_client_id();
    let exchange = ann.phone().send_mail(&client_id, &letter("hello"));
    assert_eq!(ann.ask(exchange).await, Outcome::Sent(None));
    arrives(&mut ben, "hello").await;
    assert_eq!(ben.subjects(), ["hello"]);
}

/// A mail of which only the forward was not recalled: it goes out with its original, once.
#[tokio::test]
async fn a_forward_carries_the_original() {
    let town = Town::open().await;
    town.mail("news").await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    let (inbox, id) = (ann.inbox(), ann.id_of("news"));
    let client_id = ann.driver.phone.next_client_id();
    let exchange = ann.phone().smart(
        CommandName::SmartForward,
        &client_id,
        (&inbox, &id),
        &letter("Fw: news"),
    );
    for _ in 0..2 {
        assert_eq!(ann.ask(exchange.clone()).await, Outcome::Sent(None));
    }
    arrives(&mut ben, "Fw: news").await;
    assert_eq!(ben.subjects(), ["Fw: news"]);
    let exchange = ben.phone().fetch(&ben.inbox(), &ben.id_of("Fw: news"));
    ben.ask(exchange).await;
    let body = String::from_utf8_lossy(&ben.phone().copies[0].octets).into_owned();
    assert!(body.contains("The body of news."), "{body}");
}

async fn said(phone: &mut Handset, exchange: &Exchange) -> Status {
    let answer = phone.driver.send(exchange).await.unwrap();
    match phone.driver.phone.take(exchange, &answer, Commit::All).unwrap() {
        Outcome::Sent(Some(status)) | Outcome::Refused(status) => status,
        other => panic!("it was sent: {other:?}"),
    }
}

/// Waits, as phones do, until a mail is there.
async fn arrives(phone: &mut Handset, subject: &str) {
    loop {
        phone.catch_up().await;
        if phone.holds(subject) {
            return;
        }
        phone.ping(super::town::LONG_S).await;
    }
}
