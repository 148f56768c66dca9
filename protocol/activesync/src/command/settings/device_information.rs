//! What a device says it is ([MS-ASCMD] 2.2.3.45), in Settings and in Provision.

use super::only_child;
use crate::code_pages::settings::*;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, fields};

fields! {
    /// What a device says it is. Nothing of it is checked, by anybody.
    pub struct DeviceInformation {
        /// Its model.
        model: Option<String> = MODEL,
        /// Its serial number in mobile networks.
        imei: Option<String> = IMEI,
        /// What its user calls it.
        friendly_name: Option<String> = FRIENDLY_NAME,
        /// Its operating system.
        os: Option<String> = OS,
        /// The language of that.
        os_language: Option<String> = OS_LANGUAGE,
        /// Its telephone number.
        phone_number: Option<String> = PHONE_NUMBER,
        /// What it calls itself in HTTP.
        user_agent: Option<String> = USER_AGENT,
        /// Whether it sends text messages for the server, `0` or `1`; since 14.0.
        enable_outbound_sms: Option<String> = ENABLE_OUTBOUND_SMS,
        /// Its mobile network; since 14.0.
        mobile_operator: Option<String> = MOBILE_OPERATOR,
    }
}

impl DeviceInformation {
    /// Consumes `DeviceInformation`, which was entered, as a request has it.
    pub(in crate::command) fn read_set(cursor: &mut Cursor<'_>) -> Result<Self> {
        let information = only_child(cursor, SET, Self::read)?;
        let longest = information.texts().map(|text| text.chars().count()).max();
        if longest.is_some_and(|chars| chars > TEXT_CHARS_MAX) {
            return Err(cursor.problem(Problem::TooLong));
        }
        Ok(information)
    }

    /// Writes what stands in `DeviceInformation` in a request.
    pub(in crate::command) fn write_set(&self, encoder: &mut Encoder) {
        self.write(encoder, SET);
    }

    fn texts(&self) -> impl Iterator<Item = &String> {
        let texts = [
            &self.model,
            &self.imei,
            &self.friendly_name,
            &self.os,
            &self.os_language,
            &self.phone_number,
            &self.user_agent,
            &self.enable_outbound_sms,
            &self.mobile_operator,
        ];
        texts.into_iter().flatten()
    }
}

/// How long each text may be ([MS-ASCMD] 2.2.3.45).
const TEXT_CHARS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::comes_back;
    use crate::command::settings::{Property, Request};
    use crate::document::Document;
    use crate::error::Error;
    use crate::version::ProtocolVersion;

    fn request(information: DeviceInformation) -> Request {
        Request { properties: vec![Property::DeviceInformation(information)] }
    }

    #[test]
    fn what_12_1_lacks_is_left_out() {
        let information = DeviceInformation {
            model: Some("TestPhone 3".into()),
            phone_number: Some(String::new()),
            user_agent: Some("TestPhone3/1.0".into()),
            mobile_operator: Some("None".into()),
            ..DeviceInformation::default()
        };
        let newer = request(information.clone());
        comes_back(ProtocolVersion::V14_0, &newer);
        let older = request(DeviceInformation { mobile_operator: None, ..information });
        let read = Request::decode(ProtocolVersion::V12_1, &newer.encode(ProtocolVersion::V12_1));
        assert_eq!(read, Ok(older));
    }

    #[test]
    fn texts_have_a_limit() {
        let long = |chars| {
            request(DeviceInformation { os: Some("é".repeat(chars)), ..Default::default() })
        };
        comes_back(ProtocolVersion::V16_1, &long(TEXT_CHARS_MAX));
        let octets = long(TEXT_CHARS_MAX + 1).encode(ProtocolVersion::V16_1);
        let read = Request::decode(ProtocolVersion::V16_1, &octets);
        assert!(matches!(read, Err(Error::Schema { problem: Problem::TooLong, .. })));
    }
}
