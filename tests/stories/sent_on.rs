//! Mail that carries a recalled one on: a reply to it, the message attached, a file of it; and requests repeated across the fence.

use activesync_phone::activesync::command::CommandName;
use activesync_phone::activesync::status::Status;
use activesync_phone::{Commit, Exchange, Outcome, Profile};
use retract::clock::Clock;
use retract::database::Tx;
use retract::recall::{OnSend, State};

use super::town::{Handset, Town, message_id};

/// What the recalled mail carries.
const FILE: &str = "name;salary;since;until;remarks\r\nname;salary\r\nann;100\r\nben;200\r\nname;salary\r\nann;100\r\nben;200\r\nname;salary\r\nann;100\r\n\
                    ben;200\r\nname;salary\r\nann;100\r\nben;200\r\n";

/// A mail with a file, or with none.
fn letter(subject: &str, headers: &str, file: &str) -> String {
    format!(
        "From: ann@a.example\r\nTo: ben@a.example\r\nSubject: {subject}\r\n{headers}MIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n\
         --b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"list.csv\"\r\n\r\n{file}\r\n--b--\r\n"
    )
}

async fn town(on_send: OnSend) -> Town {
    let town = Town::with(Clock::system(), None, |config| config.recall.on_send = on_send).await;
    let headers = format!(
        "Message-ID: <{}>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n",
        message_id("salaries")
    );
    let raw = letter("salaries", &headers, FILE).replace("ann@a.example", "bob@b.example");
    town.post(&["ann"], &raw).await;
    town
}

async fn sends(phone: &mut Handset, raw: &str) -> Outcome {
    let client_id = phone.driver.phone.next_client_id();
    let exchange = phone.phone().send_mail(&client_id, raw.as_bytes());
    phone.ask(exchange).await
}

async fn signs(town: &Town) -> Vec<String> {
    let look = |tx: &Tx<'_>| retract::audit::entries(tx, None, 1_000, None);
    let entries = town.server.house.database.read(look).await.unwrap();
    let of = |entry: retract::audit::Entry| format!("{entry:?}");
    entries.into_iter().filter(|e| e.kind == "mail.refers_to_recalled").map(of).collect()
}

/// After a refused forward some apps send the same file as a new mail. By default it leaves, and the audit says so.
#[tokio::test]
async fn a_file_of_a_recalled_mail_is_noted() {
    let town = town(OnSend::Note).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    let order = town.recall("salaries").await;
    town.until_state(order, "ann", State::Queued).await;
    let again = letter("look at this", "", FILE);
    assert_eq!(sends(&mut ann, &again).await, Outcome::Sent(None));
    let other = letter("something else", "", &FILE.replace("100", "101"));
    assert_eq!(sends(&mut ann, &other).await, Outcome::Sent(None));
    arrives(&mut ben, "look at this").await;
    let noted = signs(&town).await;
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert!(noted[0].contains("file"), "{noted:?}");
}

#[tokio::test]
async fn by_policy_it_is_refused() {
    let town = town(OnSend::Refuse).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    town.recall("salaries").await;
    let again = letter("look at this", "", FILE);
    let reply =
        letter("Re: salaries", &format!("In-Reply-To: <{}>\r\n", message_id("salaries")), "x");
    for raw in [&again, &reply] {
        let client_id = ann.driver.phone.next_client_id();
        let exchange = ann.phone().send_mail(&client_id, raw.as_bytes());
        // The same request again is refused again.
        for _ in 0..2 {
            assert_eq!(said(&mut ann, &exchange).await, Status(120));
        }
    }
    assert_eq!(sends(&mut ann, &letter("harmless", "", "x")).await, Outcome::Sent(None));
    arrives(&mut ben, "harmless").await;
    assert_eq!(ben.subjects(), ["harmless"]);
}

#[tokio::test]
async fn by_policy_it_waits_for_somebody_to_look() {
    let town = town(OnSend::Hold).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    let order = town.recall("salaries").await;
    for subject in ["first", "second"] {
        assert_eq!(sends(&mut ann, &letter(subject, "", FILE)).await, Outcome::Sent(None));
    }
    let outbox = &town.server.house.outbox;
    let held = outbox.held().await.unwrap();
    assert_eq!(held.len(), 2);
    assert_eq!((held[0].order, held[0].why.as_deref()), (Some(order), Some("file")));
    assert_eq!(held[0].recipients, ["ben@a.example"]);
    let id = |at: usize| retract::delivery::OutboxId(held[at].id);
    assert!(outbox.release(id(0), "root").await.unwrap());
    assert!(outbox.refuse(id(1), "root").await.unwrap());
    assert!(!outbox.release(id(1), "root").await.unwrap(), "decided is decided");
    arrives(&mut ben, "first").await;
    arrives(&mut ann, "Your message could not be delivered").await;
    assert_eq!(ben.subjects(), ["first"]);
    assert!(outbox.held().await.unwrap().is_empty());
}

/// The reply was taken, its answer lost, the source recalled: the phone asks again and is told what it was told before.
#[tokio::test]
async fn a_reply_sent_before_the_fence_is_told_the_same_after_it() {
    let town = town(OnSend::Refuse).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    for command in [CommandName::SmartReply, CommandName::SmartForward] {
        let (inbox, id) = (ann.inbox(), ann.id_of("salaries"));
        let subject = command.as_str();
        let client_id = ann.driver.phone.next_client_id();
        let letter = letter(subject, "", "x");
        let exchange = ann.phone().smart(command, &client_id, (&inbox, &id), letter.as_bytes());
        let lost = ann.driver.send(&exchange).await.unwrap();
        assert_eq!((lost.status, lost.body.len()), (200, 0));
        ann.driver.hang_up();
        let order = town.recall("salaries").await;
        assert_eq!(ann.ask(exchange).await, Outcome::Sent(None));
        arrives(&mut ben, subject).await;
        // A new one is refused.
        let client_id = ann.driver.phone.next_client_id();
        let exchange = ann.phone().smart(command, &client_id, (&inbox, &id), letter.as_bytes());
        assert!(matches!(said(&mut ann, &exchange).await, Status(117 | 172)));
        town.server.house.recall.cancel(order, super::town::admin()).await.unwrap();
        town.server.house.recall.work_off().await.unwrap();
        ann.catch_up().await;
    }
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
