//! What a certificate says of itself (RFC 5280 4.1), as far as statuses tell it apart: its times and its uses. Only DER is read, only once,
//! and nothing of it is believed before the chain was verified.

use activesync::types::DateTime;

use crate::clock::Timestamp;

/// id-kp-emailProtection, 1.3.6.1.5.5.7.3.4.
pub(super) const EMAIL: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 4];
/// anyExtendedKeyUsage, 2.5.29.37.0.
pub(super) const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0];
/// id-ce-keyUsage and id-ce-extKeyUsage.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// digitalSignature and nonRepudiation: what a signature of mail wants one of (RFC 8550 4.4.2).
const SIGNING_BITS: u8 = 0b1100_0000;

const BOOLEAN: u8 = 1;
const BIT_STRING: u8 = 3;
const OCTET_STRING: u8 = 4;
const OID: u8 = 6;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, `[0]`, and the extensions, `[3]`.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// What a certificate says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    from: DateTime,
    until: DateTime,
    /// Whether its key may sign mail.
    pub(super) may_sign: bool,
    /// Whether it is meant for mail.
    pub(super) is_for_mail: bool,
}

impl Facts {
    /// Reads a certificate; `None` where it is none.
    pub(super) fn read(der: &[u8]) -> Option<Facts> {
        let mut outer = Der(der);
        let mut certificate = outer.enter(SEQUENCE)?;
        if !outer.0.is_empty() {
            return None;
        }
        let mut body = certificate.enter(SEQUENCE)?;
        body.enter_if(VERSION);
        // Serial number, algorithm, issuer.
        for _ in 0..3 {
            body.next()?;
        }
        let mut validity = body.enter(SEQUENCE)?;
        let (from, until) = (validity.time()?, validity.time()?);
        let mut facts = Facts { from, until, may_sign: true, is_for_mail: true };
        while let Some((tag, content)) = body.next() {
            if tag == EXTENSIONS {
                facts.read_extensions(Der(content).enter(SEQUENCE)?)?;
            }
        }
        Some(facts)
    }

    fn read_extensions(&mut self, mut extensions: Der<'_>) -> Option<()> {
        while !extensions.0.is_empty() {
            let mut extension = extensions.enter(SEQUENCE)?;
            let id = extension.expect(OID)?;
            extension.enter_if(BOOLEAN);
            let mut value = Der(extension.expect(OCTET_STRING)?);
            match id {
                KEY_USAGE => {
                    let bits = value.expect(BIT_STRING)?;
                    self.may_sign = bits.get(1).is_some_and(|bits| bits & SIGNING_BITS != 0);
                }
                EXTENDED_KEY_USAGE => {
                    let mut purposes = value.enter(SEQUENCE)?;
                    self.is_for_mail = false;
                    while !purposes.0.is_empty() {
                        let purpose = purposes.expect(OID)?;
                        self.is_for_mail |= purpose == EMAIL || purpose == ANY;
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Whether it is valid then.
    pub(super) fn is_valid_at(&self, now: Timestamp) -> bool {
        (self.from.ms()..=self.until.ms()).contains(&now.ms())
    }
}

/// What is left of a row of DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value: its tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x83 => {
                let (octets, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet))
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    fn enter(&mut self, tag: u8) -> Option<Der<'a>> {
        self.expect(tag).map(Der)
    }

    fn enter_if(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    /// A time, in either spelling (RFC 5280 4.1.2.5).
    fn time(&mut self) -> Option<DateTime> {
        let (tag, content) = self.next()?;
        let text = std::str::from_utf8(content).ok().filter(|text| text.is_ascii())?;
        let text = match tag {
            UTC_TIME if text.len() == 13 => {
                let century = if text < "50" { "20" } else { "19" };
                format!("{century}{text}")
            }
            GENERALIZED_TIME if text.len() == 15 => text.to_owned(),
            _ => return None,
        };
        let (date, time) = text.split_at(8);
        DateTime::parse(&format!(
            "{}-{}-{}T{}:{}:{}.000Z",
            &date[..4],
            &date[4..6],
            &date[6..],
            &time[..2],
            &time[2..4],
            &time[4..6]
        ))
        .ok()
    }
}
