//! Values that octets choose: any value of a type that the spoken version can say.
//!
//! `fields!` and `number_enum!` make [`Arbitrary`] for what they make, from the same list as reader and writer; for types
//! that are read by hand it stands in `requests` and `responses`. After the last octet every choice is the first: `None`,
//! an empty list, zero.

use wbxml::Tag;

use crate::code_pages::{self, PAGES};
use crate::item::body::{BodyPreference, BodyType, Content};
use crate::item::gal::PictureOptions;
use crate::item::{ItemData, email::Email};
use crate::status::Status;
use crate::types::{
    Base64, ByteRange, ClassName, ClientId, CollectionId, CompactDateTime, DateTime, FileReference,
    InstanceText, LongId, RangeText, RecipientText, SearchId, Secret, ServerId, SyncKey,
};
use crate::version::ProtocolVersion;

/// A type of which octets can choose a value.
#[diagnostic::on_unimplemented(
    message = "no octets can choose a `{Self}`",
    note = "what stands in `fields!` has an `Arbitrary` in `check`, for the fuzz target `typed_round_trip`"
)]
pub(crate) trait Arbitrary {
    /// The value that comes next.
    fn arbitrary(tape: &mut Tape<'_>) -> Self;
}

/// The octets that choose, and the version that is spoken.
pub(crate) struct Tape<'a> {
    octets: &'a [u8],
    version: ProtocolVersion,
}

impl<'a> Tape<'a> {
    pub(crate) fn new(octets: &'a [u8], version: ProtocolVersion) -> Self {
        Self { octets, version }
    }

    pub(crate) fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Whether the spoken version has a tag.
    pub(crate) fn has(&self, tag: Tag) -> bool {
        code_pages::versions(tag).contain(self.version)
    }

    /// Any value.
    pub(crate) fn any<T: Arbitrary>(&mut self) -> T {
        T::arbitrary(self)
    }

    /// Any value of what is written as `tag`; nothing where the version does not have it.
    pub(crate) fn of<T: Arbitrary + Default>(&mut self, tag: Tag) -> T {
        if self.has(tag) { self.any() } else { T::default() }
    }

    /// A list that is not empty.
    pub(crate) fn some<T: Arbitrary>(&mut self) -> Vec<T> {
        let first = self.any();
        let rest: Vec<T> = self.any();
        std::iter::once(first).chain(rest).collect()
    }

    /// A text of so many characters at most.
    pub(crate) fn text(&mut self, chars_max: usize) -> String {
        let mut count = usize::from(self.octet() % 16);
        if count == 15 {
            count = usize::from(self.octet());
        }
        (0..count.min(chars_max)).map(|_| *self.pick(&CHARS)).collect()
    }

    /// One of several things.
    pub(crate) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[usize::from(self.octet()) % of.len()]
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: u8) -> u8 {
        self.octet() % limit
    }

    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.octets.split_first() else { return 0 };
        self.octets = rest;
        *first
    }

    /// A number of 64 bits, often one at an end of some type.
    fn number(&mut self) -> i64 {
        match self.octet() {
            octet @ 0..=127 => i64::from(octet),
            128 => i64::MAX,
            129 => i64::MIN,
            130 => i64::from(u32::MAX),
            131 => i64::from(i32::MIN),
            _ => (0..8).fold(0, |number, _| number << 8 | i64::from(self.octet())),
        }
    }
}

impl<T: Arbitrary> Arbitrary for Option<T> {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        (tape.below(3) == 1).then(|| tape.any())
    }
}

impl<T: Arbitrary> Arbitrary for Vec<T> {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        (0..tape.below(4)).map(|_| tape.any()).collect()
    }
}

impl<T: Arbitrary> Arbitrary for Box<T> {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self::new(tape.any())
    }
}

impl Arbitrary for bool {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        tape.below(2) == 1
    }
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(impl Arbitrary for $type {
            fn arbitrary(tape: &mut Tape<'_>) -> Self {
                tape.number() as $type
            }
        })*
    };
}

numbers! { u8 u16 u32 i32 i64 }

impl Arbitrary for Status {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self(tape.any())
    }
}

impl Arbitrary for String {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        tape.text(CHARS_MAX)
    }
}

impl Arbitrary for Secret {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self::new(tape.text(CHARS_MAX))
    }
}

macro_rules! texts {
    ($($type:ty)*) => {
        $(impl Arbitrary for $type {
            fn arbitrary(tape: &mut Tape<'_>) -> Self {
                let text = tape.text(Self::CHARS_MAX).replace(char::is_control, "0");
                Self::new(text).expect("a short text without controls")
            }
        })*
    };
}

texts! {
    SyncKey ServerId CollectionId ClientId LongId FileReference RangeText ClassName InstanceText RecipientText SearchId
}

impl Arbitrary for DateTime {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self::from_ms(tape.number())
    }
}

impl Arbitrary for CompactDateTime {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let time: DateTime = tape.any();
        Self(DateTime::from_ms(time.ms() - time.ms().rem_euclid(MS_PER_S)))
    }
}

impl Arbitrary for ByteRange {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let (one, other): (u32, u32) = (tape.any(), tape.any());
        Self { first: one.min(other), last: one.max(other) }
    }
}

impl Arbitrary for Base64 {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self(tape.any())
    }
}

impl Arbitrary for Content {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        match tape.any::<Vec<u8>>() {
            // No octets and no text are written alike.
            octets if octets.is_empty() => Self::Text(tape.any()),
            octets => Self::Octets(octets),
        }
    }
}

impl Arbitrary for BodyPreference {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self {
            body_type: tape.any(),
            truncation_size: tape.any(),
            all_or_none: tape.of(code_pages::air_sync_base::ALL_OR_NONE),
            preview: tape.of(code_pages::air_sync_base::PREVIEW),
        }
    }
}

/// Preferences as a request may have them: one for each type of body.
pub(super) fn preferences(tape: &mut Tape<'_>, tag: Tag) -> Vec<BodyPreference> {
    let mut preferences: Vec<BodyPreference> = tape.of(tag);
    let mut seen: Vec<BodyType> = Vec::new();
    preferences.retain(|preference| {
        let is_new = !seen.contains(&preference.body_type);
        seen.push(preference.body_type);
        is_new
    });
    preferences
}

impl Arbitrary for ItemData {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self::from(tape.any::<Email>())
    }
}

impl Arbitrary for PictureOptions {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self { max_size: tape.any(), max_pictures: tape.any() }
    }
}

/// The bare tags of a list such as `Supported`.
pub(super) fn tags(tape: &mut Tape<'_>) -> Vec<Tag> {
    let count = tape.below(4);
    let tags = (0..count).map(|_| {
        let page = *tape.pick(PAGES.pages());
        Tag::new(page.number, tape.pick(page.tags).0)
    });
    let tags: Vec<Tag> = tags.collect();
    tags.into_iter().filter(|tag| tape.has(*tag)).collect()
}

/// Makes [`Arbitrary`] for a struct that is read by hand: each field any value, or the one given for it.
macro_rules! arbitrary {
    ($tape:ident, $type:path { $($field:ident $(= $value:expr)?),* $(,)? }) => {
        impl $crate::check::arbitrary::Arbitrary for $type {
            fn arbitrary($tape: &mut $crate::check::arbitrary::Tape<'_>) -> Self {
                Self { $($field: arbitrary!(@ $tape $($value)?)),* }
            }
        }
    };
    (@ $tape:ident) => { $tape.any() };
    (@ $tape:ident $value:expr) => { $value };
}
pub(super) use arbitrary;

/// Characters of texts: what XML escapes, blanks, and letters of one to four octets.
const CHARS: [char; 16] =
    ['a', 'Z', '0', '1', ':', ' ', '<', '&', '"', '\t', '\n', 'ä', '語', '\u{FB01}', '😀', ']'];
/// The longest text.
const CHARS_MAX: usize = 255;
const MS_PER_S: i64 = 1000;
