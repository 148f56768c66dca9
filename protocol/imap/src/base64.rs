//! Base64 with either alphabet: the usual one for SASL (RFC 4648 4), the one with `,` for mailbox names (RFC 3501 5.1.3).

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const MODIFIED: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// The octets in the usual alphabet, padded.
pub(crate) fn encode(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len().div_ceil(3) * 4);
    digits(octets, STANDARD, &mut text);
    while text.len() % 4 != 0 {
        text.push(b'=');
    }
    text
}

/// The octets in the alphabet of mailbox names, without padding.
pub(crate) fn encode_modified(octets: &[u8], text: &mut Vec<u8>) {
    digits(octets, MODIFIED, text);
}

/// The octets behind text in the alphabet of mailbox names; nothing if a digit is none or bits are left over.
pub(crate) fn decode_modified(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() * 3 / 4);
    let mut bits = 0u32;
    let mut have = 0;
    for digit in text {
        let value = MODIFIED.iter().position(|d| d == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        have += 6;
        if have >= 8 {
            have -= 8;
            octets.push((bits >> have) as u8);
            bits &= (1 << have) - 1;
        }
    }
    (bits == 0 && have < 6).then_some(octets)
}

fn digits(octets: &[u8], alphabet: &[u8; 64], text: &mut Vec<u8>) {
    for three in octets.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, &octet| bits << 8 | u32::from(octet));
        let bits = bits << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            text.push(alphabet[(bits >> (18 - 6 * digit)) as usize & 63]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // RFC 4648 10.
        for (octets, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(octets.as_bytes()), text.as_bytes());
        }
        assert_eq!(decode_modified(b"Zm9v"), Some(b"foo".to_vec()));
        assert_eq!(decode_modified(b"Zg"), Some(b"f".to_vec()));
        assert_eq!(decode_modified(b"Zh"), None, "bits left over");
        assert_eq!(decode_modified(b"Z/"), None);
    }
}
