//! An invitation comes by mail and is answered on the phone: its sender hears of it, once, whatever the line does.

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::meeting_response::{Response, UserResponse};
use activesync_phone::activesync::version::ProtocolVersion;
use activesync_phone::{Outcome, Profile};

use super::post::World;
use super::town::{Handset, Town, folder};

fn invitation(name: &str) -> String {
    format!(
        "From: Bob <bob@b.example>\r\nTo: ann@a.example\r\nSubject: {name}\r\n\
         Message-ID: <{name}@b.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n\
         BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:{name}@b.example\r\nSEQUENCE:1\r\n\
         DTSTAMP:20261124T080000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\n\
         ORGANIZER:mailto:bob@b.example\r\nATTENDEE;RSVP=TRUE:mailto:ann@a.example\r\n\
         SUMMARY:{name}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

#[tokio::test]
async fn the_organiser_hears_it_once_although_the_answer_was_lost() {
    let world = World::open().await;
    let town = Town::open_to(&world).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    town.post(&["ann"], &invitation("plan")).await;
    ann.catch_up().await;
    let (inbox, id) = (ann.inbox(), ann.id_of("plan"));
    let accept = UserResponse::Accepted;
    let exchange = ann.phone().meeting_response(&inbox, &id, accept, Some("I am coming."));
    for _ in 0..2 {
        let lost = ann.driver.send(&exchange).await.unwrap();
        assert_eq!(lost.status, 200);
        ann.driver.hang_up();
    }
    // After a restart too.
    let town = town.restart().await;
    let mut ann = town.same_phone(ann);
    assert_eq!(told(ann.ask(exchange).await), 1);
    let letters = world.until(1).await;
    assert_eq!(letters[0].envelope, ["MAIL FROM:<ann@a.example>", "RCPT TO:<bob@b.example>"]);
    for words in
        ["METHOD:REPLY\r\n", "UID:plan@b.example\r\n", "PARTSTAT=3DACCEPTED", "I am coming."]
    {
        assert!(letters[0].text.contains(words), "{words}: {}", letters[0].text);
    }
    // On every phone it has left the Inbox; the answer lies in Sent Items.
    ann.catch_up().await;
    assert!(ann.subjects().is_empty());
    for (kind, subject) in
        [(FolderType::DELETED_ITEMS, "plan"), (FolderType::SENT_ITEMS, "Accepted: plan")]
    {
        let place = folder(ann.phone(), kind);
        ann.driver.catch_up(&place).await.unwrap();
        assert_eq!(ann.subjects_in(&place), [subject]);
    }
    // A phone that sends its answers itself: the gateway adds none.
    let old = Profile { version: ProtocolVersion::V14_1, ..Profile::android() };
    let mut old = town.phone("ann", old).await;
    town.post(&["ann"], &invitation("tea")).await;
    old.catch_up().await;
    let exchange =
        old.phone().meeting_response(&inbox, &old.id_of("tea"), UserResponse::Declined, None);
    assert_eq!(told(old.ask(exchange).await), 1);
    old.catch_up().await;
    assert!(!old.holds("tea"));
    assert_eq!(world.letters().len(), 1);
}

#[tokio::test]
async fn a_recalled_invitation_cannot_be_answered() {
    let world = World::open().await;
    let town = Town::open_to(&world).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    town.post(&["ann"], &invitation("secret")).await;
    ann.catch_up().await;
    town.recall("secret").await;
    let status = answers(&mut ann, "secret").await;
    assert_eq!(status, 2);
    ann.catch_up().await;
    assert!(!ann.holds("secret") && world.letters().is_empty());
}

async fn answers(phone: &mut Handset, subject: &str) -> u16 {
    let (inbox, id) = (phone.inbox(), phone.id_of(subject));
    let accept = UserResponse::Accepted;
    let exchange = phone.phone().meeting_response(&inbox, &id, accept, Some("yes"));
    told(phone.ask(exchange).await)
}

/// The Status of the one answer.
fn told(outcome: Outcome) -> u16 {
    let Outcome::MeetingResponse(Response { results, .. }) = outcome else {
        panic!("not MeetingResponse: {outcome:?}")
    };
    results[0].status.0
}
