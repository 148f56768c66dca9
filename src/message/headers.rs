//! Header fields: found by offset in one pass, unfolded and decoded only when somebody asks.
//!
//! Whatever stands in a header leaves here as clean UTF-8 on one line.

use std::borrow::Cow;
use std::ops::Range;

use super::{charset, transfer};

/// One field: where its name and its value (folds included, line end excluded) stand in the raw octets.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

impl Field {
    pub(crate) fn is(&self, raw: &[u8], name: &str) -> bool {
        raw[self.name.clone()].eq_ignore_ascii_case(name.as_bytes())
    }

    pub(crate) fn name<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        &raw[self.name.clone()]
    }

    pub(crate) fn value<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        &raw[self.value.clone()]
    }

    /// The whole field from its name to the end of its value, without the last line end.
    pub(crate) fn whole<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        &raw[self.name.start..self.value.end]
    }
}

/// A header: its fields, and where what follows it begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    pub(crate) start: usize,
    pub(crate) fields: Vec<Field>,
    pub(crate) body_start: usize,
}

impl Header {
    /// Reads fields from `start` up to the first empty line, or to a line for which `ends` holds.
    ///
    /// Lines that are no fields are skipped; a part whose very first line is none has no header at all. Fields beyond
    /// [`FIELDS_MAX`] or [`HEADER_OCTETS_MAX`] are passed over, so that a huge header costs a scan and nothing else.
    pub(crate) fn parse(raw: &[u8], start: usize, ends: impl Fn(&[u8]) -> bool) -> Header {
        let mut header = Header { start, fields: Vec::new(), body_start: raw.len() };
        let mut at = start;
        let mut open = false;
        while at < raw.len() {
            let next = memchr::memchr(b'\n', &raw[at..]).map_or(raw.len(), |n| at + n + 1);
            let line = trim_line_end(&raw[at..next]);
            if line.is_empty() {
                header.body_start = next;
                return header;
            }
            if ends(line) {
                header.body_start = at;
                return header;
            }
            if matches!(line[0], b' ' | b'\t') {
                if let (true, Some(field)) = (open, header.fields.last_mut()) {
                    field.value.end = at + line.len();
                }
            } else if let Some(colon) = field_colon(line) {
                open = header.fields.len() < FIELDS_MAX && next - start <= HEADER_OCTETS_MAX;
                if open {
                    let name = at..at + line[..colon].trim_ascii_end().len();
                    header.fields.push(Field { name, value: at + colon + 1..at + line.len() });
                }
            } else if at == start && start > 0 {
                header.body_start = at;
                return header;
            }
            at = next;
        }
        header
    }

    /// The first field of that name.
    pub(crate) fn find<'a>(&self, raw: &'a [u8], name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|field| field.is(raw, name)).map(|field| field.value(raw))
    }
}

/// The value on one line, in Unicode, its encoded words (RFC 2047) still encoded; 8-bit octets are read as UTF-8 or as `hint`.
pub(crate) fn unfold<'a>(value: &'a [u8], hint: Option<&str>) -> Cow<'a, str> {
    let value = &value[..value.len().min(VALUE_OCTETS_MAX)];
    let text = match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(e) if e.error_len().is_none() && value.len() == VALUE_OCTETS_MAX => {
            Cow::Borrowed(std::str::from_utf8(&value[..e.valid_up_to()]).unwrap_or_default())
        }
        Err(_) => {
            charset::decode(value, hint.filter(|label| !is_utf8(label)).or(Some("windows-1252")))
        }
    };
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    if !text.contains(['\r', '\n', '\t']) {
        return text;
    }
    let on_one_line = text.replace("\r\n", "").replace(['\r', '\n'], "").replace('\t', " ");
    Cow::Owned(on_one_line)
}

/// The value as a person reads it: unfolded, encoded words decoded, control characters gone.
pub(crate) fn text(value: &[u8], hint: Option<&str>) -> String {
    one_line(decode_words(&unfold(value, hint)))
}

/// Decodes the encoded words in `text`; those that are broken beyond repair stay as they stand.
///
/// Neighbours in the same charset are joined before decoding, because many mailers split inside a character.
pub(crate) fn decode_words(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find("=?") else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    let mut pending: Option<(&str, Vec<u8>)> = None;
    while !rest.is_empty() {
        if let Some((label, octets, after)) = encoded_word(rest) {
            match &mut pending {
                Some((open, joined)) if open.eq_ignore_ascii_case(label) => joined.extend(octets),
                _ => {
                    close_word(&mut out, pending.take());
                    pending = Some((label, octets));
                }
            }
            let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
            // Blanks between two encoded words do not count (RFC 2047 section 6.2).
            rest = if encoded_word(&after[blanks..]).is_some() { &after[blanks..] } else { after };
            continue;
        }
        close_word(&mut out, pending.take());
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let next = rest[first..].find("=?").map_or(rest.len(), |n| n + first);
        out.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    close_word(&mut out, pending);
    Cow::Owned(out)
}

fn close_word(out: &mut String, word: Option<(&str, Vec<u8>)>) {
    if let Some((label, octets)) = word {
        out.push_str(&charset::decode(&octets, Some(label)));
    }
}

/// Reads `=?charset?encoding?text?=` at the start of `text`: the charset, the octets, and what follows.
fn encoded_word(text: &str) -> Option<(&str, Vec<u8>, &str)> {
    let inner = text.strip_prefix("=?")?;
    let (label, inner) = inner.split_at(charset::prefix(inner, LABEL_OCTETS_MAX).find('?')?);
    let inner = &inner[1..];
    if label.is_empty() || label.contains(char::is_whitespace) {
        return None;
    }
    let (encoding, inner) = inner.split_at(charset::prefix(inner, 2).find('?')?);
    let inner = &inner[1..];
    // Bounded, so that many words without an end cost a bounded look ahead each.
    let end = charset::prefix(inner, WORD_OCTETS_MAX).find("?=")?;
    let (written, after) = (&inner[..end], &inner[end + 2..]);
    let label = label.split_once('*').map_or(label, |(label, _language)| label);
    let octets = match encoding {
        "b" | "B" => transfer::base64(written.as_bytes()),
        "q" | "Q" => transfer::quoted_printable(written.replace('_', " ").as_bytes()),
        _ => return None,
    };
    Some((label, octets, after))
}

/// Text without control characters, line ends and tabs turned into blanks.
pub(crate) fn one_line(text: Cow<'_, str>) -> String {
    let mut text = charset::clean(text);
    if text.contains(['\r', '\n', '\t']) {
        text = text.replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
    }
    text
}

/// A structured value such as Content-Type: the first token in lower case, and its parameters with RFC 2231 undone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Structured {
    pub(crate) token: String,
    parameters: Vec<(String, String)>,
}

impl Structured {
    pub(crate) fn parse(value: &[u8], hint: Option<&str>) -> Structured {
        let text = unfold(value, hint);
        let (token, rest) = text.split_once(';').unwrap_or((&text, ""));
        let token: String =
            token.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
        let mut pieces = split_parameters(rest);
        let parameters = join_continuations(&mut pieces);
        Structured { token: token.to_ascii_lowercase(), parameters }
    }

    /// The parameter of that (lower case) name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// `a=b; c="d;e"`: names in lower case with values as written, quotes and escapes undone.
fn split_parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let (Some((name, after)), true) = (rest.split_once('='), found.len() < PARAMETERS_MAX) {
        // A parameter without a value, or several semicolons in a row, precede the name.
        let name = name.rsplit(';').next().unwrap_or(name).trim().to_ascii_lowercase();
        let after = after.trim_start();
        let (value, tail) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        found.push((name, value));
        rest = tail.split_once(';').map_or("", |(_, rest)| rest);
    }
    found
}

fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                // Windows paths as file names: the backslash was not meant as an escape.
                Some((_, other)) => value.extend(['\\', other]),
                None => {}
            },
            _ => value.push(c),
        }
    }
    (value, "")
}

/// `name*0*=`, `name*1=` ... become one `name` (RFC 2231); encoded words in values are decoded, as everybody does.
fn join_continuations(pieces: &mut [(String, String)]) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    pieces.sort_by_key(|(name, _)| section(name));
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in pieces.iter() {
        let base = name.split('*').next().unwrap_or(name);
        if seen.contains(&base) {
            continue;
        }
        seen.push(base);
        let same: Vec<_> =
            pieces.iter().filter(|(n, _)| n.split('*').next() == Some(base)).collect();
        let extended = same.iter().any(|(n, _)| n.contains('*'));
        let value =
            if extended { extended_value(&same) } else { decode_words(&same[0].1).into_owned() };
        joined.push((base.to_owned(), one_line(Cow::Owned(value))));
    }
    joined
}

fn section(name: &str) -> u32 {
    name.split('*').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn extended_value(pieces: &[&(String, String)]) -> String {
    let mut octets = Vec::new();
    let mut label = None;
    for (index, (name, value)) in
        pieces.iter().filter(|(name, _)| name.contains('*')).map(|p| (&p.0, &p.1)).enumerate()
    {
        let mut value = value.as_str();
        if !name.ends_with('*') {
            octets.extend_from_slice(value.as_bytes());
            continue;
        }
        if index == 0 {
            let mut split = value.splitn(3, '\'');
            if let (Some(charset), Some(_), Some(text)) = (split.next(), split.next(), split.next())
            {
                label = Some(charset);
                value = text;
            }
        }
        percent_decode(value, &mut octets);
    }
    charset::decode(&octets, label).into_owned()
}

fn percent_decode(value: &str, out: &mut Vec<u8>) {
    let mut rest = value.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        match (octet, tail) {
            (b'%', [high, low, after @ ..]) if hex_pair(*high, *low).is_some() => {
                out.extend(hex_pair(*high, *low));
                rest = after;
            }
            _ => out.push(octet),
        }
    }
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    Some(transfer::hex(high)? << 4 | transfer::hex(low)?)
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where the colon of a field stands: after a name of printable ASCII without blanks inside.
fn field_colon(line: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', &line[..line.len().min(NAME_OCTETS_MAX)])?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(colon)
}

fn is_utf8(label: &str) -> bool {
    label.eq_ignore_ascii_case("utf-8") || label.eq_ignore_ascii_case("utf8")
}

/// Fields of one header that are looked at; real mail has 20 to 150.
const FIELDS_MAX: usize = 1_000;
/// Octets of one header that are looked at.
pub(super) const HEADER_OCTETS_MAX: usize = 512 * 1024;
/// Octets of one value that are decoded.
const VALUE_OCTETS_MAX: usize = 128 * 1024;
/// Octets of a charset's name with its language, and the question mark after it.
const LABEL_OCTETS_MAX: usize = 48;
/// Octets of one encoded word; RFC 2047 allows 75, some mailers put a whole subject into one.
const WORD_OCTETS_MAX: usize = 4096;
/// Octets of a field name, colon included.
const NAME_OCTETS_MAX: usize = 128;
/// Parameters of one structured value.
const PARAMETERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_decoded_and_joined() {
        for (written, read) in [
            ("=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus?= =?utf-8?Q?_K=C3=B6ln?=", "Grüße aus Köln"),
            ("=?utf-8?B?R3LD?= =?UTF-8?B?vMOfZQ==?=", "Grüße"),
            ("Re: =?iso-8859-1?q?caf=E9?= today", "Re: café today"),
            ("=?utf-8*en?Q?hi?=", "hi"),
            ("=?utf-8?Q?broken", "=?utf-8?Q?broken"),
            ("=?x-unknown?Q?caf=E9?=", "café"),
            ("=?utf-8?X?nope?=", "=?utf-8?X?nope?="),
            ("é=?utf-8?Q?=C3=A9?=é", "ééé"),
            ("=?utf-8?Q?with blanks inside?=", "with blanks inside"),
            ("=é=?", "=é=?"),
        ] {
            assert_eq!(decode_words(written), read);
        }
    }

    #[test]
    fn values_are_unfolded_and_cleaned() {
        assert_eq!(text(b" one\r\n two\n\tthree \0\x07", None), "one two three ");
        assert_eq!(text(b"Gr\xfc\xdfe", None), "Grüße");
        assert_eq!(text(b"\xc4\xe3\xba\xc3", Some("gb18030")), "你好");
    }

    #[test]
    fn parameters_in_every_style() {
        let parse = |value: &str| Structured::parse(value.as_bytes(), None);
        let plain = parse("Text/HTML; charset=\"utf-8\"; name=a b.txt");
        assert_eq!(plain.token, "text/html");
        assert_eq!(plain.parameter("charset"), Some("utf-8"));
        assert_eq!(plain.parameter("name"), Some("a b.txt"));
        let extended =
            parse("attachment; filename*1*=%B6ln.pdf; filename*0*=utf-8''K%C3; filename=x");
        assert_eq!(extended.parameter("filename"), Some("Köln.pdf"));
        let words = parse("attachment; filename=\"=?utf-8?Q?K=C3=B6ln;1.pdf?=\"");
        assert_eq!(words.parameter("filename"), Some("Köln;1.pdf"));
        let path = parse("attachment; filename=\"C:\\temp\\a.txt\"");
        assert_eq!(path.parameter("filename"), Some("C:\\temp\\a.txt"));
        assert_eq!(parse(";;; =; \"").parameter("charset"), None);
    }

    #[test]
    fn a_header_ends_at_the_empty_line() {
        let raw = b"From me\nA: 1\n 2\r\nb : 3\nno field\n\nbody";
        let header = Header::parse(raw, 0, |_| false);
        assert_eq!(header.find(raw, "a"), Some(&b" 1\n 2"[..]));
        assert_eq!(header.find(raw, "B"), Some(&b" 3"[..]));
        assert_eq!(&raw[header.body_start..], b"body");
    }
}
