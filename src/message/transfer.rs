//! Content transfer encodings, both directions: base64 and quoted-printable, read leniently and written strictly.
//!
//! Reading never fails: what is not in the alphabet is skipped (base64) or kept as it stands (quoted-printable).

use std::borrow::Cow;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

/// How the octets of a part are written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit, 8bit, binary and everything unknown: as they are.
    #[default]
    Identity,
    Base64,
    QuotedPrintable,
}

impl Encoding {
    /// Reads the value of a Content-Transfer-Encoding field.
    pub(crate) fn parse(value: &str) -> Encoding {
        let value = value.trim();
        if value.eq_ignore_ascii_case("base64") {
            Encoding::Base64
        } else if value.eq_ignore_ascii_case("quoted-printable") {
            Encoding::QuotedPrintable
        } else {
            Encoding::Identity
        }
    }

    /// The octets themselves.
    pub(crate) fn decode(self, written: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Encoding::Identity => Cow::Borrowed(written),
            Encoding::Base64 => Cow::Owned(base64(written)),
            Encoding::QuotedPrintable => Cow::Owned(quoted_printable(written)),
        }
    }

    /// How many octets [`Encoding::decode`] would give, without keeping them.
    pub(crate) fn decoded_size(self, written: &[u8]) -> usize {
        match self {
            Encoding::Identity => written.len(),
            Encoding::Base64 => base64_size(written),
            Encoding::QuotedPrintable => quoted_printable(written).len(),
        }
    }
}

/// Reads base64, skipping whatever does not belong to it; padding ends a group, so joined pieces are read as one.
pub(crate) fn base64(written: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(written.len() / 4 * 3 + 3);
    let (mut group, mut bits) = (0u32, 0u32);
    for &octet in written {
        let value = SIXTETS[usize::from(octet)];
        if value < 64 {
            group = group << 6 | u32::from(value);
            bits += 6;
            if bits == 24 {
                out.extend_from_slice(&group.to_be_bytes()[1..]);
                (group, bits) = (0, 0);
            }
        } else if octet == b'=' {
            flush(&mut out, group, bits);
            (group, bits) = (0, 0);
        }
    }
    flush(&mut out, group, bits);
    out
}

fn flush(out: &mut Vec<u8>, group: u32, bits: u32) {
    if bits >= 12 {
        let aligned = (group << (24 - bits)).to_be_bytes();
        out.extend_from_slice(&aligned[1..=(bits / 8) as usize]);
    }
}

fn base64_size(written: &[u8]) -> usize {
    let is_sixtet = |octet: &&u8| SIXTETS[usize::from(**octet)] < 64;
    if let Some(padding) = memchr::memchr(b'=', written)
        && written[padding..].iter().any(|octet| is_sixtet(&octet))
    {
        // Joined pieces: their groups end where their padding is.
        return base64(written).len();
    }
    let sixtets = written.iter().filter(is_sixtet).count();
    sixtets / 4 * 3 + [0, 0, 1, 2][sixtets % 4]
}

/// Reads quoted-printable; an equals sign that begins no escape stands for itself.
pub(crate) fn quoted_printable(written: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let used = match rest {
            [high, low, ..] if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                2
            }
            _ => soft_break(rest),
        };
        if used == 0 && !rest.is_empty() {
            out.push(b'=');
        }
        rest = &rest[used..];
    }
    out.extend_from_slice(rest);
    out
}

/// The length of `blanks line-end` at the start of `rest`, or zero.
fn soft_break(rest: &[u8]) -> usize {
    let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    match &rest[blanks..] {
        [b'\r', b'\n', ..] => blanks + 2,
        [b'\n', ..] => blanks + 1,
        _ => 0,
    }
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Writes base64 in lines of 76 characters, each ended by CRLF.
pub(crate) fn write_base64(octets: &[u8], out: &mut Vec<u8>) {
    out.reserve(octets.len() / 57 * 78 + 80);
    let mut line = [0u8; 76];
    for chunk in octets.chunks(57) {
        let length = STANDARD.encode_slice(chunk, &mut line).unwrap_or(0);
        out.extend_from_slice(&line[..length]);
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes text as quoted-printable in lines of at most 76 characters; line ends become CRLF.
pub(crate) fn write_quoted_printable(text: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    let mut rest = text;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        if octet == b'\n' || (octet == b'\r' && rest.first() == Some(&b'\n')) {
            rest = if octet == b'\r' { &rest[1..] } else { rest };
            out.extend_from_slice(b"\r\n");
            column = 0;
            continue;
        }
        let at_line_end = matches!(rest.first(), None | Some(b'\r' | b'\n'));
        let plain = matches!(octet, b'!'..=b'<' | b'>'..=b'~')
            || (matches!(octet, b' ' | b'\t') && !at_line_end);
        let plain = plain && !(column == 0 && octet == b'.');
        let width = if plain { 1 } else { 3 };
        if column + width > 75 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(octet);
        } else {
            out.extend_from_slice(&[
                b'=',
                HEX[usize::from(octet >> 4)],
                HEX[usize::from(octet & 15)],
            ]);
        }
        column += width;
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The value of each base64 character, 255 for all others.
const SIXTETS: [u8; 256] = {
    let mut table = [255u8; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut index = 0;
    while index < 64 {
        table[alphabet[index] as usize] = index as u8;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_leniently() {
        assert_eq!(base64(b"SGVsbG8="), b"Hello");
        assert_eq!(base64(b"SGVs\r\n bG8"), b"Hello");
        assert_eq!(base64(b"SGk=SGk="), b"HiHi");
        assert_eq!(base64(b"S"), b"");
        assert_eq!(base64(b"!!!"), b"");
    }

    #[test]
    fn the_size_is_known_without_decoding() {
        for written in
            [&b"SGVsbG8="[..], b"SGVs\r\nbG8", b"SGk=SGk=\r\nSGk=\r\n", b"", b"S", b"SGVsbG8=\r\n"]
        {
            assert_eq!(Encoding::Base64.decoded_size(written), base64(written).len());
        }
    }

    #[test]
    fn quoted_printable_is_read_leniently() {
        assert_eq!(quoted_printable(b"a=3Db=\r\nc= \nd=zz="), b"a=bcd=zz");
        assert_eq!(quoted_printable(b"=e4=E4"), b"\xe4\xe4");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = "Grüße = 1 \r\n. dot\r\n".repeat(20) + &"x".repeat(200);
        let mut out = Vec::new();
        write_quoted_printable(text.as_bytes(), &mut out);
        assert_eq!(quoted_printable(&out), text.as_bytes());
        assert!(out.split(|b| *b == b'\n').all(|line| line.len() <= 77));
        let mut out = Vec::new();
        write_base64(text.as_bytes(), &mut out);
        assert_eq!(base64(&out), text.as_bytes());
    }
}
