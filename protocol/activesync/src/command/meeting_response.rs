//! MeetingResponse: a client answers invitations ([MS-ASCMD] 2.2.1.11).
//!
//! Until 14.1 the client itself sends the answer as a mail; since 16.0 it may ask the server to.

use wbxml::Tag;

use crate::code_pages::meeting_response::*;
use crate::code_pages::{air_sync_base as base, search};
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Element, Field, fields, number_enum};
use crate::item::body::Body;
use crate::status::Status;
use crate::types::{CollectionId, CompactDateTime, InstanceText, LongId, ServerId};

/// Answers one request may hold ([MS-ASCMD] 3.1.5.10).
pub const REPLIES_MAX: usize = 100;

/// Asks for invitations to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The answers, at least one.
    pub replies: Vec<Reply>,
}

/// One answer to one invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What the user says.
    pub user_response: UserResponse,
    /// The folder the invitation is in.
    pub collection_id: Option<CollectionId>,
    /// The invitation; since 14.1 also a calendar item.
    pub request_id: Option<ServerId>,
    /// The invitation, as a search result.
    pub long_id: Option<LongId>,
    /// Which occurrence; a text that is no time fails this answer only, with 104 ([MS-ASCMD] 2.2.3.92.1).
    pub instance_id: Option<InstanceText>,
    /// Lets the server send the answer; since 16.0.
    pub send_response: Option<SendResponse>,
}

number_enum! {
    /// What the user says ([MS-ASCMD] 2.2.3.195).
    pub enum UserResponse {
        /// Yes.
        Accepted = 1,
        /// Perhaps.
        TentativelyAccepted = 2,
        /// No.
        Declined = 3,
    }
}

fields! {
    /// What stands in the answer that is sent ([MS-ASCMD] 2.2.3.163).
    pub struct SendResponse {
        /// A text for the organiser.
        body: Option<Body> = base::BODY,
        /// When it could begin instead; since 16.1.
        proposed_start_time: Option<CompactDateTime> = PROPOSED_START_TIME,
        /// When it could end instead; since 16.1.
        proposed_end_time: Option<CompactDateTime> = PROPOSED_END_TIME,
    }
}

/// What came of the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Why there are no results at all; absent where there are some.
    pub status: Option<Status>,
    /// The results, in the order of the answers.
    pub results: Vec<Outcome>,
}

/// What came of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The invitation, as the request named it.
    pub request_id: Option<ServerId>,
    /// What came of it: [`crate::status::meeting_response`].
    pub status: Status,
    /// The calendar item it has become; none where it was declined.
    pub calendar_id: Option<ServerId>,
    /// The occurrence, as the request named it.
    pub instance_id: Option<InstanceText>,
}

impl Document for Request {
    const ROOT: Tag = MEETING_RESPONSE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut replies = Vec::new();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                REQUEST if replies.len() == REPLIES_MAX => {
                    return Err(cursor.over_limit("100 answers"));
                }
                REQUEST => replies.push(Reply::read(cursor)?),
                _ => return cursor.misplaced(),
            }
        }
        let some = (!replies.is_empty()).then_some(replies);
        Ok(Self { replies: cursor.required(some, Self::ROOT, REQUEST)? })
    }

    fn write(&self, encoder: &mut Encoder) {
        self.replies.iter().for_each(|reply| reply.write(encoder));
    }
}

impl Reply {
    /// An answer to an invitation in a folder.
    pub fn new(user_response: UserResponse, folder: CollectionId, invitation: ServerId) -> Self {
        Self {
            user_response,
            collection_id: Some(folder),
            request_id: Some(invitation),
            long_id: None,
            instance_id: None,
            send_response: None,
        }
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut user_response, mut collection_id, mut request_id) = (None, None, None);
        let (mut long_id, mut instance_id, mut send_response) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                USER_RESPONSE => Field::read(&mut user_response, cursor)?,
                COLLECTION_ID => Field::read(&mut collection_id, cursor)?,
                REQUEST_ID => Field::read(&mut request_id, cursor)?,
                search::LONG_ID => Field::read(&mut long_id, cursor)?,
                INSTANCE_ID => Field::read(&mut instance_id, cursor)?,
                SEND_RESPONSE => Field::read(&mut send_response, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        let user_response = cursor.required(user_response, REQUEST, USER_RESPONSE)?;
        Ok(Self { user_response, collection_id, request_id, long_id, instance_id, send_response })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.container(REQUEST, |encoder| {
            self.user_response.write(encoder, USER_RESPONSE);
            Field::write(&self.collection_id, encoder, COLLECTION_ID);
            Field::write(&self.request_id, encoder, REQUEST_ID);
            Field::write(&self.long_id, encoder, search::LONG_ID);
            Field::write(&self.instance_id, encoder, INSTANCE_ID);
            Field::write(&self.send_response, encoder, SEND_RESPONSE);
        });
    }
}

impl Document for Response {
    const ROOT: Tag = MEETING_RESPONSE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut response = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut response.status, cursor)?,
                RESULT => response.results.push(Outcome::read(cursor)?),
                _ => return cursor.misplaced(),
            }
        }
        Ok(response)
    }

    fn write(&self, encoder: &mut Encoder) {
        Field::write(&self.status, encoder, STATUS);
        for outcome in &self.results {
            encoder.container(RESULT, |encoder| {
                Field::write(&outcome.request_id, encoder, REQUEST_ID);
                encoder.number(STATUS, outcome.status.0);
                Field::write(&outcome.calendar_id, encoder, CALENDAR_ID);
                Field::write(&outcome.instance_id, encoder, INSTANCE_ID);
            });
        }
    }
}

impl Outcome {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut request_id, mut status) = (None, None);
        let (mut calendar_id, mut instance_id) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                REQUEST_ID => Field::read(&mut request_id, cursor)?,
                STATUS => Field::read(&mut status, cursor)?,
                CALENDAR_ID => Field::read(&mut calendar_id, cursor)?,
                INSTANCE_ID => Field::read(&mut instance_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        let status = cursor.required(status, RESULT, STATUS)?;
        Ok(Self { request_id, status, calendar_id, instance_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::{Error, Problem};
    use crate::item::body::{BodyType, Content};
    use crate::status::meeting_response;
    use crate::types::DateTime;
    use crate::version::ProtocolVersion;

    const V12_1: ProtocolVersion = ProtocolVersion::V12_1;
    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;
    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;
    const V16_0: ProtocolVersion = ProtocolVersion::V16_0;
    const V16_1: ProtocolVersion = ProtocolVersion::V16_1;

    fn reply() -> Reply {
        let folder = CollectionId::new("1").unwrap();
        Reply::new(UserResponse::TentativelyAccepted, folder, ServerId::new("1:50").unwrap())
    }

    fn full() -> Reply {
        let time = |text: &str| DateTime::parse(text).ok().map(CompactDateTime);
        let body = Body {
            body_type: Some(BodyType::Plain),
            data: Some(Content::Text("Could we start later?".into())),
            ..Body::default()
        };
        let send_response = SendResponse {
            body: Some(body),
            proposed_start_time: time("20260408T090000Z"),
            proposed_end_time: time("20260408T100000Z"),
        };
        Reply {
            instance_id: InstanceText::new("2026-04-08T08:00:00.000Z").ok(),
            send_response: Some(send_response),
            ..reply()
        }
    }

    #[test]
    fn request_and_response_are_known_answers() {
        both_ways("52", V16_1, Request { replies: vec![full()] });
        let outcome = Outcome {
            request_id: ServerId::new("1:50").ok(),
            status: meeting_response::SUCCESS,
            calendar_id: ServerId::new("5:11").ok(),
            instance_id: None,
        };
        for version in ProtocolVersion::ALL {
            both_ways("53", version, Response { status: None, results: vec![outcome.clone()] });
        }
        comes_back(V12_1, &Response { status: Some(Status(103)), results: vec![] });
    }

    #[test]
    fn each_version_adds_something() {
        let request = Request { replies: vec![full()] };
        let plain = Request { replies: vec![reply()] };
        assert_eq!(Request::decode(V12_1, &request.encode(V12_1)).as_ref(), Ok(&plain));
        assert_eq!(Request::decode(V14_0, &request.encode(V14_0)), Ok(plain));
        let read = Request::decode(V14_1, &request.encode(V14_1)).unwrap();
        assert_eq!(
            (&read.replies[0].instance_id, &read.replies[0].send_response),
            (&full().instance_id, &None)
        );
        let read = Request::decode(V16_0, &request.encode(V16_0)).unwrap();
        let sent = read.replies[0].send_response.as_ref().unwrap();
        assert_eq!((sent.body.is_some(), sent.proposed_start_time), (true, None));
        let read = Request::decode(V16_0, &request.encode(V16_1));
        assert!(matches!(read, Err(Error::Version { tag: PROPOSED_START_TIME, .. })));
        let read = Request::decode(V14_0, &request.encode(V14_1));
        assert!(matches!(read, Err(Error::Version { tag: INSTANCE_ID, .. })));
    }

    #[test]
    fn an_answer_says_something_and_there_is_one() {
        let problem = |xml: &str| {
            let xml = format!("<MeetingResponse xmlns='MeetingResponse'>{xml}</MeetingResponse>");
            match decoded::<Request>(V14_1, &xml) {
                Err(Error::Schema { problem, .. }) => problem,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(problem(""), Problem::Missing(REQUEST));
        assert_eq!(problem("<Request/>"), Problem::Missing(USER_RESPONSE));
        let no_answer = "<Request><UserResponse>4</UserResponse></Request>";
        assert_eq!(problem(no_answer), Problem::Value);
        let many = Request { replies: vec![reply(); REPLIES_MAX + 1] };
        let read = Request::decode(V14_1, &many.encode(V14_1));
        assert!(matches!(read, Err(Error::Limit { .. })));
    }

    #[test]
    fn an_occurrence_may_be_misspelt() {
        let odd = Reply { instance_id: InstanceText::new("tomorrow").ok(), ..reply() };
        assert_eq!(odd.instance_id.as_ref().and_then(InstanceText::time), None);
        comes_back(V14_1, &Request { replies: vec![odd] });
        assert!(full().instance_id.unwrap().time().is_some());
    }
}
