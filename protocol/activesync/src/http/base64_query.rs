//! The base64 spelling of a query ([MS-ASHTTP] 2.2.1.1.1.1): one string for all of it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::command::CommandName;
use crate::http::plain_query::percent_decode;
use crate::http::{Query, QueryError};
use crate::version::ProtocolVersion;

/// Reads the base64 spelling; padding may be missing and signs may be escaped.
pub(super) fn decode(raw: &str) -> Result<Query, QueryError> {
    let octets = BASE64.decode(percent_decode(raw)).map_err(|_| QueryError::Malformed)?;
    let mut octets = Octets(&octets);
    let version = octets.octet()?;
    let version = ProtocolVersion::from_octet(version).ok_or(QueryError::Version)?;
    let code = octets.octet()?;
    let locale = u16::from_le_bytes([octets.octet()?, octets.octet()?]);
    let device_id = device_id(octets.counted()?);
    let policy_key = match octets.counted()? {
        [] => None,
        key => Some(u32::from_le_bytes(key.try_into().map_err(|_| QueryError::Malformed)?)),
    };
    let device_type = text(octets.counted()?);
    let command = CommandName::from_code(code).ok_or(QueryError::UnknownCommand)?;
    let mut query = Query::new(command, device_id, device_type);
    query.version = Some(version);
    query.policy_key = policy_key;
    query.locale = Some(locale);
    while !octets.0.is_empty() {
        let tag = octets.octet()?;
        parameter(&mut query, tag, octets.counted()?);
    }
    Ok(query)
}

/// The device a query names, whatever version and command it is about.
pub(super) fn device_id_in(raw: &str) -> Option<String> {
    let octets = BASE64.decode(percent_decode(raw)).ok()?;
    let mut octets = Octets(octets.get(BEFORE_DEVICE_ID..)?);
    Some(device_id(octets.counted().ok()?))
}

/// Takes in one parameter ([MS-ASHTTP] 2.2.1.1.1.1.3); tags nobody knows are passed over.
fn parameter(query: &mut Query, tag: u8, value: &[u8]) {
    match tag {
        ATTACHMENT_NAME => query.attachment_name = Some(text(value)),
        COLLECTION_ID => query.collection_id = Some(text(value)),
        ITEM_ID => query.item_id = Some(text(value)),
        LONG_ID => query.long_id = Some(text(value)),
        OCCURRENCE => query.occurrence = Some(text(value)),
        OPTIONS => {
            let options = value.first().copied().unwrap_or(0);
            query.save_in_sent = options & SAVE_IN_SENT != 0;
            query.accept_multipart = options & ACCEPT_MULTIPART != 0;
        }
        USER => query.user = Some(text(value)),
        _ => {}
    }
}

/// Octets before the device id: the version, the command, the locale.
const BEFORE_DEVICE_ID: usize = 4;

/// Writes the base64 spelling.
pub(super) fn encode(query: &Query) -> Option<String> {
    let mut octets = vec![query.version?.octet(), query.command.code()?];
    octets.extend(query.locale.unwrap_or(LOCALE_DEFAULT).to_le_bytes());
    put_counted(&mut octets, query.device_id.as_bytes())?;
    match query.policy_key {
        Some(key) => put_counted(&mut octets, &key.to_le_bytes())?,
        None => put_counted(&mut octets, &[])?,
    }
    put_counted(&mut octets, query.device_type.as_bytes())?;
    let texts = [
        (ATTACHMENT_NAME, &query.attachment_name),
        (COLLECTION_ID, &query.collection_id),
        (ITEM_ID, &query.item_id),
        (LONG_ID, &query.long_id),
        (OCCURRENCE, &query.occurrence),
    ];
    for (tag, value) in texts {
        if let Some(value) = value {
            octets.push(tag);
            put_counted(&mut octets, value.as_bytes())?;
        }
    }
    let save_in_sent = if query.save_in_sent { SAVE_IN_SENT } else { 0 };
    let options = save_in_sent | if query.accept_multipart { ACCEPT_MULTIPART } else { 0 };
    if options != 0 {
        octets.push(OPTIONS);
        put_counted(&mut octets, &[options])?;
    }
    if let Some(user) = &query.user {
        octets.push(USER);
        put_counted(&mut octets, user.as_bytes())?;
    }
    Some(BASE64.encode(octets))
}

/// A device id is text, or 16 octets that some phones show as hexadecimal elsewhere. A text of
/// that length is told from octets by being letters and digits.
fn device_id(octets: &[u8]) -> String {
    let is_text = match octets.len() {
        GUID_OCTETS => octets.iter().all(u8::is_ascii_alphanumeric),
        _ => octets.iter().all(u8::is_ascii_graphic),
    };
    if is_text {
        return text(octets);
    }
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Writes a length and that many octets; `None` if there are more than a length can say.
fn put_counted(octets: &mut Vec<u8>, value: &[u8]) -> Option<()> {
    octets.push(value.len().try_into().ok()?);
    octets.extend(value);
    Some(())
}

/// What is left to read.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn octet(&mut self) -> Result<u8, QueryError> {
        let (first, rest) = self.0.split_first().ok_or(QueryError::Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A length and that many octets.
    fn counted(&mut self) -> Result<&'a [u8], QueryError> {
        let length = usize::from(self.octet()?);
        let (value, rest) = self.0.split_at_checked(length).ok_or(QueryError::Malformed)?;
        self.0 = rest;
        Ok(value)
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const ATTACHMENT_NAME: u8 = 0;
const COLLECTION_ID: u8 = 1;
const ITEM_ID: u8 = 3;
const LONG_ID: u8 = 4;
const OCCURRENCE: u8 = 6;
const OPTIONS: u8 = 7;
const USER: u8 = 8;

const SAVE_IN_SENT: u8 = 0x01;
const ACCEPT_MULTIPART: u8 = 0x02;

/// English as spoken in the United States ([MS-LCID]).
const LOCALE_DEFAULT: u16 = 0x0409;

const GUID_OCTETS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: &str = "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l";
    const REPLY: &str = "oQMJBBBOaW5lMDEyMzQ1Njc4OUFCBFktBOsHQW5kcm9pZAEBMQMEMTo0MQcBAQ==";
    const FETCH: &str = "jRMHBBCcP+ChstROb4qQwdLj9AUWAANXUDgHAQI=";

    /// [MS-ASHTTP] 2.2.1.1.1.1, the specification's own example.
    #[test]
    fn the_example_of_the_specification() {
        let mut query = Query::new(CommandName::Sync, "v140Device", "SmartPhone");
        query.version = Some(ProtocolVersion::V14_0);
        query.locale = Some(0x0409);
        assert_eq!(Query::decode(SYNC), Ok(query.clone()));
        assert_eq!(query.encode_base64().as_deref(), Some(SYNC));
    }

    #[test]
    fn a_reply_with_policy_key_and_parameters() {
        let mut query = Query::new(CommandName::SmartReply, "Nine0123456789AB", "Android");
        query.version = Some(ProtocolVersion::V16_1);
        query.locale = Some(0x0409);
        query.policy_key = Some(3_942_919_513);
        query.collection_id = Some("1".into());
        query.item_id = Some("1:41".into());
        query.save_in_sent = true;
        assert_eq!(Query::decode(REPLY), Ok(query.clone()));
        assert_eq!(query.encode_base64().as_deref(), Some(REPLY));
    }

    #[test]
    fn a_device_id_of_16_octets_reads_as_the_phone_shows_it() {
        let query = Query::decode(FETCH).expect("a query");
        assert_eq!(query.command, CommandName::ItemOperations);
        assert_eq!(query.device_id, "9C3FE0A1B2D44E6F8A90C1D2E3F40516");
        assert_eq!((query.version, query.locale), (Some(ProtocolVersion::V14_1), Some(0x0407)));
        assert!(query.accept_multipart && !query.save_in_sent && query.policy_key.is_none());
    }

    #[test]
    fn padding_may_be_missing_and_signs_escaped() {
        assert_eq!(Query::decode(REPLY.trim_end_matches('=')), Query::decode(REPLY));
        let escaped = FETCH.replace('+', "%2B").replace('=', "%3D");
        assert_eq!(Query::decode(&escaped), Query::decode(FETCH));
    }

    #[test]
    fn what_does_not_add_up_is_malformed() {
        let error = |octets: &[u8]| Query::decode(&BASE64.encode(octets)).expect_err("no query");
        let good = BASE64.decode(SYNC).expect("base64");
        for length in 0..good.len() {
            assert_eq!(error(&good[..length]), QueryError::Malformed, "{length}");
        }
        assert_eq!(error(&[&good[..], &[1]].concat()), QueryError::Malformed);
        assert_eq!(error(&[&good[..], &[1, 2, 0x31]].concat()), QueryError::Malformed);
        assert_eq!(error(&[140, 0, 9, 4, 1, b'a', 3, 0, 0, 0, 1, b'b']), QueryError::Malformed);
        assert_eq!(error(&[191, 0, 9, 4, 1, b'a', 0, 1, b'b']), QueryError::Version);
        assert_eq!(error(&[140, 7, 9, 4, 1, b'a', 0, 1, b'b']), QueryError::UnknownCommand);
        assert_eq!(error(&[140, 0, 9, 4, 0, 0, 1, b'b']), QueryError::DeviceId);
        assert_eq!(error(&[140, 0, 9, 4, 1, b'a', 0, 0]), QueryError::DeviceType);
        assert!(Query::decode(&BASE64.encode([&good[..], &[5, 1, 9]].concat())).is_ok());
    }
}
