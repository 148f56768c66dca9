//! Mail on its way out, through relays good and bad.

use std::sync::Arc;
use std::time::Duration;

use super::relay::{FakeRelay, Manners};
use super::*;
use crate::clock::Timestamp;
use crate::database::Error;
use crate::delivery::tables;
use crate::ids::{DeviceId, IdentityId};
use crate::message::Identity;
use crate::params;

struct Rig {
    house: House,
    relay: FakeRelay,
    outbox: Outbox,
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn rig() -> Rig {
    let (house, relay) = (House::new().await, FakeRelay::start().await);
    let settings = RelaySettings {
        command_timeout: Duration::from_millis(300),
        data_timeout: Duration::from_millis(300),
        ..RelaySettings::new("127.0.0.1", relay.port, Security::Plain)
    };
    let outbox =
        Outbox::new(postman(&house), Some(Relay::new(settings)), OutboxSettings::default());
    Rig { house, relay, outbox }
}

impl Rig {
    async fn sends(&self, id: &str, recipients: &[&str]) -> OutboxId {
        let submitted = self.outbox.submit(submission(id, recipients)).await.unwrap();
        self.outbox.run_due().await.unwrap();
        submitted.outbox
    }

    async fn later(&self, by: Duration) {
        self.house.clock.advance(by);
        self.outbox.run_due().await.unwrap();
    }

    async fn states(&self, mail: OutboxId) -> Vec<String> {
        let states = self.outbox.states(mail).await.unwrap();
        states.into_iter().map(|to| format!("{} {}", to.recipient, to.state)).collect()
    }

    fn bodies(&self) -> usize {
        self.house.store.bodies().hashes().unwrap().len()
    }
}

#[tokio::test]
async fn a_mail_reaches_one_of_ours_and_one_abroad() {
    let rig = rig().await;
    let id = rig.sends("m", &["Bob@A.example", "eve@x.example", "EVE@x.example"]).await;
    assert_eq!(rig.states(id).await, ["Bob@A.example delivered", "eve@x.example relayed"]);
    let seen = rig.relay.saw();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].from, "MAIL FROM:<ann@a.example>");
    assert_eq!(seen[0].to, ["RCPT TO:<eve@x.example>"]);
    assert_eq!(seen[0].data.as_bytes(), mail("m"), "to the last octet");
    let bobs = inbox(&rig.house, BOB).await;
    assert!(bobs[0].starts_with("Return-Path: <ann@a.example>\r\nDelivered-To: Bob@A.example\r\n"));
    let sent = lying_in(&rig.house, ANN, 4).await;
    assert_eq!(sent[0].as_bytes(), mail("m"));
    let same = Identity::of_raw(bobs[0].as_bytes());
    assert!(Identity::of_raw(sent[0].as_bytes()).is_verified_copy_of(&same));
    assert_eq!(rig.outbox.run_due().await.unwrap(), None, "nothing is left to do");
    assert_eq!(rig.bodies(), 2, "the copies in Sent Items and in Bob's Inbox");
}

#[tokio::test]
async fn a_repeated_client_id_is_told_the_first_result() {
    let rig = rig().await;
    let key = |id: &str| Some(ClientKey::new(DeviceId(7), id));
    let send = async |client| {
        let wanted = Submission { client, ..submission("m", &["eve@x.example"]) };
        rig.outbox.submit(wanted).await.unwrap()
    };
    let (one, two) = tokio::join!(send(key("c1")), send(key("c1")));
    assert_ne!(one.repeated, two.repeated, "twins are one");
    rig.outbox.run_due().await.unwrap();
    let again = send(key("c1")).await;
    assert!(again.repeated && again.outbox == one.outbox && again.sent == one.sent);
    assert!(!send(key("c2")).await.repeated);
    rig.house.clock.advance(13 * DAY);
    assert!(send(key("c1")).await.repeated);
    rig.house.clock.advance(DAY);
    assert!(!send(key("c1")).await.repeated);
    let content = || Some(ClientKey::of_content(DeviceId(7), [1; 32], false));
    assert!(!send(content()).await.repeated && send(content()).await.repeated);
    rig.house.clock.advance(DAY);
    assert!(!send(content()).await.repeated);
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.relay.saw().len(), 5);
}

#[tokio::test]
async fn not_now_is_tried_again_with_growing_patience() {
    let rig = rig().await;
    rig.relay.behaves(Manners { to_mail: Some("451 4.7.1 greylisted"), ..Manners::default() });
    let id = rig.sends("m", &["eve@x.example"]).await;
    rig.outbox.run_due().await.unwrap();
    let state = rig.outbox.states(id).await.unwrap().remove(0);
    assert_eq!((state.state.as_str(), state.maybe_twice), ("waiting", 0));
    assert!(state.reply.unwrap().contains("greylisted"));
    rig.relay.behaves(Manners::default());
    rig.later(MINUTE - Duration::from_secs(1)).await;
    assert!(rig.relay.saw().is_empty());
    rig.later(Duration::from_secs(1)).await;
    assert_eq!(rig.states(id).await, ["eve@x.example relayed"]);
    assert!(inbox(&rig.house, ANN).await.is_empty());
}

#[tokio::test]
async fn refused_recipients_come_back_as_a_note() {
    let rig = rig().await;
    let to_rcpt = vec![("gone", "550 5.1.1 no such user here"), ("slow", "450 4.2.0 busy")];
    rig.relay.behaves(Manners { to_rcpt, ..Manners::default() });
    let id = rig.sends("m", &["eve@x.example", "gone@x.example", "slow@x.example"]).await;
    let wanted = ["eve@x.example relayed", "gone@x.example failed", "slow@x.example waiting"];
    assert_eq!(rig.states(id).await, wanted);
    let notes = inbox(&rig.house, ANN).await;
    assert!(notes.len() == 1 && notes[0].starts_with("Return-Path: <>\r\n"));
    assert!(notes[0].contains("Final-Recipient: rfc822; gone@x.example\r\n"));
    assert!(notes[0].contains("Status: 5.1.1\r\n") && notes[0].contains("no such user here"));
    assert!(!notes[0].contains("eve@x.example") && notes[0].contains("Subject: m\r\n"));
    rig.relay.behaves(Manners::default());
    rig.later(MINUTE).await;
    assert_eq!(rig.states(id).await[2], "slow@x.example relayed");
    assert_eq!(rig.relay.saw()[1].to, ["RCPT TO:<slow@x.example>"]);
    assert_eq!(inbox(&rig.house, ANN).await.len(), 1);
}

#[tokio::test]
async fn a_relay_that_never_greets_holds_nobody_up() {
    let rig = rig().await;
    rig.relay.behaves(Manners { never_greets: true, ..Manners::default() });
    let id = rig.sends("m", &["eve@x.example", "bob@a.example"]).await;
    assert_eq!(rig.states(id).await, ["bob@a.example delivered", "eve@x.example waiting"]);
    assert_eq!(rig.outbox.counts().await.unwrap(), OutboxCounts { waiting: 1, maybe_twice: 0 });
}

#[tokio::test]
async fn a_lost_answer_means_again_with_the_same_message_id_and_is_counted() {
    let rig = rig().await;
    rig.relay.behaves(Manners { drops_after_data: true, ..Manners::default() });
    let id = rig.sends("m", &["eve@x.example"]).await;
    assert_eq!(rig.states(id).await, ["eve@x.example waiting"]);
    rig.relay.behaves(Manners::default());
    rig.later(MINUTE).await;
    let seen = rig.relay.saw();
    assert!(seen.len() == 2 && seen[0] == seen[1], "the same mail twice");
    assert_eq!(rig.states(id).await, ["eve@x.example relayed"]);
    assert_eq!(rig.outbox.counts().await.unwrap(), OutboxCounts { waiting: 0, maybe_twice: 1 });
}

#[tokio::test]
async fn a_final_no_after_the_data_is_a_no() {
    let rig = rig().await;
    rig.relay.behaves(Manners { to_data: Some("554 5.7.1 spam"), ..Manners::default() });
    let id = rig.sends("m", &["eve@x.example"]).await;
    assert_eq!(rig.states(id).await, ["eve@x.example failed"]);
    assert!(inbox(&rig.house, ANN).await[0].contains("Status: 5.7.1\r\n"));
    assert_eq!(rig.bodies(), 2, "Sent Items and the note");
}

#[tokio::test]
async fn what_was_being_offered_at_a_crash_goes_out_again_and_is_counted() {
    let rig = rig().await;
    let id = rig.outbox.submit(submission("m", &["eve@x.example"])).await.unwrap().outbox;
    let now = rig.house.clock.now();
    let database = rig.house.store.database().clone();
    let offered = database
        .write(move |tx| tx.execute(tables::SET_OFFERED, params![id.0, "eve@x.example", now]));
    assert_eq!(offered.await, Ok::<usize, Error>(1));
    assert_eq!(rig.outbox.recover().await.unwrap(), 1);
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.states(id).await, ["eve@x.example relayed"]);
    assert_eq!(rig.outbox.counts().await.unwrap().maybe_twice, 1);
    assert_eq!(rig.outbox.recover().await.unwrap(), 0);
}

#[tokio::test]
async fn after_two_days_it_is_given_up() {
    let rig = rig().await;
    rig.relay.behaves(Manners { to_mail: Some("421 4.3.2 away"), ..Manners::default() });
    let id = rig.sends("m", &["eve@x.example"]).await;
    rig.later(DAY).await;
    assert_eq!(rig.states(id).await, ["eve@x.example waiting"]);
    rig.later(DAY).await;
    assert_eq!(rig.states(id).await, ["eve@x.example failed"]);
    assert!(inbox(&rig.house, ANN).await[0].contains("Status: 4.4.7\r\n"));
    rig.later(31 * DAY).await;
    assert!(rig.states(id).await.is_empty(), "old records go");
}

#[tokio::test]
async fn without_a_relay_only_our_own_are_reached() {
    let house = House::new().await;
    let outbox = Outbox::new(postman(&house), None, OutboxSettings::default());
    outbox.submit(submission("m", &["bob@a.example", "eve@x.example"])).await.unwrap();
    outbox.run_due().await.unwrap();
    assert_eq!(inbox(&house, BOB).await.len(), 1);
    assert!(inbox(&house, ANN).await[0].contains("Status: 5.4.4\r\n"));
}

#[tokio::test]
async fn a_full_mailbox_waits_and_a_disabled_one_refuses() {
    let rig = rig().await;
    let store: &dyn Mailbox = &rig.house.store;
    let mailbox = store.mailbox_of(BOB).await.unwrap();
    rig.house.store.set_quota(mailbox, Some(10)).await.unwrap();
    let id = rig.sends("m", &["bob@a.example"]).await;
    assert_eq!(rig.states(id).await, ["bob@a.example waiting"]);
    rig.house.store.set_quota(mailbox, None).await.unwrap();
    rig.later(MINUTE).await;
    assert_eq!(rig.states(id).await, ["bob@a.example delivered"]);
    rig.house.directory.set_disabled(BOB, true).await.unwrap();
    let id = rig.sends("n", &["bob@a.example"]).await;
    assert_eq!(rig.states(id).await, ["bob@a.example failed"]);
}

#[tokio::test]
async fn a_sender_without_room_for_the_note_does_not_send_twice() {
    let rig = rig().await;
    let to_rcpt = vec![("gone", "550 5.1.1 no such user here")];
    rig.relay.behaves(Manners { to_rcpt, ..Manners::default() });
    rig.outbox.submit(submission("m", &["eve@x.example", "gone@x.example"])).await.unwrap();
    rig.house.store.set_quota(crate::ids::MailboxId(1), Some(10)).await.unwrap();
    rig.outbox.run_due().await.unwrap();
    rig.later(DAY).await;
    assert_eq!(rig.relay.saw().len(), 1);
}

#[tokio::test]
async fn a_mail_taken_back_in_time_does_not_leave() {
    let rig = rig().await;
    let submitted = rig.outbox.submit(submission("m", &["eve@x.example", "bob@a.example"]));
    let id = submitted.await.unwrap().outbox;
    let (store, now) = (rig.house.store.clone(), rig.house.clock.now());
    let database = store.database().clone();
    let taken_back = database.write(move |tx| {
        let identity = crate::message::registered(tx, &Identity::of_raw(&mail("m")))?;
        withdraw(tx, &store, identity.expect("it is known since it was submitted"), now)
    });
    assert_eq!(taken_back.await, Ok(2));
    rig.outbox.run_due().await.unwrap();
    assert!(rig.relay.saw().is_empty() && inbox(&rig.house, BOB).await.is_empty());
    assert_eq!(rig.states(id).await, ["bob@a.example withdrawn", "eve@x.example withdrawn"]);
    assert_eq!(rig.bodies(), 1, "the copy in Sent Items");
}

/// Runs in a transaction with the identity of the mail `m`.
async fn about_m<T: Send + 'static>(
    rig: &Rig,
    job: impl Fn(&crate::database::Tx<'_>, IdentityId, Timestamp) -> Result<T, Error> + Send + 'static,
) -> T {
    let (database, now) = (rig.house.store.database().clone(), rig.house.clock.now());
    let done = database.write(move |tx| {
        let identity = crate::message::registered(tx, &Identity::of_raw(&mail("m")))?;
        job(tx, identity.expect("it is known since it was submitted"), now)
    });
    done.await.unwrap()
}

#[tokio::test]
async fn a_mail_taken_back_leaves_after_all_when_the_order_is_cancelled() {
    let rig = rig().await;
    let unsaved =
        Submission { save_in_sent: false, ..submission("m", &["eve@x.example", "bob@a.example"]) };
    let id = rig.outbox.submit(unsaved).await.unwrap().outbox;
    let store = rig.house.store.clone();
    about_m(&rig, move |tx, identity, now| withdraw(tx, &store, identity, now)).await;
    rig.later(40 * DAY).await;
    assert!(rig.relay.saw().is_empty());
    assert_eq!(about_m(&rig, resume).await, 2);
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.states(id).await, ["bob@a.example delivered", "eve@x.example relayed"]);
    assert_eq!(rig.relay.saw().len(), 1);
    assert_eq!(about_m(&rig, resume).await, 0, "once");
    assert_eq!(rig.bodies(), 1, "Bob's copy");
}

/// The relay was asked when the recall came, and said "not now": that was the last time.
#[tokio::test]
async fn a_mail_taken_back_while_it_was_offered_is_not_offered_again() {
    let rig = rig().await;
    rig.relay.behaves(Manners { to_mail: Some("451 4.7.1 greylisted"), ..Manners::default() });
    let id = rig.sends("m", &["eve@x.example"]).await;
    let offered = |tx: &crate::database::Tx<'_>, _, _| {
        tx.execute("UPDATE outbox_recipients SET state = 'offered'", params![]).map(drop)
    };
    about_m(&rig, offered).await;
    let store = rig.house.store.clone();
    let taken = about_m(&rig, move |tx, identity, now| withdraw(tx, &store, identity, now)).await;
    assert_eq!(taken, 0, "it may have left");
    rig.relay.behaves(Manners::default());
    rig.outbox.recover().await.unwrap();
    rig.later(DAY).await;
    assert_eq!(rig.states(id).await, ["eve@x.example withdrawn"]);
    assert!(rig.relay.saw().is_empty());
    assert_eq!(rig.outbox.states(id).await.unwrap()[0].maybe_twice, 1, "and nobody knows");
}

/// The clock was a month ahead when the mail was put off, and has been set right.
#[tokio::test]
async fn a_mail_does_not_wait_for_a_clock_that_was_ahead() {
    let rig = rig().await;
    rig.relay.behaves(Manners { to_mail: Some("451 4.7.1 greylisted"), ..Manners::default() });
    let id = rig.sends("m", &["eve@x.example"]).await;
    let ahead = |tx: &crate::database::Tx<'_>, _, now: Timestamp| {
        let sql = "UPDATE outbox SET next_try_at = ?1, submitted_at = ?1";
        tx.execute(sql, params![now.after(30 * DAY)]).map(drop)
    };
    about_m(&rig, ahead).await;
    rig.relay.behaves(Manners::default());
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.states(id).await, ["eve@x.example relayed"]);
}

#[tokio::test]
async fn the_worker_wakes_when_mail_comes() {
    let rig = rig().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let worker = tokio::spawn(rig.outbox.clone().run(stopped));
    rig.outbox.submit(submission("m", &["eve@x.example"])).await.unwrap();
    rig.relay.saw.notified().await;
    stop.send(true).unwrap();
    worker.await.unwrap();
    assert_eq!(rig.relay.saw().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_at_once() {
    let rig = rig().await;
    let nobody = rig.outbox.submit(submission("m", &[" "])).await;
    assert!(matches!(nobody, Err(SubmitError::NoRecipients)));
    let all: Vec<String> = (0..=RECIPIENTS_MAX).map(|n| format!("u{n}@x.example")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let many = rig.outbox.submit(submission("m", &all)).await;
    assert!(matches!(many, Err(SubmitError::TooManyRecipients)));
    let raw = Bytes::from_static(b"Subject: x\n\nbare");
    let bare = Submission { raw, ..submission("m", &["eve@x.example"]) };
    let bare = rig.outbox.submit(bare).await;
    assert!(matches!(bare, Err(SubmitError::BareLineEnd)));
    assert_eq!(rig.bodies(), 0);
    let id = rig.sends("m", &["no address", "eve@x.example"]).await;
    assert_eq!(rig.states(id).await, ["eve@x.example relayed", "no address failed"]);
}

#[tokio::test]
async fn a_hundred_and_one_are_offered_in_two_mails() {
    let rig = rig().await;
    let all: Vec<String> = (0..101).map(|n| format!("u{n}@x.example")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    rig.sends("m", &all).await;
    let sizes: Vec<usize> = rig.relay.saw().iter().map(|seen| seen.to.len()).collect();
    assert_eq!(sizes, [100, 1]);
}

#[tokio::test]
async fn the_way_to_the_relay_is_protected() {
    let (relay, authority) = FakeRelay::start_tls().await;
    let over_tls = RelaySettings {
        login: Login::Service(word("secret word")),
        authority_pem: Some(authority),
        ..RelaySettings::new("localhost", relay.port, Security::Tls)
    };
    let send = async |settings: &RelaySettings| {
        let to = ["eve@x.example".to_owned()];
        let relay = Relay::new(settings.clone());
        relay.offer(None, "ann@a.example", &to, &mail("m")).await.remove(0)
    };
    assert_eq!(send(&over_tls).await, Offer::Taken("2.0.0 taken".into()));
    let wrong = RelaySettings { login: Login::Service(word("other word")), ..over_tls.clone() };
    assert!(matches!(send(&wrong).await, Offer::NotSignedIn(why) if why.contains("5.7.8")));
    let unknown = RelaySettings { authority_pem: None, ..over_tls.clone() };
    assert!(matches!(send(&unknown).await, Offer::Later(_)), "nobody vouches for it");
    let plain = FakeRelay::start().await;
    let stripped =
        RelaySettings { port: plain.port, security: Security::StartTls, ..over_tls.clone() };
    assert!(matches!(send(&stripped).await, Offer::Later(_)), "STARTTLS was taken out");
    assert!(plain.saw().is_empty() && relay.saw().len() == 1);
}

#[tokio::test]
async fn a_mail_whose_recall_came_first_does_not_leave() {
    let rig = rig().await;
    let outbox = rig.outbox.clone().withheld_by(|_, _, _| Ok(true));
    let rig = Rig { outbox, ..rig };
    let id = rig.sends("m", &["bob@a.example", "eve@x.example"]).await;
    assert_eq!(rig.states(id).await, ["bob@a.example delivered", "eve@x.example withdrawn"]);
    assert!(rig.relay.saw().is_empty());
    assert_eq!(rig.outbox.counts().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn a_mail_whose_recall_came_first_leaves_when_the_order_is_cancelled() {
    let rig = rig().await;
    let outbox = rig.outbox.clone().withheld_by(|_, _, _| Ok(true));
    let unsaved = Submission { save_in_sent: false, ..submission("m", &["eve@x.example"]) };
    let id = outbox.submit(unsaved).await.unwrap().outbox;
    outbox.run_due().await.unwrap();
    assert_eq!(rig.states(id).await, ["eve@x.example withdrawn"]);
    assert_eq!(about_m(&rig, resume).await, 1);
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.states(id).await, ["eve@x.example relayed"]);
}

/// The relay took it while the recall was written: there is nothing left to send after all.
#[tokio::test]
async fn a_mail_that_left_before_its_recall_is_over_when_the_order_is_cancelled() {
    let rig = rig().await;
    let (store, now) = (rig.house.store.clone(), rig.house.clock.now());
    let hand: Hand = Arc::new(move |_, recipients, _| {
        let within = store.clone();
        let recall = move |tx: &crate::database::Tx<'_>| {
            let identity = crate::message::registered(tx, &Identity::of_raw(&mail("m")))?;
            withdraw(tx, &within, identity.expect("it is known since it was submitted"), now)
        };
        let withdrawn: Result<usize, Error> = store.database().write_blocking(recall);
        assert_eq!(withdrawn.unwrap(), 0, "it is being offered");
        vec![Offer::Taken("250 2.0.0 ok".to_owned()); recipients.len()]
    });
    let relay = Some(Relay::by_hand(hand));
    let outbox = Outbox::new(postman(&rig.house), relay, OutboxSettings::default());
    let unsaved = Submission { save_in_sent: false, ..submission("m", &["eve@x.example"]) };
    let id = outbox.submit(unsaved).await.unwrap().outbox;
    outbox.run_due().await.unwrap();
    assert_eq!(rig.states(id).await, ["eve@x.example relayed"]);
    assert_eq!((rig.bodies(), outbox.counts().await.unwrap().waiting), (0, 0));
    assert_eq!(about_m(&rig, resume).await, 0);
    outbox.run_due().await.unwrap();
    assert_eq!(outbox.counts().await.unwrap().waiting, 0, "nobody goes after it for ever");
}

#[tokio::test]
async fn a_mail_held_for_review_waits_for_it_also_after_a_recall_that_was_cancelled() {
    let rig = rig().await;
    let hold = Hold { order: crate::ids::OrderId(1), why: "file" };
    let judge = Some(Judge::new(move |_| Ok(Judged::Held(hold.clone()))));
    let held = Submission { judge, ..submission("m", &["eve@x.example"]) };
    let id = rig.outbox.submit(held).await.unwrap().outbox;
    let store = rig.house.store.clone();
    about_m(&rig, move |tx, identity, now| withdraw(tx, &store, identity, now)).await;
    assert!(rig.outbox.held().await.unwrap().is_empty());
    about_m(&rig, resume).await;
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.states(id).await, ["eve@x.example waiting"]);
    assert_eq!(rig.outbox.held().await.unwrap().len(), 1);
    assert!(rig.outbox.release(id, "root").await.unwrap());
    let store = rig.house.store.clone();
    about_m(&rig, move |tx, identity, now| withdraw(tx, &store, identity, now)).await;
    about_m(&rig, resume).await;
    rig.outbox.run_due().await.unwrap();
    assert_eq!(rig.states(id).await, ["eve@x.example relayed"], "it was released before");
}
