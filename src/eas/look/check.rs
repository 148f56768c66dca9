//! What must hold for anything at all that somebody types into a search field.

use std::sync::LazyLock;

use bytes::Bytes;

use super::kql::Terms;
use crate::clock::Timestamp;
use crate::message::Message;

/// Reads the first line of `octets` as a query, and looks with it at a mail made of the others.
///
/// # Panics
/// If a promise of the reader is broken.
pub fn kql(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let (query, mail) = text.split_once('\n').unwrap_or((&text, ""));
    let terms = Terms::read(query, NOW);
    assert!(terms.count() <= 2 * TERMS_MAX, "{} terms", terms.count());
    assert_eq!(terms, Terms::read(query, NOW));
    terms.hold(&FIXED, NOW, true);
    let Ok(mail) = Message::parse(Bytes::from(format!("Subject: {}", mail.replace('\n', "\r\n"))))
    else {
        return;
    };
    terms.hold(&mail, NOW, false);
    if terms.is_empty() {
        // Nobody asks for nothing; so whoever looks with it finds everything, and callers refuse it.
        assert!(terms.hold(&mail, NOW, true));
    }
    found_by_its_words(&mail);
    times(query);
}

/// A mail is found by each word of its subject, in quotes, and not by the same word refused.
fn found_by_its_words(mail: &Message) {
    let subject = mail.subject();
    for word in subject.split_whitespace().filter(|word| !word.contains('"')).take(WORDS_MAX) {
        for (query, expected) in [
            (format!("\"{word}\""), true),
            (format!("subject:\"{word}\""), true),
            (format!("NOT \"{word}\""), false),
            (format!("(\"{word}\" OR from:nobody)"), true),
        ] {
            let terms = Terms::read(&query, NOW);
            assert_eq!(terms.hold(mail, NOW, false), expected, "{query}");
        }
    }
}

/// At any time exactly one of "before", "in" and "after" is true, where a word names a time at all.
fn times(word: &str) {
    if word.contains([' ', '"', '(', ')', '.', '*']) || word.contains(char::is_whitespace) {
        return;
    }
    let read = |sign: &str| Terms::read(&format!("received{sign}{word}"), NOW);
    if word.starts_with(['=', '<', '>']) || read("=").is_empty() {
        return;
    }
    for now in [Timestamp(0), NOW, Timestamp(NOW.ms() - 86_400_000)] {
        let holds = |sign: &str| read(sign).hold(&FIXED, now, false);
        let truths = [holds("<"), holds("="), holds(">")];
        assert_eq!(truths.iter().filter(|truth| **truth).count(), 1, "{word} at {}", now.ms());
        assert_eq!(holds("<="), truths[0] || truths[1]);
        assert_eq!(holds(">="), truths[1] || truths[2]);
    }
}

/// A mail with something in every place that is looked into.
static FIXED: LazyLock<Message> = LazyLock::new(|| {
    let raw = "From: Bob Gray <bob@b.example>\r\nTo: ann@a.example\r\nCc: cleo@c.example\r\nSubject: Salaries\r\n\
        Importance: high\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\
        Content-Type: text/plain\r\n\r\nSee the plan.\r\n--a\r\nContent-Type: application/pdf\r\n\
        Content-Disposition: attachment; filename=plan.pdf\r\n\r\nx\r\n--a--\r\n";
    Message::parse(Bytes::from(raw)).expect("a mail")
});

/// 24 November 2026, noon.
const NOW: Timestamp = Timestamp(1_795_521_600_000);
/// Words and signs of a query that count, each of which is one term at most, and of as many groups of them.
const TERMS_MAX: usize = super::kql::TOKENS_MAX;
/// Words of a subject that are looked for.
const WORDS_MAX: usize = 4;
