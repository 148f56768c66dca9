//! Automatic replies: to people, once, and never about what was recalled.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;
use crate::database::Tx;
use crate::delivery::postman::Origin;
use crate::directory::{self, Away, AwayText, AwayWhen};

/// What left through the relay: envelope sender, recipient, octets.
type Left = Arc<Mutex<Vec<(String, String, String)>>>;

struct Rig {
    house: House,
    postman: Postman,
    outbox: Outbox,
    left: Left,
}

async fn rig() -> Rig {
    rig_with(|_, _, _, _| Ok(false)).await
}

async fn rig_with(covers: Covers) -> Rig {
    let house = House::new().await;
    let postman = postman(&house).answering(&["Own.example".to_owned()], covers);
    let left: Left = Arc::default();
    let seen = left.clone();
    let hand: Hand = Arc::new(move |sender, recipients, raw| {
        let text = String::from_utf8(raw.to_vec()).unwrap();
        for recipient in recipients {
            seen.lock().push((sender.to_owned(), recipient.clone(), text.clone()));
        }
        vec![Offer::Taken("250 2.0.0 ok".to_owned()); recipients.len()]
    });
    let relay = Some(Relay::by_hand(hand));
    let outbox = Outbox::new(postman.clone(), relay, OutboxSettings::default());
    let rig = Rig { house, postman, outbox, left };
    rig.leaves(AwayWhen::Always).await;
    rig
}

impl Rig {
    /// Ann goes away, with a text for each audience.
    async fn leaves(&self, when: AwayWhen) {
        let text = |words: &str| AwayText {
            is_enabled: true,
            text: Some(words.to_owned()),
            is_html: words.starts_with('<'),
        };
        let texts = [text("To ours"), text("<p>To <b>friends</b></p>"), text("To strangers")];
        let away = Away { when, texts, ..Away::default() };
        self.sets(away).await;
    }

    async fn sets(&self, away: Away) {
        let now = self.house.clock.now();
        let job = move |tx: &Tx<'_>| directory::set_away(tx, ANN, &away, now);
        self.house.store.database().write(job).await.unwrap();
    }

    /// A mail for Ann comes in from this envelope sender.
    async fn comes(&self, sender: &str, subject: &str) {
        self.comes_as(sender, subject, "To: ann@a.example\r\n").await;
    }

    async fn comes_as(&self, sender: &str, subject: &str, fields: &str) {
        let ann = self.house.directory.user(ANN).await.unwrap();
        let raw = format!(
            "Message-ID: <{subject}@x.example>\r\nFrom: <{sender}>\r\n{fields}\
             Subject: {subject}\r\n\r\nHello\r\n"
        );
        let origin = Origin { sender: sender.to_owned(), received: None };
        self.postman.deliver(&ann, "ann@a.example", raw.as_bytes(), &origin).await.unwrap();
    }

    /// Who has been answered since the last time, and what.
    async fn answers(&self) -> Vec<(String, String)> {
        self.outbox.run_due().await.unwrap();
        let left = std::mem::take(&mut *self.left.lock());
        left.into_iter()
            .map(|(from, to, text)| {
                assert_eq!(from, "", "the return path is null");
                (to, text)
            })
            .collect()
    }
}

#[tokio::test]
async fn a_stranger_is_answered_as_rfc_3834_says() {
    let rig = rig().await;
    rig.comes("eve@x.example", "lunch").await;
    let answers = rig.answers().await;
    let [(to, text)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(to, "eve@x.example");
    for line in [
        "Auto-Submitted: auto-replied\r\n",
        "In-Reply-To: <lunch@x.example>\r\n",
        "References: <lunch@x.example>\r\n",
        "Subject: Automatic reply: lunch\r\n",
        "To: <eve@x.example>\r\n",
        "To strangers",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.contains("<ann@a.example>\r\n") && !text.contains("Hello"), "{text}");
    assert!(!crate::delivery::lines::has_bare_line_end(text.as_bytes()));
}

#[tokio::test]
async fn a_sender_is_answered_once_a_week_and_again_in_the_next_absence() {
    let rig = rig().await;
    rig.comes("eve@x.example", "1").await;
    rig.comes("EVE@x.example", "2").await;
    rig.comes("mallory@x.example", "3").await;
    let told: Vec<String> = rig.answers().await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(told, ["eve@x.example", "mallory@x.example"]);
    rig.house.clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
    rig.comes("eve@x.example", "4").await;
    assert_eq!(rig.answers().await.len(), 1, "a week later she may have forgotten");
    rig.comes("eve@x.example", "5").await;
    assert!(rig.answers().await.is_empty());
    rig.leaves(AwayWhen::Never).await;
    rig.comes("eve@x.example", "6").await;
    assert!(rig.answers().await.is_empty(), "Ann is there");
    rig.house.clock.advance(Duration::from_secs(60));
    rig.leaves(AwayWhen::Always).await;
    rig.comes("eve@x.example", "7").await;
    assert_eq!(rig.answers().await.len(), 1, "another absence");
}

#[tokio::test]
async fn each_audience_has_its_text() {
    let rig = rig().await;
    let raw = mail("out");
    let submission = Submission {
        user: ANN,
        client: None,
        sender: "ann@a.example".into(),
        raw,
        recipients: vec!["Friend@x.example".into()],
        save_in_sent: false,
        judge: None,
    };
    rig.outbox.submit(submission).await.unwrap();
    rig.outbox.run_due().await.unwrap();
    rig.left.lock().clear();
    rig.comes("boss@own.example", "1").await;
    rig.comes("friend@x.example", "2").await;
    rig.comes("eve@x.example", "3").await;
    let answers = rig.answers().await;
    let texts = ["To ours", "To <b>friends</b>", "To strangers"];
    for ((_, answer), text) in answers.iter().zip(texts) {
        assert!(answer.contains(text), "{answer}");
    }
    assert!(answers[1].1.contains("multipart/alternative"), "HTML comes with its text");
    // Bob has an account here; his answer lies in his Inbox, and his being away answers nothing.
    rig.comes("bob@a.example", "4").await;
    assert!(rig.answers().await.is_empty());
    let bobs = inbox(&rig.house, BOB).await;
    assert_eq!(bobs.len(), 1);
    assert!(bobs[0].starts_with("Return-Path: <>\r\n") && bobs[0].contains("To ours"));
}

#[tokio::test]
async fn who_was_not_written_to_or_has_nothing_to_say_does_not_answer() {
    let rig = rig().await;
    rig.comes_as("eve@x.example", "1", "To: all@x.example\r\n").await;
    rig.comes_as("eve@x.example", "2", "To: ann@a.example\r\nList-Id: <l.x>\r\n").await;
    rig.comes("", "3").await;
    rig.comes("ann@a.example", "4").await;
    assert!(rig.answers().await.is_empty());
    rig.comes_as("eve@x.example", "5", "To: all@x.example\r\nCc: Ann <ANN@a.example>\r\n").await;
    assert_eq!(rig.answers().await.len(), 1);
    let silent = Away { when: AwayWhen::Always, ..Away::default() };
    rig.sets(silent).await;
    rig.comes("mallory@x.example", "6").await;
    assert!(rig.answers().await.is_empty(), "no text for strangers");
}

#[tokio::test]
async fn a_timed_absence_begins_and_ends() {
    let rig = rig().await;
    let now = rig.house.clock.now();
    let hour = Duration::from_secs(60 * 60);
    rig.leaves(AwayWhen::Between(now.after(hour), now.after(2 * hour))).await;
    rig.comes("a@x.example", "1").await;
    assert!(rig.answers().await.is_empty());
    rig.house.clock.advance(hour);
    rig.comes("b@x.example", "2").await;
    assert_eq!(rig.answers().await.len(), 1);
    rig.house.clock.advance(hour);
    rig.comes("c@x.example", "3").await;
    assert!(rig.answers().await.is_empty());
}

#[tokio::test]
async fn a_recalled_message_is_not_answered() {
    let rig = rig_with(|_, _, _, _| Ok(true)).await;
    rig.comes("eve@x.example", "secret").await;
    assert!(rig.answers().await.is_empty());
    // Its order comes between the arrival and the answer.
    let Rig { house, .. } = rig;
    let plain = postman(&house);
    let strict = plain.clone().answering(&[], |_, _, _, _| Ok(true));
    let outbox = Outbox::new(strict, None, OutboxSettings::default());
    let ann = house.directory.user(ANN).await.unwrap();
    let raw = b"To: ann@a.example\r\nSubject: s\r\n\r\nHello\r\n";
    let origin = Origin { sender: "mallory@x.example".to_owned(), received: None };
    plain.deliver(&ann, "ann@a.example", raw, &origin).await.unwrap();
    outbox.run_due().await.unwrap();
    assert_eq!(outbox.counts().await.unwrap().waiting, 0);
    Outbox::new(plain, None, OutboxSettings::default()).run_due().await.unwrap();
    assert!(inbox(&house, ANN).await.iter().all(|mail| !mail.contains("Automatic reply")));
}

/// An answer that cannot be delivered is nobody's business: no note about it comes to Ann.
#[tokio::test]
async fn an_answer_that_fails_is_forgotten() {
    let rig = rig().await;
    rig.comes("eve@x.example", "1").await;
    let outbox = Outbox::new(rig.postman.clone(), None, OutboxSettings::default());
    outbox.run_due().await.unwrap();
    assert_eq!(inbox(&rig.house, ANN).await.len(), 1);
    assert_eq!(outbox.counts().await.unwrap().waiting, 0);
}

/// Whose reply cannot be made now waits for the next time, and keeps nobody behind it from theirs.
#[tokio::test]
async fn one_automatic_reply_that_fails_holds_up_none_behind_it() {
    static FIRST: std::sync::OnceLock<crate::ids::IdentityId> = std::sync::OnceLock::new();
    let rig = rig().await;
    rig.comes("first@x.example", "1").await;
    for number in 2..40 {
        rig.comes(&format!("p{number}@x.example"), &number.to_string()).await;
    }
    let failing = rig.postman.clone().answering(&[], |_, identity, _, _| {
        let first = *FIRST.get_or_init(|| identity);
        if identity == first { Err(crate::database::Error::Busy) } else { Ok(false) }
    });
    let outbox = Outbox::new(failing, None, OutboxSettings::default());
    outbox.answer_for_the_absent().await;
    assert_eq!(outbox.counts().await.unwrap().waiting, 38);
    let answered: Vec<String> = rig.answers().await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(answered.len(), 39, "it was still owed, and is answered once that can be done");
    assert!(answered.contains(&"first@x.example".to_owned()));
}
