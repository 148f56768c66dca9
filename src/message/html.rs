//! HTML: to plain text, from plain text, and with a charset statement that is true.
//!
//! Everything is one linear scan without a tree, so that neither size nor nesting can make it slow.

use super::charset::prefix;

/// The text of an HTML document as a plain-text reader wants it: line breaks where blocks end, no styles, no scripts, links without
/// their targets.
pub(crate) fn to_plain(html: &str) -> String {
    let mut writer = Writer::default();
    let mut rest = prefix(html, HTML_OCTETS_MAX);
    while !rest.is_empty() {
        let text_end = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
        writer.text(&rest[..text_end]);
        rest = &rest[text_end..];
        if rest.is_empty() {
            break;
        }
        let (tag, after) = split_tag(rest);
        rest = after;
        match tag {
            Tag::None => writer.text("<"),
            Tag::Comment => {}
            Tag::Open(name) if HIDDEN.iter().any(|hidden| name.eq_ignore_ascii_case(hidden)) => {
                rest = after_close(rest, name);
            }
            Tag::Open(name) => writer.open(&name.to_ascii_lowercase()),
            Tag::Close(name) => writer.close(&name.to_ascii_lowercase()),
        }
    }
    writer.out.truncate(writer.out.trim_end().len());
    writer.out
}

/// Plain text as a piece of HTML: escaped, line ends kept.
pub(crate) fn fragment(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8 + 16);
    let mut blank = true;
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => {}
            '\n' => out.push_str("<br>\r\n"),
            ' ' if blank => out.push_str("&nbsp;"),
            _ => out.push(c),
        }
        blank = matches!(c, ' ' | '\n');
    }
    out
}

/// Plain text as a whole HTML document.
pub(crate) fn document(text: &str) -> String {
    format!("{DOCUMENT_HEAD}{}</body></html>", fragment(text))
}

/// The same document, every charset it states for itself replaced by UTF-8, which is what it now is in.
pub(crate) fn with_utf8_meta(html: String) -> String {
    let head = prefix(&html, META_OCTETS_MAX);
    let lower = head.to_ascii_lowercase();
    let mut edits = Vec::new();
    let mut from = 0;
    while let Some(meta) = lower[from..].find("<meta").map(|at| from + at) {
        let end = lower[meta..].find('>').map_or(lower.len(), |at| meta + at);
        if let Some(at) = lower[meta..end].find("charset=").map(|at| meta + at + "charset=".len()) {
            let value = lower[at..end].trim_start_matches(['"', '\'', ' ']);
            let start = end - value.len();
            let length = value.find(['"', '\'', ';', ' ', '/', '>']).unwrap_or(value.len());
            edits.push(start..start + length);
        }
        from = end;
    }
    if lower.starts_with("<?xml") {
        let end = lower.find("?>").unwrap_or(0);
        if let Some(at) = lower[..end].find("encoding=\"").map(|at| at + "encoding=\"".len()) {
            let length = lower[at..end].find('"').unwrap_or(0);
            edits.insert(0, at..at + length);
        }
    }
    let mut html = html;
    for range in edits.into_iter().rev() {
        html.replace_range(range, "utf-8");
    }
    html
}

/// Cuts HTML to at most `octets` bytes, neither inside a character nor, where avoidable, inside a tag or an entity.
pub(crate) fn cut(html: &str, octets: usize) -> &str {
    let cut = prefix(html, octets);
    if cut.len() == html.len() {
        return cut;
    }
    let cut = match (cut.rfind('<'), cut.rfind('>')) {
        (Some(open), close) if close.is_none_or(|close| close < open) => &cut[..open],
        _ => cut,
    };
    match cut.rfind('&') {
        Some(entity) if cut.len() - entity <= ENTITY_OCTETS_MAX && !cut[entity..].contains(';') => {
            &cut[..entity]
        }
        _ => cut,
    }
}

enum Tag<'a> {
    /// A bracket that begins no tag.
    None,
    Comment,
    Open(&'a str),
    Close(&'a str),
}

/// Splits off the tag at the start of `html`, which begins with `<`.
fn split_tag(html: &str) -> (Tag<'_>, &str) {
    let inner = &html[1..];
    if let Some(comment) = inner.strip_prefix("!--") {
        let end = comment.find("-->").map_or(comment.len(), |at| at + 3);
        return (Tag::Comment, &comment[end..]);
    }
    let (closes, name_at) = if inner.starts_with('/') { (true, 1) } else { (false, 0) };
    let name = &inner[name_at..];
    let length = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    if length == 0 {
        if inner.starts_with(['!', '?', '/']) {
            return (Tag::Comment, after_bracket(inner));
        }
        return (Tag::None, inner);
    }
    let after = after_bracket(&name[length..]);
    let name = &name[..length];
    (if closes { Tag::Close(name) } else { Tag::Open(name) }, after)
}

/// What follows the `>` of a tag, quoted attribute values jumped over if they end soon.
fn after_bracket(attributes: &str) -> &str {
    let octets = attributes.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr3(b'>', b'"', b'\'', &octets[at..]).map(|n| at + n) {
        if octets[found] == b'>' {
            return &attributes[found + 1..];
        }
        let window = &octets[found + 1..octets.len().min(found + 1 + ATTRIBUTE_OCTETS_MAX)];
        at = memchr::memchr(octets[found], window).map_or(found + 1, |n| found + 1 + n + 1);
    }
    ""
}

/// What follows `</name>`.
fn after_close<'a>(html: &'a str, name: &str) -> &'a str {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'<', &html.as_bytes()[at..]).map(|n| at + n) {
        let tail = &html.as_bytes()[found..];
        let is_close = tail.get(1) == Some(&b'/')
            && tail.get(2..2 + name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()));
        if is_close {
            return after_bracket(&html[found + 2 + name.len()..]);
        }
        at = found + 1;
    }
    ""
}

/// Collects text, folding white space as a browser does.
#[derive(Default)]
struct Writer {
    out: String,
    /// White space was seen since the last word.
    gap: bool,
    preformatted: u32,
    /// How many quoted replies we are in.
    quotes: usize,
}

impl Writer {
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !text.contains('&') {
            self.folded(text);
            return;
        }
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            self.folded(&rest[..at]);
            let (c, used) = entity(&rest[at..]);
            match c {
                Some('\u{a0}') => self.push(' '),
                Some(c) if !c.is_control() => self.push(c),
                Some(_) => {}
                None => self.push('&'),
            }
            rest = &rest[at + used..];
        }
        self.folded(rest);
    }

    fn folded(&mut self, text: &str) {
        if self.preformatted > 0 {
            for c in text.chars() {
                match c {
                    '\r' => {}
                    '\n' => self.line_break(),
                    _ => self.push(c),
                }
            }
            return;
        }
        for c in text.chars() {
            if matches!(c, ' ' | '\t' | '\r' | '\n') {
                self.gap = true;
            } else {
                self.push(c);
            }
        }
    }

    fn push(&mut self, c: char) {
        let at_line_start = self.out.is_empty() || self.out.ends_with('\n');
        if at_line_start {
            for _ in 0..self.quotes {
                self.out.push('>');
            }
            if self.quotes > 0 {
                self.out.push(' ');
            }
        } else if self.gap {
            self.out.push(' ');
        }
        self.gap = false;
        self.out.push(c);
    }

    fn open(&mut self, name: &str) {
        match name {
            "br" => self.line_break(),
            "pre" => {
                self.block();
                self.preformatted += 1;
            }
            "blockquote" => {
                self.block();
                self.quotes = (self.quotes + 1).min(QUOTES_MAX);
            }
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.paragraph(),
            "li" => {
                self.block();
                self.push('*');
                self.gap = true;
            }
            "td" | "th" => self.gap = true,
            "hr" => {
                self.block();
                "________________________________".chars().for_each(|c| self.push(c));
                self.block();
            }
            _ if BLOCKS.contains(&name) => self.block(),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "pre" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.block();
            }
            "blockquote" => {
                self.block();
                self.quotes = self.quotes.saturating_sub(1);
            }
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.paragraph(),
            _ if BLOCKS.contains(&name) => self.block(),
            _ => {}
        }
    }

    fn line_break(&mut self) {
        self.out.push_str("\r\n");
        self.gap = false;
    }

    /// A block begins on a line of its own.
    fn block(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.line_break();
        }
        self.gap = false;
    }

    /// A paragraph has an empty line before it.
    fn paragraph(&mut self) {
        self.block();
        if !self.out.is_empty() && !self.out.ends_with("\n\r\n") {
            self.line_break();
        }
    }
}

/// Reads the character reference at the start of `text`, which begins with `&`: its character, and the octets it takes.
fn entity(text: &str) -> (Option<char>, usize) {
    let window = prefix(text, ENTITY_OCTETS_MAX);
    let name = &window[1..];
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '#').unwrap_or(name.len());
    let (name, closed) = (&name[..end], name[end..].starts_with(';'));
    let used = 1 + end + usize::from(closed);
    let found = match name.strip_prefix('#') {
        Some(number) => numeric(number),
        None => ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c),
    };
    match found {
        Some(c) => (Some(c), used),
        None => (None, 1),
    }
}

fn numeric(number: &str) -> Option<char> {
    let value = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    // References of windows-1252, which browsers read as such.
    if let 0x80..=0x9f = value {
        return encoding_rs::WINDOWS_1252.decode(&[u8::try_from(value).ok()?]).0.chars().next();
    }
    char::from_u32(value)
}

const DOCUMENT_HEAD: &str = "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body>";

/// Elements whose content is not text.
const HIDDEN: [&str; 6] = ["script", "style", "head", "title", "noscript", "template"];

const BLOCKS: [&str; 17] = [
    "div", "table", "tr", "ul", "ol", "dl", "dt", "dd", "section", "article", "header", "footer",
    "center", "form", "fieldset", "address", "body",
];

/// The named references mail uses; the others stay as they are written.
const ENTITIES: [(&str, char); 72] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("atilde", 'ã'),
    ("aring", 'å'),
    ("aelig", 'æ'),
    ("ccedil", 'ç'),
    ("egrave", 'è'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("euml", 'ë'),
    ("igrave", 'ì'),
    ("iacute", 'í'),
    ("icirc", 'î'),
    ("iuml", 'ï'),
    ("ntilde", 'ñ'),
    ("ograve", 'ò'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("otilde", 'õ'),
    ("oslash", 'ø'),
    ("ugrave", 'ù'),
    ("uacute", 'ú'),
    ("ucirc", 'û'),
    ("yacute", 'ý'),
    ("Eacute", 'É'),
    ("Aring", 'Å'),
    ("Oslash", 'Ø'),
    ("Agrave", 'À'),
    ("Egrave", 'È'),
    ("Ccedil", 'Ç'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("euro", '€'),
    ("pound", '£'),
    ("yen", '¥'),
    ("cent", '¢'),
    ("sect", '§'),
    ("deg", '°'),
    ("plusmn", '±'),
    ("middot", '·'),
    ("bull", '•'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("sbquo", '‚'),
    ("bdquo", '„'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("times", '×'),
    ("frac12", '½'),
    ("larr", '←'),
    ("rarr", '→'),
    ("zwnj", '\u{200c}'),
];

/// Octets of HTML that are turned into text; what follows is left out.
const HTML_OCTETS_MAX: usize = 2 * 1024 * 1024;
/// Octets at the start of a document in which it states its charset.
const META_OCTETS_MAX: usize = 16 * 1024;
/// Octets of one quoted attribute value.
const ATTRIBUTE_OCTETS_MAX: usize = 64 * 1024;
/// Octets of one character reference.
const ENTITY_OCTETS_MAX: usize = 12;
/// Levels of quotation that are shown.
const QUOTES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_reader_sees() {
        let html = "<html><head><title>no</title><style>p{}</style></head><body>\r\n<p>Hello  <b>Ann</b>,</p>\
                    <div>see &amp; hear: <a href=\"http://x.example/?a>b\">this</a>&nbsp;&#8364;&#x20AC;&eacute;</div>\
                    <ul><li>one<li>two</ul><!-- > no --><script>if (a<b) {}</script><table><tr><td>1</td><td>2</td></tr></table>\
                    <blockquote>old<br>words</blockquote></body></html>";
        let expected =
            "Hello Ann,\r\n\r\nsee & hear: this €€é\r\n* one\r\n* two\r\n1 2\r\n> old\r\n> words";
        assert_eq!(to_plain(html), expected);
    }

    #[test]
    fn broken_html_is_read_as_far_as_it_goes() {
        assert_eq!(to_plain("a < b &unknown; & c <b"), "a < b &unknown; & c");
        assert_eq!(to_plain("<!-- never closed"), "");
        assert_eq!(to_plain("<style>never closed"), "");
        assert_eq!(to_plain("<é>x&#xD800;&#1;"), "<é>x&#xD800;");
    }

    #[test]
    fn nesting_and_size_cost_nothing_special() {
        let deep = "<div>".repeat(100_000) + "deep";
        assert_eq!(to_plain(&deep), "deep");
        let quotes = "<a \"'".repeat(100_000);
        to_plain(&quotes);
        to_plain(&"&".repeat(500_000));
        to_plain(&"<script>".repeat(100_000));
    }

    #[test]
    fn plain_text_becomes_html() {
        assert_eq!(fragment("a < b\r\n  c & d"), "a &lt; b<br>\r\n&nbsp;&nbsp;c &amp; d");
    }

    #[test]
    fn the_stated_charset_becomes_true() {
        let html = "<meta http-equiv=Content-Type content=\"text/html; charset=iso-8859-1\"><META CHARSET='koi8-r'/><meta charset=x>";
        let expected = "<meta http-equiv=Content-Type content=\"text/html; charset=utf-8\"><META CHARSET='utf-8'/><meta charset=utf-8>";
        assert_eq!(with_utf8_meta(html.to_owned()), expected);
        assert_eq!(
            with_utf8_meta("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><p>".to_owned()),
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><p>"
        );
    }

    #[test]
    fn html_is_cut_between_tags() {
        assert_eq!(cut("<p>one</p><a href=x>", 15), "<p>one</p>");
        assert_eq!(cut("one &amp; two", 7), "one ");
        assert_eq!(cut("<p>one</p>", 100), "<p>one</p>");
        assert_eq!(cut("éé", 3), "é");
    }
}
