//! Conversations: which messages belong together, and in which order, in the octets phones expect.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Message;
use super::headers::HEADER_OCTETS_MAX;
use crate::clock::Timestamp;

/// Sixteen octets that are the same for all messages of a conversation, in every folder ([MS-ASEMAIL] 2.2.2.21).
///
/// The root of a thread is the first of References, else In-Reply-To, else the message itself by its Message-ID; a message
/// without any of these belongs to its subject, reply prefixes and case left aside.
pub fn conversation_id(message: &Message) -> [u8; 16] {
    let root = message.references().into_iter().next();
    let root = root.or_else(|| message.in_reply_to()).or_else(|| message.message_id());
    let (kind, name) = match root {
        Some(id) => ("id", id),
        None => ("subject", message.thread_topic().to_lowercase()),
    };
    let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id
}

/// The same of raw octets, of any size: only the header is looked at. `None` where there is none that can be read.
pub fn conversation_of_raw(raw: &[u8]) -> Option<[u8; 16]> {
    let end = memchr::memmem::find(raw, b"\r\n\r\n").map_or(raw.len(), |at| at + 4);
    let head = &raw[..end.min(HEADER_OCTETS_MAX)];
    Message::parse(Bytes::copy_from_slice(head)).ok().map(|message| conversation_id(&message))
}

/// Where the message stands in its conversation: five octets of time, five more per reply level ([MS-ASCON] 2.2.2.4).
///
/// From Thread-Index where the message has a valid one, else the header alone, made from the date.
pub fn conversation_index(message: &Message) -> Vec<u8> {
    let stated = message.header("thread-index").and_then(|text| thread_index(&text));
    stated.unwrap_or_else(|| index_header(message.date().unwrap_or(Timestamp::ZERO)).to_vec())
}

/// The Thread-Index of an answer to a mail, or of the mail sent on: that of the mail, and one level more
/// ([MS-ASCON] 2.2.2.4).
pub(super) fn answer_index(source: &Message, now: Timestamp) -> String {
    let stated = source.header("thread-index").and_then(|text| whole_thread_index(&text));
    let mut octets = stated.unwrap_or_else(|| {
        let time = index_header(source.date().unwrap_or(now));
        [&[1][..], &time, &conversation_id(source)].concat()
    });
    if octets.len() < INDEX_OCTETS_MAX {
        octets.extend(response_level(&octets[1..6], now));
    }
    STANDARD.encode(octets)
}

/// How long after the time of the header something was answered: a bit that says in which unit, 31 bits, and an octet to tell
/// answers of the same moment apart, which we do not need.
fn response_level(header: &[u8], now: Timestamp) -> [u8; 5] {
    let mut start = [1, 0, 0, 0, 0, 0, 0, 0];
    start[1..6].copy_from_slice(header);
    let since = ticks(now).saturating_sub(u64::from_be_bytes(start));
    let level = match u32::try_from(since >> 18) {
        Ok(fine) if fine <= LEVEL_MAX => fine,
        _ => !LEVEL_MAX | (u32::try_from(since >> 23).unwrap_or(LEVEL_MAX) & LEVEL_MAX),
    };
    let [a, b, c, d] = level.to_be_bytes();
    [a, b, c, d, 0]
}

fn thread_index(text: &str) -> Option<Vec<u8>> {
    let octets = whole_thread_index(text)?;
    Some([&octets[1..6], &octets[22..]].concat())
}

/// A valid Thread-Index is 0x01, five octets of time, sixteen of a GUID, and five per reply.
fn whole_thread_index(text: &str) -> Option<Vec<u8>> {
    let text: String =
        text.chars().filter(|c| !c.is_whitespace()).take(INDEX_CHARACTERS_MAX).collect();
    let octets = STANDARD.decode(text).ok()?;
    if octets.len() < 22 || (octets.len() - 22) % 5 != 0 || octets[0] != 1 {
        return None;
    }
    Some(octets)
}

/// Tenths of microseconds since 1601.
fn ticks(time: Timestamp) -> u64 {
    u64::try_from((i128::from(time.0) + FILETIME_EPOCH_MS) * 10_000).unwrap_or(0)
}

fn index_header(date: Timestamp) -> [u8; 5] {
    let ticks = ticks(date).to_be_bytes();
    [ticks[1], ticks[2], ticks[3], ticks[4], ticks[5]]
}

/// The subject without the prefixes that replying and forwarding put before it.
pub(crate) fn topic(subject: &str) -> &str {
    let mut topic = subject.trim();
    for _ in 0..PREFIXES_MAX {
        match without_prefix(topic) {
            Some(rest) => topic = rest,
            None => break,
        }
    }
    topic
}

fn without_prefix(topic: &str) -> Option<&str> {
    let (prefix, rest) = topic.split_once([':', '\u{ff1a}'])?;
    let word = prefix
        .split(['[', '('])
        .next()
        .unwrap_or(prefix)
        .trim_end_matches(|c: char| c.is_ascii_digit());
    let known = PREFIXES.iter().any(|known| known.to_lowercase() == word.trim().to_lowercase());
    known.then(|| rest.trim_start())
}

/// `Re` and `Fwd` as mailers of several languages write them.
const PREFIXES: [&str; 22] = [
    "Re", "Fw", "Fwd", "Aw", "Wg", "Antw", "Sv", "Vs", "Vb", "Tr", "Rv", "Enc", "Odp", "Pd", "Ref",
    "Rif", "R", "I", "Res", "回复", "转发", "答复",
];
const PREFIXES_MAX: usize = 32;
/// 22 octets and 99 reply levels: what is longer is not made longer still.
const INDEX_OCTETS_MAX: usize = 22 + 99 * 5;
/// The 31 bits of a reply level that are a time.
const LEVEL_MAX: u32 = 0x7FFF_FFFF;
/// 22 octets and 100 reply levels in base64.
const INDEX_CHARACTERS_MAX: usize = 696;
/// Milliseconds from 1601-01-01 to 1970-01-01.
const FILETIME_EPOCH_MS: i128 = 11_644_473_600_000;

#[cfg(test)]
mod tests {
    use conformance::conforms;

    use super::*;

    fn message(header: &str) -> Message {
        Message::parse(format!("{header}\r\n\r\nbody").into_bytes().into()).unwrap()
    }

    #[test]
    fn topics_lose_their_prefixes() {
        assert_eq!(topic("Re: AW: Fwd[2]: RE (3): budget: 2026"), "budget: 2026");
        assert_eq!(topic("回复：报告"), "报告");
        assert_eq!(topic("Reply: no prefix"), "Reply: no prefix");
        assert_eq!(topic("Re:"), "");
    }

    #[test]
    fn a_reply_joins_the_conversation_of_its_root() {
        let root = message("Message-ID: <1@x.example>\r\nSubject: plan");
        let reply =
            message("Message-ID: <2@x.example>\r\nIn-Reply-To: <1@x.example>\r\nSubject: Re: plan");
        let deep =
            message("Message-ID: <3@x.example>\r\nReferences: <1@x.example>\r\n <2@x.example>");
        let other = message("Message-ID: <4@x.example>\r\nSubject: plan");
        assert_eq!(conversation_id(&root), conversation_id(&reply));
        assert_eq!(conversation_id(&root), conversation_id(&deep));
        assert_ne!(conversation_id(&root), conversation_id(&other));
        assert_eq!(
            conversation_id(&message("Subject: a")),
            conversation_id(&message("Subject: Re: A"))
        );
    }

    #[test]
    fn the_index_comes_from_thread_index_or_from_the_date() {
        let mut octets = vec![1, 0xcd, 0x2d, 0x57, 0x58, 0x36];
        octets.extend([7; 16]);
        octets.extend([1, 2, 3, 4, 5]);
        let stated = message(&format!("Thread-Index: {}", STANDARD.encode(&octets)));
        assert_eq!(conversation_index(&stated), [0xcd, 0x2d, 0x57, 0x58, 0x36, 1, 2, 3, 4, 5]);
        let dated = message("Date: Wed, 09 May 2012 00:00:00 +0000");
        assert_eq!(&conversation_index(&dated)[..2], [0xcd, 0x2d]);
        assert_eq!(conversation_index(&message("Thread-Index: AQ==")).len(), 5);
        // 2012-05-09 as 100 ns since 1601, without the two lowest octets.
        assert_eq!(conversation_index(&dated), [0xcd, 0x2d, 0x76, 0xad, 0x45]);
        conforms!("MS-ASCON_R304", "MS-ASCON_R90", "MS-ASCON_R95", "MS-ASCON_R97");
        conforms!("MS-ASCON_R308", "MS-ASCON_R309");
    }

    #[test]
    fn an_answer_is_one_level_further() {
        let source = message("Date: Wed, 09 May 2012 00:00:00 +0000\r\nMessage-ID: <1@x.example>");
        let date = source.date().unwrap();
        let index = |now: i64| {
            let index = answer_index(&source, Timestamp(date.0 + now));
            conversation_index(&message(&format!("Thread-Index: {index}")))
        };
        assert_eq!(index(0)[..5], conversation_index(&source));
        // An hour is 36 000 000 000 ticks, of which the 18 lowest bits are left out; four years are in units of 23 bits.
        assert_eq!(index(3_600_000)[5..], [0, 2, 0x18, 0x71, 0]);
        assert_eq!(index(4 * 365 * 86_400_000)[5], 0x88);
        assert_eq!(index(-5)[5..], [0; 5]);
        conforms!("MS-ASCON_R86", "MS-ASCON_R400");
        let second = message(&format!("Thread-Index: {}", answer_index(&source, date)));
        let index = answer_index(&second, Timestamp(date.0 + 60_000));
        assert_eq!(conversation_index(&message(&format!("Thread-Index: {index}"))).len(), 15);
    }
}
