//! As much of BER (X.690) as it takes to see that an LDAP message is sound before a parser that trusts its input reads it.
//!
//! Pure. What passes is of bounded length, nests no deeper than [`DEPTH_MAX`], and each part lies within what holds it.

/// What stands before the content of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The tag.
    pub(super) tag: u8,
    /// Octets of tag and length.
    pub(super) octets: usize,
    /// Octets of the content.
    pub(super) content: usize,
}

/// Reads what stands before the content; `None` when that takes more octets than there are.
pub(super) fn head(octets: &[u8]) -> Result<Option<Head>, &'static str> {
    let [tag, first, rest @ ..] = octets else { return Ok(None) };
    if tag & LONG_TAG == LONG_TAG {
        return Err("a tag that LDAP does not have");
    }
    if *first < 0x80 {
        return Ok(Some(Head { tag: *tag, octets: 2, content: usize::from(*first) }));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > LENGTH_OCTETS_MAX {
        return Err("a length that LDAP does not have");
    }
    let Some(length) = rest.get(..count) else { return Ok(None) };
    let content = length.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet));
    Ok(Some(Head { tag: *tag, octets: 2 + count, content }))
}

/// Whether a whole message is sound.
pub(super) fn check(message: &[u8]) -> Result<(), &'static str> {
    let mut ends = vec![message.len()];
    let mut at = 0;
    while at < message.len() {
        let head = head(&message[at..])?.ok_or("an element that is cut off")?;
        let content = at + head.octets;
        let end = content + head.content;
        if ends.last().is_none_or(|around| end > *around) {
            return Err("an element larger than what holds it");
        }
        if head.tag & CONSTRUCTED == 0 {
            at = end;
        } else {
            if ends.len() >= DEPTH_MAX {
                return Err("elements that lie too deep in each other");
            }
            ends.push(end);
            at = content;
        }
        while ends.len() > 1 && ends.last() == Some(&at) {
            ends.pop();
        }
    }
    Ok(())
}

/// The StartTLS request (RFC 4511 4.14.1), as message 1.
pub(super) fn start_tls() -> Vec<u8> {
    let mut request = vec![0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16];
    request.extend(START_TLS);
    request
}

/// Whether a message is the answer to it, and says that TLS may begin.
pub(super) fn agrees_to_tls(message: &[u8]) -> bool {
    // SEQUENCE { messageID 1, [APPLICATION 24] { resultCode success, .. } }
    let Ok(Some(outer)) = head(message) else { return false };
    let Some(rest) = message.get(outer.octets..).and_then(|r| r.strip_prefix(&[0x02, 0x01, 0x01]))
    else {
        return false;
    };
    let Ok(Some(answer)) = head(rest) else { return false };
    answer.tag == 0x78
        && rest.get(answer.octets..).is_some_and(|r| r.starts_with(&[0x0a, 0x01, 0x00]))
}

const START_TLS: &[u8; 22] = b"1.3.6.1.4.1.1466.20037";
/// The bits of a tag that goes on in further octets.
const LONG_TAG: u8 = 0x1f;
/// The bit of an element that holds others.
const CONSTRUCTED: u8 = 0x20;
/// Octets of a length.
const LENGTH_OCTETS_MAX: usize = 4;
/// How deep elements of a message may lie in each other; an entry needs six.
const DEPTH_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_message_passes_and_no_other() {
        assert_eq!(check(&start_tls()), Ok(()));
        let agreed =
            [0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00];
        assert_eq!(check(&agreed), Ok(()));
        assert!(agrees_to_tls(&agreed));
        let mut refused = agreed;
        refused[9] = 0x02;
        assert!(!agrees_to_tls(&refused) && !agrees_to_tls(&agreed[..6]) && !agrees_to_tls(&[]));
        for wrong in [
            &[0x30, 0x03, 0x02, 0x04, 0x01][..],
            &[0x30, 0x80, 0x00, 0x00],
            &[0x1f, 0x01, 0x00],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30],
            &[0x30, 0x82, 0x01],
            &[0x30, 0x02, 0x30, 0x01, 0x00],
        ] {
            assert!(check(wrong).is_err(), "{wrong:02x?}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_refused() {
        let nested = |depth: usize| {
            let mut message = Vec::new();
            for _ in 0..depth {
                let length = u8::try_from(message.len()).unwrap();
                message.splice(0..0, [0x30, length]);
            }
            message
        };
        assert_eq!(check(&nested(DEPTH_MAX - 1)), Ok(()));
        assert!(check(&nested(DEPTH_MAX)).is_err());
    }
}
