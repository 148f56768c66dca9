//! What a reply adds: the part of a text before the history it quotes.

use super::charset;

/// The text of a plain reply without the quoted history below it.
pub(crate) fn unique_plain(text: &str) -> &str {
    let mut offset = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().map_or("", |next| next.trim());
        if offset > 0 && begins_history(line.trim(), next) {
            return text[..offset].trim_end();
        }
        offset += line.len();
    }
    without_trailing_quote(text)
}

/// The HTML of a reply up to the element that holds the history.
pub(crate) fn unique_html(html: &str) -> &str {
    let lower = html.to_ascii_lowercase();
    let found = HTML_MARKS.iter().filter_map(|mark| {
        let at = lower.find(mark)?;
        // The mark is an attribute: the history begins with the tag it stands in.
        if mark.starts_with('<') { Some(at) } else { lower[..at].rfind('<') }
    });
    found.min().map_or(html, |at| &html[..at])
}

fn begins_history(line: &str, next: &str) -> bool {
    match line.as_bytes() {
        [b'-', b'-', ..] => {
            let title = line.trim_matches(['-', ' ']);
            PLAIN_MARKS.iter().any(|mark| title.eq_ignore_ascii_case(mark))
        }
        [b'_', b'_', ..] => {
            line.len() >= RULE_OCTETS && line.bytes().all(|b| b == b'_') && is_from(next)
        }
        [.., b':'] if next.is_empty() || next.starts_with('>') => {
            ATTRIBUTION_ENDS.iter().any(|end| line.ends_with(end))
        }
        _ => is_from(line) && field_name(next).is_some_and(|name| SENT.contains(&name)),
    }
}

fn is_from(line: &str) -> bool {
    field_name(line).is_some_and(|name| FROM.contains(&name))
}

/// The name of a header line, without the asterisks by which HTML turned to text shows bold.
fn field_name(line: &str) -> Option<&str> {
    let (name, _) = charset::prefix(line, FIELD_OCTETS).split_once(':')?;
    Some(name.trim_matches('*'))
}

fn without_trailing_quote(text: &str) -> &str {
    let mut end = text.trim_end().len();
    while let Some(line) = text[..end].rsplit('\n').next().filter(|line| line.starts_with('>')) {
        end = text[..end - line.len()].trim_end().len();
    }
    &text[..end]
}

/// The shortest line of underscores that counts as a rule.
const RULE_OCTETS: usize = 10;
/// Octets in which the name of a quoted header line ends.
const FIELD_OCTETS: usize = 16;
const PLAIN_MARKS: [&str; 7] = [
    "Original Message",
    "Original Appointment",
    "Forwarded message",
    "Ursprüngliche Nachricht",
    "Weitergeleitete Nachricht",
    "Message d'origine",
    "Mensaje original",
];
const ATTRIBUTION_ENDS: [&str; 6] =
    ["wrote:", "schrieb:", "a écrit :", "escribió:", "ha scritto:", "schreef:"];
const FROM: [&str; 4] = ["From", "Von", "De", "Da"];
const SENT: [&str; 6] = ["Sent", "Date", "Gesendet", "Datum", "Envoyé", "Enviado"];

/// How mailers mark the history in their HTML, in lower case.
const HTML_MARKS: [&str; 11] = [
    "<blockquote type=\"cite\"",
    "class=\"gmail_quote",
    "class=\"gmail_attr",
    "class=\"moz-cite-prefix",
    "class=\"yahoo_quoted",
    "class=\"protonmail_quote",
    "id=\"divrplyfwdmsg",
    "id=\"appendonsend",
    "id=\"olk_src_body_section",
    "name=\"messagereplysection",
    "style=\"border:none;border-top:solid #e1e1e1 1.0pt",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_history_is_cut() {
        for history in [
            "-----Original Message-----\r\nFrom: Ann",
            "On Tue, Ann wrote:\r\n> old",
            "________________________________\r\nFrom: Ann\r\nSent: today",
            "From: Ann\r\nSent: today\r\nold",
            "*Von:* Ann\r\n*Gesendet:* heute",
            "> only\r\n> quoted\r\n",
        ] {
            assert_eq!(unique_plain(&format!("Yes.\r\n\r\n{history}")), "Yes.", "{history}");
        }
        assert_eq!(unique_plain("> old\r\nMy answer"), "> old\r\nMy answer");
        assert_eq!(unique_plain("From: here\r\nto there"), "From: here\r\nto there");
        assert_eq!(unique_plain(""), "");
    }

    #[test]
    fn html_history_is_cut() {
        let html = "<p>Yes.</p><div class=\"gmail_quote\"><blockquote type=\"cite\">old</blockquote></div>";
        assert_eq!(unique_html(html), "<p>Yes.</p>");
        assert_eq!(unique_html("<p>No quote</p>"), "<p>No quote</p>");
    }
}
