//! The note a sender finds in the Inbox when their mail could not be delivered: a delivery status notification (RFC 3464).

use super::lines::one_line;
use super::postman::mail_date;
use crate::clock::Timestamp;

/// One recipient who will not get the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) recipient: String,
    /// The words of whoever refused it.
    pub(super) why: String,
    /// `5.1.1` and the like.
    pub(super) status: String,
}

/// The note, ready to be put into the Inbox.
pub(super) fn note(
    hostname: &str,
    sender: &str,
    failures: &[Failure],
    original: &[u8],
    token: &str,
    now: Timestamp,
) -> Vec<u8> {
    let sender = one_line(sender, LINE_CHARS_MAX);
    let date = mail_date(now);
    let boundary =
        format!("=_retract_{}", token.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    let mut note = format!(
        "Return-Path: <>\r\nFrom: Mail Delivery <postmaster@{hostname}>\r\nTo: <{sender}>\r\n\
         Subject: Your message could not be delivered\r\nDate: {date}\r\n\
         Message-ID: <{token}@{hostname}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         Your message did not reach:\r\n\r\n"
    );
    for failure in failures {
        let (who, why) = (clean(&failure.recipient), clean(&failure.why));
        note += &format!("  {who}\r\n    {why}\r\n");
    }
    note += &format!(
        "\r\nIt will not be tried again. The header of your message is attached.\r\n\r\n\
         --{boundary}\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; {hostname}\r\n"
    );
    for failure in failures {
        note += &format!(
            "\r\nFinal-Recipient: rfc822; {}\r\nAction: failed\r\nStatus: {}\r\n\
             Diagnostic-Code: smtp; {}\r\n",
            clean(&failure.recipient),
            failure.status,
            clean(&failure.why)
        );
    }
    note += &format!("\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n");
    let mut note = note.into_bytes();
    note.extend_from_slice(header_of(original));
    note.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    note
}

/// The enhanced status in a reply, or the plainest one of its class.
pub(super) fn status_of(reply: &str) -> String {
    let words = reply.split(|c: char| c.is_whitespace() || c == ':' || c == ')' || c == '(');
    let is_status = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() == 3
            && (parts[0] == "5" || parts[0] == "4")
            && parts[1..].iter().all(|part| (1..=3).contains(&part.len()) && is_number(part))
    };
    words.into_iter().find(is_status).unwrap_or("5.0.0").to_owned()
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn clean(text: &str) -> String {
    one_line(text, LINE_CHARS_MAX)
}

/// The header of a mail, cut at a line where it is very long.
fn header_of(mail: &[u8]) -> &[u8] {
    let end = mail.windows(4).position(|four| four == b"\r\n\r\n").map_or(mail.len(), |at| at + 2);
    if end <= HEADER_BYTES_MAX {
        return &mail[..end];
    }
    let cut = mail[..HEADER_BYTES_MAX].iter().rposition(|&byte| byte == b'\n');
    &mail[..cut.map_or(0, |at| at + 1)]
}

const LINE_CHARS_MAX: usize = 400;
const HEADER_BYTES_MAX: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn the_note_says_who_and_why_and_carries_the_header_only() {
        let failures = [Failure {
            recipient: "eve@x.example\r\nBcc: all".into(),
            why: "550 5.1.1 no such user".into(),
            status: "5.1.1".into(),
        }];
        let original = b"Subject: secret plans\r\nX: y\r\n\r\nbody text\r\n";
        let note = note("mx.example", "ann@a.example", &failures, original, "t-1", Timestamp(0));
        let text = String::from_utf8(note.clone()).unwrap();
        assert!(text.contains("Final-Recipient: rfc822; eve@x.example  Bcc: all\r\n"));
        assert!(text.contains("Status: 5.1.1\r\n") && text.contains("550 5.1.1 no such user"));
        assert!(text.contains("Subject: secret plans\r\n") && !text.contains("body text"));
        assert!(!super::super::lines::has_bare_line_end(&note));
        let parsed = Message::parse(note.into()).unwrap();
        assert_eq!(parsed.message_id().as_deref(), Some("t-1@mx.example"));
    }

    #[test]
    fn a_status_is_found_in_a_reply() {
        assert_eq!(status_of("permanent error (550): 5.7.26 not you"), "5.7.26");
        assert_eq!(status_of("550 no"), "5.0.0");
        assert_eq!(status_of("192.0.2.1 says 1.2.3"), "5.0.0");
    }
}
