//! MeetingResponse: an invitation is answered once, leaves the Inbox, and is none when it was recalled.

use activesync::command::CommandName;
use activesync::command::meeting_response::{
    Outcome, Reply, Request, Response, SendResponse, UserResponse,
};
use activesync::item::body::{Body, BodyType, Content};
use activesync::types::{CollectionId, CompactDateTime, DateTime, InstanceText, LongId, ServerId};
use activesync::{Document, ProtocolVersion};
use conformance::conforms;

use super::house::*;
use crate::ids::ItemNumber;
use crate::ledger::Exposure;
use crate::mailbox::FolderKind;

/// An invitation of Bob's to Ann.
fn invitation(name: &str, more: &str) -> String {
    format!(
        "From: Bob <bob@b.example>\nTo: ann@a.example\nSubject: {name}\n\
         Message-ID: <{name}@b.example>\nDate: Tue, 24 Nov 2026 08:00:00 +0000\n\
         MIME-Version: 1.0\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\n\n\
         BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:{name}@b.example\nSEQUENCE:2\n\
         DTSTAMP:20261124T080000Z\nDTSTART:20261201T090000Z\nDTEND:20261201T100000Z\n\
         ORGANIZER:mailto:bob@b.example\nATTENDEE;RSVP=TRUE:mailto:ann@a.example\n{more}\
         END:VEVENT\nEND:VCALENDAR\n"
    )
}

fn reply(answer: UserResponse, item: ItemNumber) -> Reply {
    let id = ServerId::new(format!("{INBOX}:{item}")).unwrap();
    Reply::new(answer, CollectionId::new(INBOX).unwrap(), id)
}

/// The same, with words for the organiser.
fn sent(reply: Reply, words: &str) -> Reply {
    let body = Body {
        body_type: Some(BodyType::Plain),
        data: Some(Content::Text(words.to_owned())),
        ..Body::default()
    };
    let send = SendResponse { body: Some(body), ..SendResponse::default() };
    Reply { send_response: Some(send), ..reply }
}

async fn respond_in(house: &House, version: ProtocolVersion, replies: Vec<Reply>) -> Vec<Outcome> {
    let body = Request { replies }.encode(version);
    let incoming = house.incoming(CommandName::MeetingResponse, version.as_str(), body);
    let seen = house.give(incoming).await;
    assert_eq!(seen.status, 200);
    let response = Response::decode(version, &seen.body).unwrap();
    assert_eq!(response.status, None);
    response.results
}

/// The Status of one answer.
async fn respond(house: &House, reply: Reply) -> u16 {
    let named = reply.request_id.clone();
    let results = respond_in(house, V, vec![reply]).await;
    let [result] = &results[..] else { panic!("{results:?}") };
    assert_eq!((&result.request_id, &result.calendar_id), (&named, &None));
    result.status.0
}

async fn subjects(house: &House, kind: FolderKind) -> Vec<String> {
    let subject = |mail: String| {
        mail.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or("").to_owned()
    };
    house.lying_in(kind).await.into_iter().map(subject).collect()
}

#[tokio::test]
async fn an_invitation_is_accepted_once_and_leaves_the_inbox() {
    let house = House::new().await;
    let item = house.raw(&invitation("plan", "SUMMARY:plan\n")).await;
    let (key, added) = house.catch_up(house.begin().await).await;
    assert_eq!(added, ["plan"]);
    let accepted = sent(reply(UserResponse::Accepted, item), "See you there");
    for _ in 0..2 {
        // The second time the answer was lost.
        assert_eq!(respond(&house, accepted.clone()).await, 1);
    }
    conforms!("MS-ASCMD_R4180", "MS-ASCMD_R3807", "MS-ASCMD_R5374", "MS-ASCMD_R6062");
    conforms!("MS-ASCMD_R5723", "MS-ASCMD_R7115", "MS-ASCMD_R266", "MS-ASHTTP_R432");
    let mails = house.lying_in(FolderKind::SentItems).await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    for words in [
        "Subject: Accepted: plan\r\n",
        "<bob@b.example>\r\n",
        "In-Reply-To: <plan@b.example>\r\n",
        "text/calendar; method=REPLY",
        "METHOD:REPLY\r\n",
        "UID:plan@b.example\r\n",
        "SEQUENCE:2\r\n",
        "PARTSTAT=3DACCEPTED",
        "See you there",
    ] {
        assert!(mails[0].contains(words), "{words} in {}", mails[0]);
    }
    assert!(house.lying_in(FolderKind::Inbox).await.is_empty());
    assert_eq!(subjects(&house, FolderKind::DeletedItems).await, ["plan"]);
    let answer = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(deletes(&answer), [format!("{INBOX}:{item}")]);
    let exposure = house.exposure(house.inbox_folder().await, item).await;
    assert!(exposure.contains(Exposure::ACTED));
    assert!(house.audited("mail.acted").await >= 1);
}

#[tokio::test]
async fn a_mail_goes_only_where_one_is_asked_for() {
    let house = House::new().await;
    let one = house.raw(&invitation("one", "")).await;
    assert_eq!(respond(&house, reply(UserResponse::Declined, one)).await, 1);
    conforms!("MS-ASCMD_R7113", "MS-ASCMD_R837", "MS-ASCMD_R5725", "MS-ASCMD_R5072");
    conforms!("MS-ASHTTP_R501");
    assert!(house.lying_in(FolderKind::SentItems).await.is_empty());
    let two = house.raw(&invitation("two", "")).await;
    let empty = reply(UserResponse::TentativelyAccepted, two);
    let empty = Reply { send_response: Some(SendResponse::default()), ..empty };
    assert_eq!(respond(&house, empty).await, 1);
    conforms!("MS-ASCMD_R7114", "MS-ASCMD_R5724", "MS-ASHTTP_R433");
    assert_eq!(subjects(&house, FolderKind::SentItems).await, ["Tentative: two"]);
    // Until 14.1 the phone sends its answer itself.
    for (version, name) in [(ProtocolVersion::V14_1, "three"), (ProtocolVersion::V14_0, "four")] {
        let item = house.raw(&invitation(name, "")).await;
        let accepted = sent(reply(UserResponse::Accepted, item), "yes");
        let results = respond_in(&house, version, vec![accepted]).await;
        assert_eq!(results[0].status.0, 1);
    }
    conforms!("MS-ASCMD_R6065", "MS-ASCMD_R6066", "MS-ASCMD_R7117", "MS-ASCMD_R7118");
    assert_eq!(subjects(&house, FolderKind::SentItems).await.len(), 1);
    let trash = subjects(&house, FolderKind::DeletedItems).await;
    assert_eq!(trash, ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn another_mind_is_another_answer_and_a_search_result_is_one_too() {
    let house = House::new().await;
    let item = house.raw(&invitation("plan", "")).await;
    let yes = sent(reply(UserResponse::Accepted, item), "");
    assert_eq!(respond(&house, yes).await, 1);
    // The phone has not heard yet that it lies elsewhere.
    let found = LongId::new(format!("{INBOX}:{item}")).unwrap();
    let no = sent(reply(UserResponse::Declined, item), "");
    let no = Reply { collection_id: None, request_id: None, long_id: Some(found), ..no };
    assert_eq!(respond(&house, no.clone()).await, 1);
    assert_eq!(subjects(&house, FolderKind::SentItems).await, ["Accepted: plan", "Declined: plan"]);
    // Gone for good: what was said stays said, and nothing can be added.
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await.id;
    house.delete(trash, ItemNumber(1)).await;
    assert_eq!(respond(&house, no).await, 1);
    let perhaps = sent(reply(UserResponse::TentativelyAccepted, item), "");
    assert_eq!(respond(&house, perhaps).await, 2);
}

#[tokio::test]
async fn another_time_can_be_proposed() {
    let house = House::new().await;
    let at = |text: &str| DateTime::parse(text).ok().map(CompactDateTime);
    let propose = |item, from, until| {
        let send = SendResponse {
            proposed_start_time: from,
            proposed_end_time: until,
            ..SendResponse::default()
        };
        let tentative = reply(UserResponse::TentativelyAccepted, item);
        Reply { send_response: Some(send), ..tentative }
    };
    let (from, until) = (at("20261202T090000Z"), at("20261202T100000Z"));
    let item = house.raw(&invitation("plan", "")).await;
    assert_eq!(respond(&house, propose(item, from, None)).await, 2);
    conforms!("MS-ASCMD_R69901704");
    assert_eq!(respond(&house, propose(item, until, from)).await, 2);
    assert_eq!(respond(&house, propose(item, from, until)).await, 1);
    let mails = house.lying_in(FolderKind::SentItems).await;
    assert!(mails[0].contains("METHOD:COUNTER") && mails[0].contains("DTSTART:20261202T090000Z"));
    assert!(mails[0].contains("Subject: New Time Proposed: plan\r\n"));
    let fixed = house.raw(&invitation("fixed", "X-MICROSOFT-DISALLOW-COUNTER:TRUE\n")).await;
    assert_eq!(respond(&house, propose(fixed, from, until)).await, 2);
}

#[tokio::test]
async fn what_cannot_be_answered_has_its_status() {
    let house = House::new().await;
    let accept = |item| reply(UserResponse::Accepted, item);
    let mail = house.mail("letter").await;
    assert_eq!(respond(&house, accept(mail)).await, 2);
    conforms!("MS-ASCMD_R4182", "MS-ASCMD_R4183");
    let own = invitation("own", "").replace("mailto:bob@b.example", "mailto:Ann@A.example");
    let own = house.raw(&own).await;
    assert_eq!(respond(&house, accept(own)).await, 2);
    conforms!("MS-ASCMD_R4184");
    assert_eq!(respond(&house, accept(ItemNumber(999))).await, 2);
    let one = house.raw(&invitation("one", "")).await;
    let long_id = LongId::new(format!("{INBOX}:{one}")).ok();
    assert_eq!(respond(&house, Reply { long_id, ..accept(one) }).await, 2);
    conforms!("MS-ASCMD_R7036");
    let nameless = Reply { request_id: None, ..accept(one) };
    assert_eq!(respond(&house, nameless).await, 2);
    let elsewhere = Reply { collection_id: CollectionId::new("5").ok(), ..accept(one) };
    assert_eq!(respond(&house, elsewhere).await, 2);
    let at = |text: &str, item| Reply { instance_id: InstanceText::new(text).ok(), ..accept(item) };
    assert_eq!(respond(&house, at("tomorrow", one)).await, 104);
    conforms!("MS-ASCMD_R3195");
    assert_eq!(respond(&house, at("2026-12-08T09:00:00.000Z", one)).await, 146);
    conforms!("MS-ASCMD_R3196");
    let series = house.raw(&invitation("series", "RRULE:FREQ=WEEKLY\n")).await;
    assert_eq!(respond(&house, at("2026-12-08T09:00:00.000Z", series)).await, 2);
    conforms!("MS-ASCMD_R4185");
    assert_eq!(house.lying_in(FolderKind::Inbox).await.len(), 4, "nothing was moved");
    let many = Request { replies: vec![accept(one); 101] };
    let seen = house.send(CommandName::MeetingResponse, many.encode(V)).await;
    assert_eq!(seen.read::<Response>().status.map(|status| status.0), Some(103));
    conforms!("MS-ASCMD_R5650");
    let both = respond_in(&house, V, vec![accept(one), accept(mail)]).await;
    let both: Vec<u16> = both.into_iter().map(|result| result.status.0).collect();
    assert_eq!(both, [1, 2], "each in its place");
}

#[tokio::test]
async fn a_recalled_invitation_is_none() {
    let house = House::new().await;
    let item = house.raw(&invitation("secret", "")).await;
    house.catch_up(house.begin().await).await;
    house.fences("secret").await;
    let accepted = sent(reply(UserResponse::Accepted, item), "yes");
    assert_eq!(respond(&house, accepted.clone()).await, 2);
    assert!(house.lying_in(FolderKind::SentItems).await.is_empty());
    // Answered before, recalled then, and repeated: nothing is said of it any more.
    let other = house.raw(&invitation("other", "")).await;
    let accepted = sent(reply(UserResponse::Accepted, other), "yes");
    assert_eq!(respond(&house, accepted.clone()).await, 1);
    house.recalls("other").await;
    assert_eq!(respond(&house, accepted).await, 2);
    assert_eq!(subjects(&house, FolderKind::SentItems).await, ["Accepted: other"]);
}
