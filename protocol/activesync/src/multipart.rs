//! Multipart answers to ItemOperations ([MS-ASCMD] 2.2.1.10.1): the document first, then raw bytes.
//!
//! A count of parts, for each its offset and length, then the parts; all numbers are u32 in little
//! endian.

/// Why octets are no multipart answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a multipart answer")
    }
}

impl std::error::Error for Malformed {}

/// Puts a document and the parts it refers to, from part 1 on, into one body. `None` if that is
/// longer than a u32 can say.
pub fn encode<P: AsRef<[u8]>>(document: &[u8], parts: &[P]) -> Option<Vec<u8>> {
    let parts = || std::iter::once(document).chain(parts.iter().map(AsRef::as_ref));
    let count = parts().count();
    let mut offset = NUMBER_OCTETS + count * ENTRY_OCTETS;
    let mut body = Vec::with_capacity(offset + parts().map(<[u8]>::len).sum::<usize>());
    body.extend(u32::try_from(count).ok()?.to_le_bytes());
    for part in parts() {
        body.extend(u32::try_from(offset).ok()?.to_le_bytes());
        body.extend(u32::try_from(part.len()).ok()?.to_le_bytes());
        offset += part.len();
    }
    parts().for_each(|part| body.extend(part));
    Some(body)
}

/// Takes a body apart: part 0 is the document.
pub fn decode(body: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let number = |at: usize| {
        let octets = body.get(at..at.checked_add(NUMBER_OCTETS)?)?;
        Some(u32::from_le_bytes(octets.try_into().ok()?) as usize)
    };
    let count = number(0).filter(|count| *count > 0 && *count <= body.len() / ENTRY_OCTETS);
    let part = |index: usize| {
        let entry = NUMBER_OCTETS + index * ENTRY_OCTETS;
        let (start, length) = (number(entry)?, number(entry + NUMBER_OCTETS)?);
        body.get(start..start.checked_add(length)?)
    };
    let parts = (0..count.ok_or(Malformed)?).map(part).collect::<Option<Vec<_>>>();
    parts.ok_or(Malformed)
}

const NUMBER_OCTETS: usize = 4;
const ENTRY_OCTETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        let body = encode(b"document", &[&b"one"[..], b""]).expect("short");
        assert_eq!(decode(&body), Ok(vec![&b"document"[..], b"one", b""]));
        assert_eq!(body[..12], [3, 0, 0, 0, 28, 0, 0, 0, 8, 0, 0, 0]);
    }

    #[test]
    fn what_points_outside_is_malformed() {
        let body = encode(b"document", &[b"one"]).expect("short");
        for length in 0..body.len() {
            assert_eq!(decode(&body[..length]), Err(Malformed), "{length}");
        }
        assert_eq!(decode(&[0xFF; 40]), Err(Malformed));
        assert_eq!(decode(&[0; 40]), Err(Malformed));
    }
}
