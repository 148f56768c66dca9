//! LMTP over real sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::message::Identity;

struct Rig {
    house: House,
    port: u16,
}

async fn rig_with(settings: LmtpSettings) -> Rig {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(Lmtp::new(postman(&house), settings).serve(listener));
    Rig { house, port }
}

async fn rig() -> Rig {
    rig_with(LmtpSettings::default()).await
}

impl Rig {
    /// Says everything at once and listens until the server closes.
    async fn says(&self, said: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        heard.lines().map(str::to_owned).collect()
    }

    /// Hands in one mail for these recipients; gives the replies after 354.
    async fn hands_in(&self, recipients: &[&str], data: &str) -> Vec<String> {
        let mut said = "LHLO c\r\nMAIL FROM:<eve@x.example>\r\n".to_owned();
        for recipient in recipients {
            said += &format!("RCPT TO:<{recipient}>\r\n");
        }
        let heard = self.says(&format!("{said}DATA\r\n{data}\r\n.\r\nQUIT\r\n")).await;
        let after = heard.iter().position(|line| line.starts_with("354")).expect("354");
        heard[after + 1..].to_vec()
    }
}

const MAIL: &str = "Message-ID: <m@x.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
                    From: eve@x.example\r\nSubject: hi\r\n\r\nHello";

#[tokio::test]
async fn a_mail_lands_in_the_inbox_with_its_trace() {
    let rig = rig().await;
    let heard = rig
        .says(&format!(
            "lhlo client.example\r\nMail From:<Eve@x.example> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n\
             Rcpt To:<ANN@A.example>\r\nData\r\n{MAIL}\r\n..dot\r\n...\r\n.\r\nQuit\r\n"
        ))
        .await;
    assert_eq!(heard[0], "220 mx.a.example LMTP Retract");
    for extension in ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"] {
        assert!(heard.contains(&format!("250-{extension}")), "{heard:?}");
    }
    let tail: Vec<&str> = heard[heard.len() - 5..].iter().map(|line| &line[..4]).collect();
    assert_eq!(tail, ["250 ", "250 ", "354 ", "250 ", "221 "]);
    let mails = inbox(&rig.house, ANN).await;
    let mail = &mails[0];
    assert!(mail.starts_with("Return-Path: <Eve@x.example>\r\nDelivered-To: ANN@A.example\r\n"));
    assert!(
        mail.contains("Received: from client.example ([127.0.0.1])\r\n\tby mx.a.example with LMTP")
    );
    assert!(mail.ends_with(&format!("{MAIL}\r\n.dot\r\n..\r\n")), "{mail}");
    let sent = format!("{MAIL}\r\n.dot\r\n..\r\n");
    let (there, here) = (Identity::of_raw(sent.as_bytes()), Identity::of_raw(mail.as_bytes()));
    assert!(there.is_verified_copy_of(&here), "our header does not change what it is");
}

#[tokio::test]
async fn each_recipient_hears_for_themselves() {
    let rig = rig().await;
    let quota = crate::ids::MailboxId(2);
    let store: &dyn Mailbox = &rig.house.store;
    store.mailbox_of(BOB).await.unwrap();
    rig.house.store.set_quota(quota, Some(10)).await.unwrap();
    let heard = rig.hands_in(&["ann@a.example", "bob@a.example"], MAIL).await;
    assert_eq!(heard[0], "250 2.0.0 delivered");
    assert!(heard[1].starts_with("452 4.3.1 "), "{heard:?}");
    assert_eq!(inbox(&rig.house, ANN).await.len(), 1);
    assert!(inbox(&rig.house, BOB).await.is_empty());
}

#[tokio::test]
async fn two_addresses_of_one_user_are_one_mail_and_two_replies() {
    let rig = rig().await;
    rig.house.directory.add_alias(ANN, "sales@a.example").await.unwrap();
    let heard = rig.hands_in(&["ann@a.example", "sales@a.example"], MAIL).await;
    assert!(heard[0].starts_with("250 ") && heard[1].starts_with("250 "), "{heard:?}");
    assert_eq!(inbox(&rig.house, ANN).await.len(), 1);
}

#[tokio::test]
async fn unknown_and_disabled_recipients_are_refused() {
    let rig = rig().await;
    rig.house.directory.set_disabled(BOB, true).await.unwrap();
    let heard = rig
        .says(
            "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@a.example>\r\nRCPT TO:<ann+x@a.example>\r\n\
             RCPT TO:<bob@a.example>\r\nRCPT TO:<>\r\nRCPT TO:ann\r\nDATA\r\nQUIT\r\n",
        )
        .await;
    let after = heard.iter().position(|line| line.starts_with("250 2.1.0")).unwrap();
    let starts: Vec<&str> = heard[after + 1..].iter().map(|line| &line[..9]).collect();
    assert_eq!(starts[..3], ["550 5.1.1", "550 5.1.1", "550 5.2.1"]);
    assert!(starts[3].starts_with("55") && starts[4].starts_with("501"), "{heard:?}");
    assert_eq!(starts[5..], ["503 5.5.1", "221 2.0.0"]);
}

#[tokio::test]
async fn a_full_disk_says_come_back() {
    let rig = rig().await;
    rig.house.store.bodies().set_full(true);
    let heard = rig.hands_in(&["ann@a.example"], MAIL).await;
    assert!(heard[0].starts_with("452 4.3.1 "), "{heard:?}");
    rig.house.store.bodies().set_full(false);
    let heard = rig.hands_in(&["ann@a.example"], MAIL).await;
    assert!(heard[0].starts_with("250 "), "{heard:?}");
}

#[tokio::test]
async fn too_large_is_said_before_and_after() {
    let settings = LmtpSettings { message_bytes_max: 1000, ..LmtpSettings::default() };
    let rig = rig_with(settings).await;
    let heard = rig.says("LHLO c\r\nMAIL FROM:<e@x.example> SIZE=1001\r\nQUIT\r\n").await;
    assert!(heard.iter().any(|line| line.starts_with("552 5.3.4 ")), "{heard:?}");
    let heard = rig.hands_in(&["ann@a.example"], &"x".repeat(1500)).await;
    assert!(heard[0].starts_with("552 5.3.4 ") && heard[1].starts_with("221 "), "{heard:?}");
    let heard = rig.hands_in(&["ann@a.example"], &"x".repeat(5000)).await;
    assert!(heard[0].starts_with("421 "), "{heard:?}");
    assert!(inbox(&rig.house, ANN).await.is_empty());
}

#[tokio::test]
async fn nothing_is_smuggled_behind_a_bare_line_end() {
    let rig = rig().await;
    let smuggled =
        "MAIL FROM:<ceo@a.example>\r\nRCPT TO:<bob@a.example>\r\nDATA\r\nFrom: ceo\r\n\r\npay";
    for trick in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n"] {
        let heard = rig.hands_in(&["ann@a.example"], &format!("{MAIL}{trick}{smuggled}")).await;
        assert!(heard[0].starts_with("550 5.6.0 "), "{trick:?} {heard:?}");
        assert_eq!(heard.len(), 2, "{trick:?} {heard:?}");
    }
    assert!(inbox(&rig.house, ANN).await.is_empty() && inbox(&rig.house, BOB).await.is_empty());
    for line in ["NOOP\nNOOP\r\n", "NOOP\rNOOP\r\n", "NOOP\n"] {
        let heard = rig.says(line).await;
        assert!(heard[1].starts_with("500 5.5.2 ") && heard.len() == 2, "{heard:?}");
    }
    let heard = rig.says(&"x".repeat(5000)).await;
    assert!(heard[1].starts_with("500 5.5.2 "), "{heard:?}");
}

#[tokio::test]
async fn chunks_make_one_mail() {
    let rig = rig().await;
    let (one, two) = MAIL.split_at(40);
    let heard = rig
        .says(&format!(
            "LHLO c\r\nMAIL FROM:<e@x.example>\r\nRCPT TO:<ann@a.example>\r\n\
             BDAT {}\r\n{one}BDAT {}\r\n{two}BDAT 2 LAST\r\n\r\nQUIT\r\n",
            one.len(),
            two.len()
        ))
        .await;
    assert!(heard[heard.len() - 2].starts_with("250 2.0.0 delivered"), "{heard:?}");
    assert!(inbox(&rig.house, ANN).await[0].ends_with(&format!("{MAIL}\r\n")));
    let heard = rig.says("LHLO c\r\nBDAT 5 LAST\r\nQUIT\rNOOP\r\nQUIT\r\n").await;
    let tail: Vec<&str> = heard[heard.len() - 3..].iter().map(|line| &line[..4]).collect();
    assert_ne!(tail[0], "250 ", "{heard:?}");
}

#[tokio::test]
async fn the_order_of_things_is_kept() {
    let rig = rig().await;
    let heard = rig
        .says(
            "EHLO c\r\nMAIL FROM:<e@x.example>\r\nLHLO c\r\nRCPT TO:<ann@a.example>\r\n\
             MAIL FROM:<e@x.example>\r\nMAIL FROM:<e@x.example>\r\nRSET\r\nDATA\r\nWHAT\r\n\
             STARTTLS\r\nNOOP\r\nVRFY ann\r\nMAIL FROM:<e@x.example> FOO=1\r\nQUIT\r\n",
        )
        .await;
    let codes: Vec<&str> =
        heard.iter().filter(|line| !line.starts_with("250-")).map(|line| &line[..3]).collect();
    let wanted = [
        "220", "500", "503", "250", "503", "250", "503", "250", "503", "500", "502", "250", "252",
        "555", "221",
    ];
    assert_eq!(codes, wanted, "{heard:?}");
}

#[tokio::test]
async fn strangers_and_the_silent_are_sent_away() {
    let rig = rig_with(LmtpSettings { allowed: Vec::new(), ..LmtpSettings::default() }).await;
    let heard = rig.says("").await;
    assert!(heard[0].starts_with("554 5.7.1 "), "{heard:?}");
    let impatient =
        LmtpSettings { silence_max: Duration::from_millis(20), ..LmtpSettings::default() };
    let rig = rig_with(impatient).await;
    let heard = rig.says("LHLO c\r\n").await;
    assert!(heard.last().unwrap().starts_with("421 4.4.2 "), "{heard:?}");
    let lost = "WHAT\r\n".repeat(25);
    let rig = super::lmtp::rig().await;
    let heard = rig.says(&lost).await;
    assert!(heard.last().unwrap().starts_with("421 4.7.0 "), "{heard:?}");
}

#[tokio::test]
async fn large_mails_take_turns() {
    let rig = rig_with(LmtpSettings { large_mails_max: 0, ..LmtpSettings::default() }).await;
    let large = format!("{MAIL}{}", "\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".repeat(40_000));
    let heard = rig.hands_in(&["ann@a.example"], &large).await;
    assert!(heard[0].starts_with("452 4.3.1 "), "{heard:?}");
    let heard = rig.hands_in(&["ann@a.example"], MAIL).await;
    assert!(heard[0].starts_with("250 "), "{heard:?}");
}
