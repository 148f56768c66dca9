//! What is answered while the user is away ([MS-ASCMD] 2.2.3.122).

use crate::code_pages::settings::*;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, fields};
use crate::types::DateTime;

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OofRequest {
    /// Tell it, with texts of this type: `Text` or `HTML`, in any case.
    Get(String),
    /// Let it be this.
    Set(Oof),
}

fields! {
    /// When and what is answered.
    pub struct Oof {
        /// 0 off, 1 on, 2 on between the times.
        state: Option<u8> = OOF_STATE,
        /// When it begins.
        start_time: Option<DateTime> = START_TIME,
        /// When it ends.
        end_time: Option<DateTime> = END_TIME,
        /// What is answered, up to one message for each audience.
        messages: Vec<OofMessage> = OOF_MESSAGE,
    }
}

fields! {
    /// What is answered, and to whom.
    pub struct OofMessage {
        /// To people of the same organisation.
        applies_to_internal: bool = APPLIES_TO_INTERNAL,
        /// To others the user knows.
        applies_to_external_known: bool = APPLIES_TO_EXTERNAL_KNOWN,
        /// To everybody else.
        applies_to_external_unknown: bool = APPLIES_TO_EXTERNAL_UNKNOWN,
        /// Whether it is answered.
        enabled: Option<bool> = ENABLED,
        /// The text.
        reply_message: Option<String> = REPLY_MESSAGE,
        /// The type of the text: `Text` or `HTML`, in any case.
        body_type: Option<String> = BODY_TYPE,
    }
}

impl OofRequest {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut request = None;
        while let Some(tag) = cursor.next_child()? {
            if request.is_some() {
                return Err(cursor.problem(Problem::Combination));
            }
            request = Some(match tag {
                GET => Self::Get(super::only_child(cursor, BODY_TYPE, String::read)?),
                SET => Self::Set(Oof::read(cursor)?),
                _ => return cursor.misplaced(),
            });
        }
        cursor.required(request, OOF, GET)
    }

    pub(super) fn write(&self, encoder: &mut Encoder) {
        match self {
            Self::Get(body_type) => {
                encoder.container(GET, |encoder| encoder.text(BODY_TYPE, body_type));
            }
            Self::Set(oof) => oof.write(encoder, SET),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::command::settings::{Answer, Property, Request, Response};
    use crate::error::Error;
    use crate::status::settings;
    use crate::version::ProtocolVersion;

    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;

    fn oof() -> Oof {
        let internal = OofMessage {
            applies_to_internal: true,
            enabled: Some(true),
            reply_message: Some("Away until 3 January".into()),
            body_type: Some("Text".into()),
            ..OofMessage::default()
        };
        let known = OofMessage {
            applies_to_external_known: true,
            enabled: Some(false),
            ..OofMessage::default()
        };
        Oof {
            state: Some(2),
            start_time: DateTime::parse("2026-12-20T00:00:00.000Z").ok(),
            end_time: DateTime::parse("2027-01-03T00:00:00.000Z").ok(),
            messages: vec![internal, known],
        }
    }

    #[test]
    fn setting_it_is_a_known_answer() {
        let properties = vec![Property::Oof(OofRequest::Set(oof()))];
        both_ways("45", V14_1, Request { properties });
    }

    #[test]
    fn asking_and_telling_come_back() {
        let properties = vec![Property::Oof(OofRequest::Get("HTML".into()))];
        comes_back(V14_1, &Request { properties });
        let answers = vec![Answer::Oof { status: settings::SUCCESS, get: Some(oof()) }];
        comes_back(V14_1, &Response { status: settings::SUCCESS, answers });
    }

    #[test]
    fn one_asks_or_sets() {
        let xml = "<Settings xmlns='Settings'><Oof><Get><BodyType>Text</BodyType></Get><Set/></Oof>\
                   </Settings>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V14_1, xml) else { panic!() };
        assert_eq!(problem, Problem::Combination);
        let xml = "<Settings xmlns='Settings'><Oof/></Settings>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V14_1, xml) else { panic!() };
        assert_eq!(problem, Problem::Missing(GET));
    }
}
