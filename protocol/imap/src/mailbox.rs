//! Mailbox names: what people read, and what goes over the wire (modified UTF-7, or UTF-8 where that is enabled).
//!
//! A name that came from a server goes back to it octet for octet, even if it was spelt in a way we would not spell it.

use crate::base64;

/// The name of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    name: String,
    /// The octets on the wire, if they are not what we would write for the name.
    wire: Option<Vec<u8>>,
}

impl Mailbox {
    /// A mailbox by the name people read; INBOX in any case is INBOX (RFC 9051 5.1).
    pub fn new(name: &str) -> Mailbox {
        let name = if name.eq_ignore_ascii_case("INBOX") { "INBOX" } else { name };
        Mailbox { name: name.to_owned(), wire: None }
    }

    /// The mailbox every user has.
    pub fn inbox() -> Mailbox {
        Mailbox::new("INBOX")
    }

    /// A mailbox as a server names it; `utf8` says whether UTF8=ACCEPT is enabled (RFC 6855).
    pub fn from_wire(octets: &[u8], utf8: bool) -> Mailbox {
        let name = match decode_utf7(octets) {
            Some(name) if !utf8 => name,
            _ => String::from_utf8_lossy(octets).into_owned(),
        };
        let mut mailbox = Mailbox::new(&name);
        if mailbox.to_wire(utf8) != octets && mailbox.name != "INBOX" {
            mailbox.wire = Some(octets.to_vec());
        }
        mailbox
    }

    /// The name people read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The octets a server knows it by.
    pub fn to_wire(&self, utf8: bool) -> Vec<u8> {
        match &self.wire {
            Some(octets) => octets.clone(),
            None if utf8 => self.name.clone().into_bytes(),
            None => encode_utf7(&self.name),
        }
    }
}

impl std::fmt::Display for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Writes modified UTF-7 (RFC 3501 5.1.3).
pub fn encode_utf7(name: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    for character in name.chars() {
        if matches!(character, ' '..='~') {
            flush(&mut shifted, &mut text);
            text.push(character as u8);
            if character == '&' {
                text.push(b'-');
            }
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                shifted.extend(unit.to_be_bytes());
            }
        }
    }
    flush(&mut shifted, &mut text);
    text
}

/// Reads modified UTF-7; nothing if it is none.
pub fn decode_utf7(octets: &[u8]) -> Option<String> {
    let mut name = String::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'&' => {
                let end = rest.iter().position(|&c| c == b'-')?;
                match end {
                    0 => name.push('&'),
                    _ => name.push_str(&shifted(&rest[..end])?),
                }
                rest = &rest[end + 1..];
            }
            b' '..=b'~' => name.push(char::from(octet)),
            _ => return None,
        }
    }
    Some(name)
}

fn flush(shifted: &mut Vec<u8>, text: &mut Vec<u8>) {
    if !shifted.is_empty() {
        text.push(b'&');
        base64::encode_modified(shifted, text);
        text.push(b'-');
        shifted.clear();
    }
}

fn shifted(digits: &[u8]) -> Option<String> {
    let octets = base64::decode_modified(digits)?;
    let (pairs, odd) = octets.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_both_ways() {
        for (name, wire) in [
            ("Entwürfe", "Entw&APw-rfe"),
            ("Tom & Jerry", "Tom &- Jerry"),
            // RFC 3501 5.1.3.
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("📬", "&2D3c7A-"),
        ] {
            assert_eq!(encode_utf7(name), wire.as_bytes());
            assert_eq!(decode_utf7(wire.as_bytes()).as_deref(), Some(name));
            assert_eq!(Mailbox::from_wire(name.as_bytes(), true), Mailbox::new(name));
        }
    }

    #[test]
    fn what_a_server_spells_its_own_way_goes_back_as_it_came() {
        for odd in [&b"Entw\xc3\xbcrfe"[..], b"a&b", b"&AGE-", b"&!-", b"\xff\xfe", b"&2D0-"] {
            assert_eq!(Mailbox::from_wire(odd, false).to_wire(false), odd);
        }
        assert_eq!(Mailbox::from_wire(b"Entw\xc3\xbcrfe", false).name(), "Entwürfe");
        assert_eq!(Mailbox::from_wire(b"inbox", false), Mailbox::inbox());
    }

    proptest::proptest! {
        #[test]
        fn any_name_comes_back(name: String) {
            let wire = encode_utf7(&name);
            proptest::prop_assert!(wire.iter().all(|c| (b' '..=b'~').contains(c)));
            proptest::prop_assert_eq!(decode_utf7(&wire), Some(name));
        }

        #[test]
        fn any_octets_come_back(octets: Vec<u8>, utf8: bool) {
            let mailbox = Mailbox::from_wire(&octets, utf8);
            if mailbox != Mailbox::inbox() {
                proptest::prop_assert_eq!(mailbox.to_wire(utf8), octets);
            }
        }
    }
}
