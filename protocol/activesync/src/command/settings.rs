//! Settings: a client describes itself, asks who its user is, and more ([MS-ASCMD] 2.2.1.18).
//!
//! A request names properties, each at most once, to get or to set; they are answered one by one in the same order.

use std::fmt;

use wbxml::Tag;

use crate::code_pages::settings::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, Field};
use crate::status::Status;

mod device_information;
mod oof;
mod rights_management;
mod user_information;

pub use device_information::DeviceInformation;
pub use oof::{Oof, OofMessage, OofRequest};
pub use rights_management::{RightsManagementTemplate, RightsManagementTemplates};
pub use user_information::{Account, EmailAddresses, UserInformation};

/// Asks for properties to be told or set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The properties, in the order they are to be answered in.
    pub properties: Vec<Property>,
}

/// One property and what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    /// Tell the templates of rights management; since 14.1.
    RightsManagementInformation,
    /// Tell or set what is answered while the user is away.
    Oof(OofRequest),
    /// Take note of what the device is.
    DeviceInformation(DeviceInformation),
    /// Keep the password that opens the device when its user forgot his own; none where empty.
    DevicePassword(Password),
    /// Tell the user's addresses and accounts.
    UserInformation,
}

/// A password; it does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The answers, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of the whole: [`crate::status::settings`].
    pub status: Status,
    /// The answers, one for each property; only on success.
    pub answers: Vec<Answer>,
}

/// What came of one property: [`crate::status::settings_property`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of asking for the templates of rights management; since 14.1.
    RightsManagementInformation {
        /// What came of it; where there is no rights management, 168 ([MS-ASRM] 3.2.5).
        status: Status,
        /// What was asked for.
        get: Option<RightsManagementTemplates>,
    },
    /// Of asking for or setting what is answered while the user is away.
    Oof {
        /// What came of it.
        status: Status,
        /// What was asked for.
        get: Option<Oof>,
    },
    /// Of describing the device.
    DeviceInformation(Status),
    /// Of a password: [`crate::status::device_password`].
    DevicePassword(Status),
    /// Of asking who the user is.
    UserInformation {
        /// What came of it.
        status: Status,
        /// What was asked for.
        get: Option<UserInformation>,
    },
}

impl Document for Request {
    const ROOT: Tag = SETTINGS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut request = Self::default();
        while let Some(tag) = cursor.next_child()? {
            if request.properties.iter().any(|property| property.tag() == tag) {
                return Err(cursor.problem(Problem::Duplicate));
            }
            request.properties.push(Property::read(cursor, tag)?);
        }
        Ok(request)
    }

    fn write(&self, encoder: &mut Encoder) {
        for property in &self.properties {
            encoder.container(property.tag(), |encoder| property.write(encoder));
        }
    }
}

impl Property {
    /// The element of the property.
    fn tag(&self) -> Tag {
        match self {
            Self::RightsManagementInformation => RIGHTS_MANAGEMENT_INFORMATION,
            Self::Oof(_) => OOF,
            Self::DeviceInformation(_) => DEVICE_INFORMATION,
            Self::DevicePassword(_) => DEVICE_PASSWORD,
            Self::UserInformation => USER_INFORMATION,
        }
    }

    fn read(cursor: &mut Cursor<'_>, tag: Tag) -> Result<Self> {
        Ok(match tag {
            RIGHTS_MANAGEMENT_INFORMATION => {
                only_child(cursor, GET, |cursor| cursor.empty())?;
                Self::RightsManagementInformation
            }
            OOF => Self::Oof(OofRequest::read(cursor)?),
            DEVICE_INFORMATION => Self::DeviceInformation(DeviceInformation::read_set(cursor)?),
            DEVICE_PASSWORD => {
                let read = |cursor: &mut Cursor<'_>| only_child(cursor, PASSWORD, String::read);
                Self::DevicePassword(Password(only_child(cursor, SET, read)?))
            }
            USER_INFORMATION => {
                only_child(cursor, GET, |cursor| cursor.empty())?;
                Self::UserInformation
            }
            _ => return cursor.misplaced(),
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        match self {
            Self::RightsManagementInformation | Self::UserInformation => encoder.empty(GET),
            Self::Oof(oof) => oof.write(encoder),
            Self::DeviceInformation(device) => device.write_set(encoder),
            Self::DevicePassword(password) => {
                encoder.container(SET, |encoder| encoder.text(PASSWORD, &password.0));
            }
        }
    }
}

impl Document for Response {
    const ROOT: Tag = SETTINGS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut answers) = (None, Vec::new());
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                _ => answers.push(Answer::read(cursor, tag)?),
            }
        }
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, answers })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        for answer in &self.answers {
            answer.write(encoder);
        }
    }
}

impl Answer {
    fn read(cursor: &mut Cursor<'_>, tag: Tag) -> Result<Self> {
        Ok(match tag {
            RIGHTS_MANAGEMENT_INFORMATION => {
                let (status, get) = read_answer(cursor, RightsManagementTemplates::read)?;
                Self::RightsManagementInformation { status, get }
            }
            OOF => {
                let (status, get) = read_answer(cursor, Oof::read)?;
                Self::Oof { status, get }
            }
            DEVICE_INFORMATION => Self::DeviceInformation(read_status(cursor)?),
            DEVICE_PASSWORD => Self::DevicePassword(read_status(cursor)?),
            USER_INFORMATION => {
                let (status, get) = read_answer(cursor, UserInformation::read)?;
                Self::UserInformation { status, get }
            }
            _ => return cursor.misplaced(),
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        match self {
            Self::RightsManagementInformation { status, get } => {
                encoder.container(RIGHTS_MANAGEMENT_INFORMATION, |encoder| {
                    encoder.number(STATUS, status.0);
                    Field::write(get, encoder, GET);
                });
            }
            Self::Oof { status, get } => encoder.container(OOF, |encoder| {
                encoder.number(STATUS, status.0);
                Field::write(get, encoder, GET);
            }),
            Self::DeviceInformation(status) => write_status(encoder, DEVICE_INFORMATION, *status),
            Self::DevicePassword(status) => write_status(encoder, DEVICE_PASSWORD, *status),
            Self::UserInformation { status, get } => {
                encoder.container(USER_INFORMATION, |encoder| {
                    encoder.number(STATUS, status.0);
                    Field::write(get, encoder, GET);
                });
            }
        }
    }
}

/// Consumes the element entered last, which has one child, `wanted`.
fn only_child<T>(
    cursor: &mut Cursor<'_>,
    wanted: Tag,
    read: impl Fn(&mut Cursor<'_>) -> Result<T>,
) -> Result<T> {
    let parent = cursor.element();
    let mut value = None;
    while let Some(tag) = cursor.next_child()? {
        if tag != wanted {
            return cursor.misplaced();
        }
        cursor.once(&mut value, &read)?;
    }
    cursor.required(value, parent, wanted)
}

/// Consumes an answer that is a status and what was asked for.
fn read_answer<T>(
    cursor: &mut Cursor<'_>,
    read: impl Fn(&mut Cursor<'_>) -> Result<T>,
) -> Result<(Status, Option<T>)> {
    let parent = cursor.element();
    let (mut status, mut get) = (None, None);
    while let Some(tag) = cursor.next_child()? {
        match tag {
            STATUS => Field::read(&mut status, cursor)?,
            GET => cursor.once(&mut get, &read)?,
            _ => return cursor.misplaced(),
        }
    }
    Ok((cursor.required(status, parent, STATUS)?, get))
}

/// Consumes an answer that is a status.
pub(super) fn read_status(cursor: &mut Cursor<'_>) -> Result<Status> {
    only_child(cursor, STATUS, Status::read)
}

/// Writes an answer that is a status.
pub(super) fn write_status(encoder: &mut Encoder, tag: Tag, status: Status) {
    encoder.container(tag, |encoder| encoder.number(STATUS, status.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::Error;
    use crate::status::settings;
    use crate::status::settings_property::SUCCESS;
    use crate::version::ProtocolVersion;

    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;
    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;

    #[test]
    fn a_device_password_is_a_known_answer_and_does_not_show() {
        let password = Property::DevicePassword(Password("9814".into()));
        assert!(!format!("{password:?}").contains("9814"));
        both_ways("47", V14_0, Request { properties: vec![password] });
    }

    #[test]
    fn several_properties_keep_their_order() {
        let properties = vec![
            Property::UserInformation,
            Property::RightsManagementInformation,
            Property::DeviceInformation(DeviceInformation {
                model: Some("TestPhone 3".into()),
                ..DeviceInformation::default()
            }),
        ];
        comes_back(V14_1, &Request { properties: properties.clone() });

        // 14.0 has no rights management, so it is neither written nor read.
        let read =
            Request::decode(V14_0, &Request { properties: properties.clone() }.encode(V14_0));
        assert_eq!(read.unwrap().properties, [properties[0].clone(), properties[2].clone()]);
        let read = Request::decode(V14_0, &Request { properties }.encode(V14_1));
        assert!(matches!(read, Err(Error::Version { tag: RIGHTS_MANAGEMENT_INFORMATION, .. })));
    }

    #[test]
    fn answers_come_back() {
        let answers = vec![
            Answer::RightsManagementInformation {
                status: SUCCESS,
                get: Some(RightsManagementTemplates::default()),
            },
            Answer::Oof { status: settings::INVALID_ARGUMENTS, get: None },
            Answer::DeviceInformation(SUCCESS),
            Answer::DevicePassword(settings::DENIED_BY_POLICY),
            Answer::UserInformation { status: settings::PROTOCOL_ERROR, get: None },
        ];
        comes_back(V14_1, &Response { status: settings::SUCCESS, answers });
        comes_back(V14_1, &Response { status: settings::PROTOCOL_ERROR, answers: vec![] });
    }

    fn problem(properties: &str) -> Problem {
        let xml = format!("<Settings xmlns='Settings'>{properties}</Settings>");
        match decoded::<Request>(V14_1, &xml) {
            Err(Error::Schema { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_property_stands_once_and_says_what_it_wants() {
        let get = "<UserInformation><Get/></UserInformation>";
        assert_eq!(problem(&format!("{get}{get}")), Problem::Duplicate);
        assert_eq!(problem("<UserInformation/>"), Problem::Missing(GET));
        assert_eq!(problem("<DevicePassword><Set/></DevicePassword>"), Problem::Missing(PASSWORD));
        assert_eq!(problem("<Status>1</Status>"), Problem::Misplaced);
    }
}
