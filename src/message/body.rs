//! Bodies in the shape a phone asked for: which format, how much of it, and a preview ([MS-ASAIRS] 2.2.2.12).

use super::{Message, Native, charset, html, quote, utf8};

/// The format of a body ([MS-ASAIRS] 2.2.2.41); RTF is never made, so it is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyType {
    /// Plain text.
    Plain = 1,
    /// HTML.
    Html = 2,
    /// The whole message.
    Mime = 4,
}

/// What a phone wants of one format: a BodyPreference or BodyPartPreference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preference {
    /// The format.
    pub kind: BodyType,
    /// Octets it takes at most; `None` for everything.
    pub truncation_size: Option<u32>,
    /// Whether it wants nothing rather than a part.
    pub all_or_none: bool,
    /// Characters of preview it wants.
    pub preview: Option<u32>,
}

impl Preference {
    /// The whole content in one format.
    pub fn whole(kind: BodyType) -> Preference {
        Preference { kind, truncation_size: None, all_or_none: false, preview: None }
    }

    fn limit(&self) -> usize {
        self.truncation_size.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX))
    }
}

/// A body ready to be encoded. `data` is always UTF-8 without a NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaped {
    /// The format of `data`.
    pub kind: BodyType,
    /// Octets of the complete content.
    pub estimated_size: u32,
    /// Whether `data` is less than that.
    pub truncated: bool,
    /// The content; `None` where the phone wanted none or only all of it.
    pub data: Option<Vec<u8>>,
    /// Plain text for a list view; not beside plain `data`.
    pub preview: Option<String>,
}

/// The body for a Sync or Search. Without a usable preference: how much plain text there is, and none of it.
pub fn choose(message: &Message, preferences: &[Preference], mime_support: u8) -> Shaped {
    match by_preference(message, preferences, mime_support) {
        Some(shaped) => shaped,
        None => Shaped {
            kind: BodyType::Plain,
            estimated_size: octets(message.plain_text().len()),
            truncated: true,
            data: None,
            preview: None,
        },
    }
}

/// The body for a Fetch. Without a usable preference: all of it, as it was written.
pub fn fetch(message: &Message, preferences: &[Preference], mime_support: u8) -> Shaped {
    by_preference(message, preferences, mime_support).unwrap_or_else(|| {
        shape(&Preference::whole(native(message)), Content::of(message, native(message)))
    })
}

/// What this message adds to its conversation, without quoted history ([MS-ASAIRS] 2.2.2.10).
pub fn body_part(message: &Message, preference: &Preference) -> Shaped {
    let (kind, text) = match (preference.kind, message.html()) {
        (BodyType::Plain, _) => {
            (BodyType::Plain, quote::unique_plain(&message.plain_text()).to_owned())
        }
        (_, Some(html)) => (BodyType::Html, quote::unique_html(&html).to_owned()),
        (_, None) => (BodyType::Html, html::document(quote::unique_plain(&message.plain_text()))),
    };
    let plain = match kind {
        BodyType::Plain => text.clone(),
        _ => html::to_plain(&text),
    };
    shape(
        &Preference { kind, ..*preference },
        Content { kind, octets: text.into_bytes(), plain: Some(plain) },
    )
}

/// The first characters of the text on one line, at most `characters` and at most 255 of them.
pub fn preview(message: &Message, characters: u32) -> String {
    preview_of(&message.plain_text(), characters)
}

fn by_preference(
    message: &Message,
    preferences: &[Preference],
    mime_support: u8,
) -> Option<Shaped> {
    let wants_mime = mime_support == 2 || (mime_support == 1 && message.is_smime());
    if let (true, Some(mime)) = (wants_mime, find(preferences, BodyType::Mime)) {
        return Some(with_preview(message, mime, Content::of(message, BodyType::Mime)));
    }
    let first = native(message);
    let second = if first == BodyType::Html { BodyType::Plain } else { BodyType::Html };
    let mut refused = None;
    for kind in [first, second] {
        if let Some(preference) = find(preferences, kind) {
            let content = Content::of(message, kind);
            if !preference.all_or_none || content.octets.len() <= preference.limit() {
                return Some(with_preview(message, preference, content));
            }
            refused.get_or_insert((preference, content));
        }
    }
    refused.map(|(preference, content)| with_preview(message, preference, content))
}

fn find(preferences: &[Preference], kind: BodyType) -> Option<&Preference> {
    preferences.iter().find(|preference| preference.kind == kind)
}

fn native(message: &Message) -> BodyType {
    match message.native_body_type() {
        Native::Plain => BodyType::Plain,
        Native::Html => BodyType::Html,
    }
}

/// The complete content in one format.
struct Content {
    kind: BodyType,
    octets: Vec<u8>,
    /// The same as plain text, where a preview is wanted of something else.
    plain: Option<String>,
}

impl Content {
    fn of(message: &Message, kind: BodyType) -> Content {
        let octets = match kind {
            BodyType::Plain => message.plain_text().into_bytes(),
            BodyType::Html => {
                message.html().unwrap_or_else(|| html::document(&message.plain_text())).into_bytes()
            }
            BodyType::Mime => utf8::octets(message).into_owned(),
        };
        Content { kind, octets, plain: None }
    }
}

fn with_preview(message: &Message, preference: &Preference, mut content: Content) -> Shaped {
    if preference.preview.is_some() {
        content.plain = Some(message.plain_text());
    }
    shape(preference, content)
}

fn shape(preference: &Preference, content: Content) -> Shaped {
    let size = content.octets.len();
    let limit = preference.limit();
    let truncated = size > limit;
    let data = match truncated {
        false => Some(content.octets),
        true if preference.all_or_none || limit == 0 => None,
        true => Some(cut(content.kind, content.octets, limit)),
    };
    let shows_text = content.kind == BodyType::Plain && data.is_some();
    let preview = match (preference.preview, content.plain) {
        (Some(characters), Some(plain)) if !shows_text => Some(preview_of(&plain, characters)),
        _ => None,
    };
    Shaped { kind: content.kind, estimated_size: octets(size), truncated, data, preview }
}

/// The first octets, at a character boundary, in HTML also outside of tags.
fn cut(kind: BodyType, mut content: Vec<u8>, limit: usize) -> Vec<u8> {
    let text =
        std::str::from_utf8(&content).expect("content is made of strings, and MIME was checked");
    let length = match kind {
        BodyType::Html => html::cut(text, limit).len(),
        _ => charset::prefix(text, limit).len(),
    };
    content.truncate(length);
    content
}

fn preview_of(plain: &str, characters: u32) -> String {
    let limit = characters.min(PREVIEW_CHARACTERS_MAX) as usize;
    let mut preview = String::new();
    let mut count = 0;
    for word in charset::prefix(plain, PREVIEW_SOURCE_OCTETS_MAX).split_whitespace() {
        let gap = usize::from(count > 0);
        if count + gap >= limit {
            break;
        }
        if gap == 1 {
            preview.push(' ');
        }
        let taken: String = word.chars().take(limit - count - gap).collect();
        count += gap + taken.chars().count();
        preview.push_str(&taken);
    }
    preview
}

fn octets(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Characters of a preview ([MS-ASAIRS] 2.2.2.35).
const PREVIEW_CHARACTERS_MAX: u32 = 255;
/// Octets of text that are looked at for a preview.
const PREVIEW_SOURCE_OCTETS_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(raw: &str) -> Message {
        Message::parse(raw.to_owned().into_bytes().into()).unwrap()
    }

    fn plain() -> Message {
        message("Subject: s\r\n\r\nGrüße aus Köln")
    }

    fn html() -> Message {
        message("Content-Type: text/html; charset=utf-8\r\n\r\n<p>Grüße <b>aus</b> Köln</p>")
    }

    fn want(kind: BodyType, size: u32) -> Preference {
        Preference { truncation_size: Some(size), ..Preference::whole(kind) }
    }

    fn text(shaped: &Shaped) -> &str {
        std::str::from_utf8(shaped.data.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn the_native_format_is_preferred() {
        let both = [Preference::whole(BodyType::Plain), Preference::whole(BodyType::Html)];
        assert_eq!(choose(&html(), &both, 0).kind, BodyType::Html);
        assert_eq!(choose(&plain(), &both, 0).kind, BodyType::Plain);
    }

    #[test]
    fn the_other_format_is_made() {
        let shaped = choose(&html(), &both_ways(BodyType::Plain), 0);
        assert_eq!((text(&shaped), shaped.truncated), ("Grüße aus Köln", false));
        let shaped = choose(&plain(), &both_ways(BodyType::Html), 0);
        assert!(text(&shaped).contains("<body>Grüße aus Köln</body>"));
    }

    fn both_ways(kind: BodyType) -> [Preference; 1] {
        [Preference::whole(kind)]
    }

    #[test]
    fn truncation_counts_octets_and_keeps_characters_whole() {
        let shaped = choose(&plain(), &[want(BodyType::Plain, 3)], 0);
        assert_eq!((text(&shaped), shaped.truncated, shaped.estimated_size), ("Gr", true, 17));
        let shaped = choose(&plain(), &[want(BodyType::Plain, 0)], 0);
        assert_eq!((shaped.data, shaped.truncated), (None, true));
        let shaped = choose(&plain(), &[want(BodyType::Plain, 17)], 0);
        assert!(!shaped.truncated);
    }

    #[test]
    fn all_or_none_turns_to_the_other_format_or_to_nothing() {
        let strict = Preference { all_or_none: true, ..want(BodyType::Html, 10) };
        let shaped = choose(&html(), &[strict, want(BodyType::Plain, 5)], 0);
        assert_eq!((shaped.kind, shaped.truncated), (BodyType::Plain, true));
        let shaped = choose(&html(), &[strict], 0);
        assert_eq!((shaped.kind, shaped.data, shaped.truncated), (BodyType::Html, None, true));
    }

    #[test]
    fn mime_is_sent_only_where_it_was_allowed() {
        let mime = [Preference::whole(BodyType::Mime)];
        let signed = message(
            "Content-Type: multipart/signed; boundary=a; protocol=\"application/pkcs7-signature\"\r\n\r\n--a\r\n\r\nhi\r\n--a--\r\n",
        );
        assert_eq!(choose(&plain(), &mime, 2).kind, BodyType::Mime);
        assert_eq!(choose(&plain(), &mime, 1).data, None);
        assert_eq!(choose(&signed, &mime, 1).data.as_deref(), Some(&signed.raw()[..]));
        assert_eq!(choose(&signed, &mime, 0).kind, BodyType::Plain);
    }

    #[test]
    fn without_a_preference_sync_says_how_much_and_fetch_gives_all() {
        let shaped = choose(&html(), &[], 0);
        assert_eq!((shaped.kind, shaped.data, shaped.truncated), (BodyType::Plain, None, true));
        let shaped = fetch(&html(), &[], 0);
        assert_eq!((shaped.kind, shaped.truncated), (BodyType::Html, false));
    }

    #[test]
    fn a_preview_stands_beside_everything_but_plain_text() {
        let wanted = Preference { preview: Some(7), ..Preference::whole(BodyType::Html) };
        assert_eq!(choose(&html(), &[wanted], 0).preview.as_deref(), Some("Grüße a"));
        let wanted = Preference { preview: Some(1000), ..want(BodyType::Plain, 0) };
        assert_eq!(choose(&plain(), &[wanted], 0).preview.as_deref(), Some("Grüße aus Köln"));
        let wanted = Preference { preview: Some(7), ..Preference::whole(BodyType::Plain) };
        assert_eq!(choose(&plain(), &[wanted], 0).preview, None);
        assert_eq!(preview(&message("\r\n\r\n".repeat(9).as_str()), 255), "");
        assert_eq!(
            preview(&message(&("\r\n\r\n".to_owned() + &"ä ".repeat(999))), 999).chars().count(),
            255
        );
    }

    #[test]
    fn a_body_part_leaves_the_history_out() {
        let reply = message("Subject: Re: s\r\n\r\nYes.\r\n\r\nOn Monday Ann wrote:\r\n> No?\r\n");
        let shaped = body_part(&reply, &Preference::whole(BodyType::Html));
        assert!(text(&shaped).contains("Yes.") && !text(&shaped).contains("No?"));
    }
}
