//! Mail to measure with: made from a number, so that every run has the same.

use std::fmt::Write as _;

/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A mail of about so many octets, text and HTML, with a subject and Message-ID of this name.
pub(crate) fn mail(name: &str, octets: usize) -> Vec<u8> {
    let mut text = format!(
        "From: Ada Lovelace <ada@example.org>\r\nTo: Everybody <all@example.org>\r\nSubject: {name}\r\n\
         Date: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <{name}@bench.example.org>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=\"{BOUNDARY}\"\r\n\r\n"
    );
    let _ = write!(text, "--{BOUNDARY}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
    fill(&mut text, octets / 4, "", "\r\n");
    let _ = write!(
        text,
        "--{BOUNDARY}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n"
    );
    fill(&mut text, octets.saturating_sub(64), "<p>", "</p>\r\n");
    let _ = write!(text, "</body></html>\r\n--{BOUNDARY}--\r\n");
    text.into_bytes()
}

/// Lines until the text has so many octets.
fn fill(text: &mut String, octets: usize, before: &str, after: &str) {
    let mut line = 0;
    while text.len() < octets {
        line += 1;
        let _ = write!(
            text,
            "{before}{line} The engine weaves algebraic patterns as the loom weaves flowers.{after}"
        );
    }
}

const BOUNDARY: &str = "=_a-boundary-of-the-bench";
