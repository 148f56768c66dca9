//! ValidateCert: whether certificates of mail are to be trusted ([MS-ASCMD] 2.2.1.22).

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use wbxml::Tag;

use crate::code_pages::validate_cert::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Element, Field};
use crate::status::Status;

/// Certificates one request may hold ([MS-ASCMD] 3.1.5.10), and certificates its chain may.
pub const CERTIFICATES_MAX: usize = 100;

/// Asks whether certificates are valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Certificates of issuers, to build chains of.
    pub chain: Vec<Certificate>,
    /// The certificates in question, at least one.
    pub certificates: Vec<Certificate>,
    /// Whether a revocation that cannot be looked up counts as one.
    pub check_crl: Option<bool>,
}

/// A certificate as it travels: base64 of X.509 in DER, maybe with line breaks. Whether it is one is for its own
/// status to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(pub String);

/// What is to be thought of the certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of the whole: [`crate::status::validate_cert`].
    pub status: Status,
    /// One status for each certificate, in their order: [`crate::status::certificate`].
    pub certificates: Vec<Status>,
}

impl Certificate {
    /// A certificate of these octets.
    pub fn new(der: &[u8]) -> Self {
        Self(BASE64.encode(der))
    }

    /// The octets of the certificate, if the text is base64.
    pub fn der(&self) -> Option<Vec<u8>> {
        let text: Vec<u8> = self.0.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
        BASE64.decode(text).ok()
    }
}

impl Element for Certificate {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        String::read(cursor).map(Self)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.text(tag, &self.0);
    }
}

impl Document for Request {
    const ROOT: Tag = VALIDATE_CERT;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut chain, mut certificates, mut check_crl) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                CERTIFICATE_CHAIN => cursor.once(&mut chain, read_certificates)?,
                CERTIFICATES => cursor.once(&mut certificates, read_certificates)?,
                CHECK_CRL => Field::read(&mut check_crl, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            chain: chain.unwrap_or_default(),
            certificates: cursor.required(certificates, Self::ROOT, CERTIFICATES)?,
            check_crl,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        if !self.chain.is_empty() {
            encoder.container(CERTIFICATE_CHAIN, |e| Field::write(&self.chain, e, CERTIFICATE));
        }
        encoder.container(CERTIFICATES, |e| Field::write(&self.certificates, e, CERTIFICATE));
        encoder.opt_boolean(CHECK_CRL, self.check_crl);
    }
}

/// Consumes a list of certificates, of which there has to be one.
fn read_certificates(cursor: &mut Cursor<'_>) -> Result<Vec<Certificate>> {
    let parent = cursor.element();
    let mut certificates = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            CERTIFICATE if certificates.len() == CERTIFICATES_MAX => {
                return Err(cursor.over_limit("100 certificates"));
            }
            CERTIFICATE => Field::read(&mut certificates, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    let some = (!certificates.is_empty()).then_some(certificates);
    cursor.required(some, parent, CERTIFICATE)
}

impl Document for Response {
    const ROOT: Tag = VALIDATE_CERT;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut certificates) = (None, Vec::new());
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                CERTIFICATE => {
                    let mut status = None;
                    while let Some(tag) = cursor.next_child()? {
                        match tag {
                            STATUS => Field::read(&mut status, cursor)?,
                            _ => return cursor.misplaced(),
                        }
                    }
                    certificates.push(cursor.required(status, CERTIFICATE, STATUS)?);
                }
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, certificates })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        for status in &self.certificates {
            encoder.container(CERTIFICATE, |encoder| encoder.number(STATUS, status.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::{Error, Problem};
    use crate::status::{certificate, validate_cert};
    use crate::version::ProtocolVersion;

    fn request() -> Request {
        Request {
            chain: vec![Certificate("MIIBAAAB".into())],
            certificates: vec![Certificate("MIICAAAC".into())],
            check_crl: Some(true),
        }
    }

    #[test]
    fn request_and_response_are_known_answers() {
        for version in ProtocolVersion::ALL {
            both_ways("56", version, request());
            let certificates = vec![certificate::EXPIRED_OR_NOT_YET_VALID];
            both_ways("57", version, Response { status: validate_cert::SUCCESS, certificates });
        }
    }

    #[test]
    fn a_certificate_may_have_line_breaks_or_be_none() {
        assert_eq!(Certificate("MIIB\r\nAAAB".into()).der(), Certificate("MIIBAAAB".into()).der());
        assert_eq!(Certificate::new(&[0x30, 0x82]).der(), Some(vec![0x30, 0x82]));
        let odd = Request { certificates: vec![Certificate("?".into())], ..request() };
        comes_back(ProtocolVersion::V12_1, &odd);
        assert_eq!(odd.certificates[0].der(), None);
    }

    #[test]
    fn there_is_a_certificate_and_there_are_not_too_many() {
        let problem = |xml: &str| {
            let xml = format!("<ValidateCert xmlns='ValidateCert'>{xml}</ValidateCert>");
            match decoded::<Request>(ProtocolVersion::V14_1, &xml) {
                Err(Error::Schema { problem, .. }) => problem,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(problem(""), Problem::Missing(CERTIFICATES));
        assert_eq!(problem("<Certificates/>"), Problem::Missing(CERTIFICATE));
        let certificates = vec![Certificate("MIIC".into()); CERTIFICATES_MAX + 1];
        let many = Request { certificates, ..request() };
        let octets = many.encode(ProtocolVersion::V14_1);
        let read = Request::decode(ProtocolVersion::V14_1, &octets);
        assert!(matches!(read, Err(Error::Limit { .. })));
    }
}
