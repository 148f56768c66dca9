//! What must hold for any octets at all that come as an invitation.

use activesync::ProtocolVersion;
use activesync::command::item_operations::{Fetched, Outcome, Properties, Response};
use activesync::command::meeting_response::UserResponse;
use activesync::document::Document as _;
use activesync::item::ItemData;
use activesync::item::email::Email;
use activesync::item::meeting_request::MeetingRequest;
use activesync::status::Status;
use activesync::types::DateTime;
use bytes::Bytes;

use super::calendar::Event;
use super::invitation::{Invitation, Said};
use super::meeting;
use crate::clock::Timestamp;
use crate::message::Message;
use crate::message::compose::{DraftBody, Sender};

/// Reads `octets` as the calendar object of an invitation, shows it to a phone of each version, and answers it in each way.
///
/// # Panics
/// If a promise of this room is broken.
pub fn invitation(octets: &[u8]) {
    let raw = [HEAD.as_bytes(), octets].concat();
    let Ok(message) = Message::parse(Bytes::from(raw)) else { return };
    for version in ProtocolVersion::ALL {
        if let Some(request) = meeting::request(&message, NOW, version) {
            assert!(request.start_time.is_some());
            assert_eq!(request.uid.is_some(), version >= ProtocolVersion::V16_0);
            assert_eq!(request.global_obj_id.is_none(), version >= ProtocolVersion::V16_0);
            shown(request, version);
        }
    }
    if let Some(invitation) = Invitation::of(&message) {
        answered(&invitation);
    }
}

/// What a phone is shown can be said in its version: it is decoded from what is encoded.
fn shown(request: MeetingRequest, version: ProtocolVersion) {
    let email = Email { meeting_request: Some(Box::new(request)), ..Email::default() };
    let properties = Properties { item: Some(ItemData::from(email)), ..Properties::default() };
    let fetched =
        Fetched { status: Some(Status(1)), properties: Some(properties), ..Fetched::default() };
    let outcomes = vec![Outcome::Fetch(Box::new(fetched))];
    let octets = Response { status: Status(1), outcomes }.encode(version);
    let again = Response::decode(version, &octets).expect("what we write can be read");
    assert_eq!(again.encode(version), octets);
}

/// The answer goes to one person, and holds one event, the one that was asked about, whatever was written into the invitation.
fn answered(invitation: &Invitation) {
    let at = |ms| DateTime::from_ms(NOW.ms() + ms);
    for (answer, proposal) in [
        (UserResponse::Accepted, None),
        (UserResponse::Declined, None),
        (UserResponse::TentativelyAccepted, Some((at(0), at(3_600_000)))),
    ] {
        let words = DraftBody::Plain("Fine,\r\nEND:VEVENT".to_owned());
        let said = Said { answer, words, proposal };
        let user = Sender { address: OWN.to_owned(), display_name: "Ann".to_owned() };
        let draft = invitation.answer(&said, user, &[OWN.to_owned()], NOW);
        let raw = draft.build(NOW, "a@a.example");
        let mail = Message::parse(Bytes::from(raw)).expect("what we write can be read");
        let to: Vec<String> = mail.to().into_iter().map(|one| one.address).collect();
        assert_eq!(to, [invitation.organizer()]);
        assert!(mail.cc().is_empty() && mail.bcc().is_empty());
        object(&mail.calendar().expect("the object is in it"), invitation);
    }
}

fn object(object: &str, invitation: &Invitation) {
    let lines: Vec<&str> = object.lines().collect();
    assert!(lines.iter().all(|line| line.len() <= 75), "{object}");
    let unfolded = object.replace("\r\n ", "");
    let count = |start: &str| unfolded.lines().filter(|line| line.starts_with(start)).count();
    for once in
        ["BEGIN:VEVENT", "END:VEVENT", "METHOD:", "UID:", "ORGANIZER", "ATTENDEE", "DTSTART"]
    {
        assert_eq!(count(once), 1, "{once} in {object}");
    }
    assert_eq!(count("BEGIN:"), 2, "{object}");
    let event = Event::read(object).expect("what we write can be read");
    assert_eq!(event.value("UID"), Some(invitation.uid()), "{object}");
}

/// The mail the object comes in.
const HEAD: &str = "From: Chris <chris@b.example>\r\nTo: ann@a.example\r\nSubject: Planning\r\nMessage-ID: <m@b.example>\r\n\
    MIME-Version: 1.0\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n";
const OWN: &str = "ann@a.example";
/// 24 November 2026, noon.
const NOW: Timestamp = Timestamp(1_795_521_600_000);
