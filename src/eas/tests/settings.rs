//! Settings: who the user is, and what is answered while the user is away.

use activesync::command::CommandName;
use activesync::command::settings::{
    Account, Answer, Oof, OofMessage, OofRequest, Password, Property, Request, Response,
};
use activesync::types::DateTime;
use activesync::{Document, ProtocolVersion};
use bytes::Bytes;
use conformance::conforms;

use super::house::*;
use crate::delivery::{Offer, Outbox, OutboxSettings, Postman, Relay};
use crate::mailbox::FolderKind;
use crate::recall;

/// What one property is answered, in a version.
async fn ask_in(house: &House, version: ProtocolVersion, property: Property) -> Answer {
    let body = Request { properties: vec![property] }.encode(version);
    let seen = house.give(house.incoming(CommandName::Settings, version.as_str(), body)).await;
    assert_eq!(seen.status, 200);
    let response = Response::decode(version, &seen.body).unwrap();
    assert_eq!(response.status.0, 1);
    let [answer] = <[Answer; 1]>::try_from(response.answers).expect("one property, one answer");
    answer
}

async fn ask(house: &House, property: Property) -> Answer {
    ask_in(house, V, property).await
}

async fn set(house: &House, oof: Oof) -> u16 {
    match ask(house, Property::Oof(OofRequest::Set(oof))).await {
        Answer::Oof { status, get: None } => status.0,
        other => panic!("{other:?}"),
    }
}

async fn get(house: &House, kind: &str) -> Oof {
    match ask(house, Property::Oof(OofRequest::Get(kind.to_owned()))).await {
        Answer::Oof { status, get: Some(oof) } if status.0 == 1 => oof,
        other => panic!("{other:?}"),
    }
}

fn message(text: &str, kind: &str) -> OofMessage {
    OofMessage {
        enabled: Some(true),
        reply_message: Some(text.to_owned()),
        body_type: Some(kind.to_owned()),
        ..OofMessage::default()
    }
}

fn internal(text: &str, kind: &str) -> OofMessage {
    OofMessage { applies_to_internal: true, ..message(text, kind) }
}

fn unknown(text: &str, kind: &str) -> OofMessage {
    OofMessage { applies_to_external_unknown: true, ..message(text, kind) }
}

fn date(text: &str) -> Option<DateTime> {
    DateTime::parse(text).ok()
}

#[tokio::test]
async fn who_has_set_nothing_is_there() {
    let house = House::new().await;
    let oof = get(&house, "Text").await;
    assert_eq!((oof.state, oof.start_time, oof.end_time), (Some(0), None, None));
    conforms!("MS-ASCMD_R481", "MS-ASCMD_R3505");
    let [ours, known, unknown] = &oof.messages[..] else { panic!("{oof:?}") };
    assert!(ours.applies_to_internal && known.applies_to_external_known);
    assert!(unknown.applies_to_external_unknown);
    conforms!("MS-ASCMD_R3525");
    for message in &oof.messages {
        assert_eq!((message.enabled, message.reply_message.as_deref()), (Some(false), None));
        conforms!("MS-ASCMD_R5677", "MS-ASCMD_R2252");
    }
}

#[tokio::test]
async fn what_is_set_is_told_in_the_type_that_is_asked_for() {
    let house = House::new().await;
    let known = OofMessage { applies_to_external_known: true, ..OofMessage::default() };
    let known = OofMessage { enabled: Some(false), ..known };
    let oof = Oof {
        state: Some(1),
        messages: vec![
            internal("Back <soon>", "Text"),
            known,
            unknown("<p>Back <b>later</b></p>", "html"),
        ],
        ..Oof::default()
    };
    assert_eq!(set(&house, oof.clone()).await, 1);
    let text = get(&house, "TEXT").await;
    assert_eq!(text.state, Some(1));
    let of = |oof: &Oof, at: usize| oof.messages[at].reply_message.clone().unwrap_or_default();
    assert_eq!((of(&text, 0).as_str(), text.messages[0].enabled), ("Back <soon>", Some(true)));
    conforms!("MS-ASCMD_R5866", "MS-ASCMD_R802", "MS-ASCMD_R803", "MS-ASCMD_R804");
    assert_eq!((text.messages[1].enabled, of(&text, 1).as_str()), (Some(false), ""));
    conforms!("MS-ASCMD_R783", "MS-ASCMD_R785", "MS-ASCMD_R786");
    assert_eq!(of(&text, 2).trim(), "Back later");
    assert!(text.messages[2].applies_to_external_unknown);
    conforms!("MS-ASCMD_R5867", "MS-ASCMD_R793", "MS-ASCMD_R794", "MS-ASCMD_R795");
    assert_eq!(text.messages[0].body_type.as_deref(), Some("Text"));
    assert_eq!(text.messages[2].body_type.as_deref(), Some("Text"));
    assert_eq!(text.messages[1].body_type, None);
    conforms!("MS-ASCMD_R1106", "MS-ASCMD_R826", "MS-ASCMD_R805", "MS-ASCMD_R796");
    let html = get(&house, "HTML").await;
    assert!(of(&html, 0).contains("Back &lt;soon&gt;"), "{}", of(&html, 0));
    assert_eq!(of(&html, 2), "<p>Back <b>later</b></p>");
    assert_eq!(html.messages[2].body_type.as_deref(), Some("HTML"));
    conforms!("MS-ASCMD_R821", "MS-ASCMD_R787", "MS-ASCMD_R2251");
    // Said again it changes nothing; a new state alone leaves the texts.
    assert_eq!(set(&house, oof).await, 1);
    assert_eq!(house.audited("user.away_set").await, 1);
    assert_eq!(set(&house, Oof { state: Some(0), ..Oof::default() }).await, 1);
    let after = get(&house, "Text").await;
    assert_eq!((after.state, of(&after, 0).as_str()), (Some(0), "Back <soon>"));
    let other = ask(&house, Property::Oof(OofRequest::Get("RTF".to_owned()))).await;
    assert!(matches!(other, Answer::Oof { status, get: None } if status.0 == 5), "{other:?}");
}

#[tokio::test]
async fn times_count_only_where_the_absence_is_timed() {
    let house = House::new().await;
    let (from, until) = (date("2026-12-20T08:00:00.000Z"), date("2027-01-03T08:00:00.000Z"));
    let timed = Oof { state: Some(2), start_time: from, end_time: until, ..Oof::default() };
    assert_eq!(set(&house, timed.clone()).await, 1);
    let told = get(&house, "Text").await;
    assert_eq!((told.state, told.start_time, told.end_time), (Some(2), from, until));
    conforms!("MS-ASCMD_R3530");
    assert_eq!(set(&house, Oof { end_time: None, ..timed.clone() }).await, 2);
    conforms!("MS-ASCMD_R2272", "MS-ASCMD_R3992");
    assert_eq!(set(&house, Oof { start_time: None, ..timed.clone() }).await, 2);
    conforms!("MS-ASCMD_R5681", "MS-ASCMD_R5827");
    assert_eq!(get(&house, "Text").await, told, "what is refused changes nothing");
    assert_eq!(set(&house, Oof { state: Some(1), ..timed }).await, 1);
    conforms!("MS-ASCMD_R3535");
    let told = get(&house, "Text").await;
    assert_eq!((told.state, told.start_time, told.end_time), (Some(1), None, None));
    conforms!("MS-ASCMD_R7544");
}

/// From the phone that sets it to the answer that leaves; and none about a mail an order stands for.
#[tokio::test]
async fn an_absence_set_on_a_phone_is_answered_to_strangers() {
    let house = House::new().await;
    let messages = vec![unknown("Gone fishing", "Text")];
    assert_eq!(set(&house, Oof { state: Some(1), messages, ..Oof::default() }).await, 1);
    house.stands("secret").await;
    let left: std::sync::Arc<parking_lot::Mutex<Vec<String>>> = std::sync::Arc::default();
    let seen = left.clone();
    let relay = Relay::by_hand(std::sync::Arc::new(move |_, recipients, raw| {
        seen.lock().push(String::from_utf8_lossy(raw).into_owned());
        vec![Offer::Taken("250 ok".to_owned()); recipients.len()]
    }));
    let postman = Postman::new(house.store.clone(), house.directory.clone(), "mail.a.example")
        .answering(&[], |tx, identity, mailbox, now| {
            Ok(recall::covers(tx, identity, mailbox, now)?.is_some())
        });
    let outbox = Outbox::new(postman.clone(), Some(relay), OutboxSettings::default());
    let (near, far) = tokio::io::duplex(4096);
    let lmtp = crate::delivery::Lmtp::new(postman, crate::delivery::LmtpSettings::default());
    let session = tokio::spawn(async move { lmtp.session(far, "test".to_owned()).await });
    let mut said = "LHLO c\r\n".to_owned();
    for name in ["secret", "lunch"] {
        said += &format!(
            "MAIL FROM:<{name}@b.example>\r\nRCPT TO:<ann@a.example>\r\nDATA\r\n\
             From: <bob@b.example>\r\nTo: ann@a.example\r\nMessage-ID: <{name}@b.example>\r\n\
             Subject: {name}\r\n\r\nHello\r\n.\r\n"
        );
    }
    talk(near, Bytes::from(said + "QUIT\r\n")).await;
    session.await.unwrap();
    outbox.run_due().await.unwrap();
    let left = left.lock().clone();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains("Subject: Automatic reply: lunch\r\n"), "{left:?}");
    assert!(left[0].contains("Gone fishing") && left[0].contains("In-Reply-To: <lunch@"));
    assert!(house.lying_in(FolderKind::SentItems).await.is_empty());
}

async fn talk(mut stream: tokio::io::DuplexStream, said: Bytes) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    stream.write_all(&said).await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard.matches("250 2.0.0 delivered").count(), 2, "{heard}");
}

#[tokio::test]
async fn a_user_has_one_account_with_all_addresses() {
    let house = House::new().await;
    for alias in ["a.lee@a.example", "sales@a.example"] {
        house.directory.add_alias(crate::ids::UserId(1), alias).await.unwrap();
    }
    let accounts = |answer: Answer| -> Vec<Account> {
        let Answer::UserInformation { status, get: Some(user) } = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(status.0, 1);
        user.accounts
    };
    for version in [V, ProtocolVersion::V14_1] {
        let found = accounts(ask_in(&house, version, Property::UserInformation).await);
        let [account] = &found[..] else { panic!("{found:?}") };
        assert_eq!(account.account_id, None, "it is the primary one");
        assert_eq!(account.account_name.as_deref(), Some("ann@a.example"));
        assert_eq!(account.user_display_name.as_deref(), Some("ann"));
        assert_eq!(account.send_disabled, Some(false));
        conforms!("MS-ASCMD_R5899", "MS-ASCMD_R732");
        let addresses = account.email_addresses.as_ref().unwrap();
        assert_eq!(addresses.primary_smtp_address.as_deref(), Some("ann@a.example"));
        conforms!("MS-ASCMD_R3679", "MS-ASCMD_R3681");
        let all = ["ann@a.example", "a.lee@a.example", "sales@a.example"];
        assert_eq!(addresses.smtp_addresses, all);
    }
    let old = accounts(ask_in(&house, ProtocolVersion::V14_0, Property::UserInformation).await);
    let addresses = old[0].email_addresses.as_ref().unwrap();
    assert_eq!(addresses.smtp_addresses.len(), 3);
    conforms!("MS-ASCMD_R6672", "MS-ASCMD_R6503");
    assert_eq!((&old[0].account_name, &addresses.primary_smtp_address), (&None, &None));
}

#[tokio::test]
async fn a_recovery_password_is_not_wanted() {
    let house = House::new().await;
    let password = Property::DevicePassword(Password("9814".to_owned()));
    let answer = ask(&house, password).await;
    assert!(matches!(answer, Answer::DevicePassword(status) if status.0 == 7), "{answer:?}");
    conforms!("MS-ASCMD_R4402");
}
