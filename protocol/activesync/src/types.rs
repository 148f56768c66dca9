//! Values that travel as text: ids, keys and times, each a type of its own.
//!
//! Ids and keys are opaque to the side that did not make them and at most 64 characters long
//! ([MS-ASCMD] 2.2.3.166, 2.2.3.181); what they mean is decided elsewhere.

use std::fmt;

/// Why a text is no value of the wanted type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// More characters than the type allows.
    TooLong,
    /// Not the spelling of a value of this type.
    Spelling,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "too long",
            Self::Spelling => "not a value of this type",
        })
    }
}

impl std::error::Error for Invalid {}

/// Makes a text type with a limit in characters.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The longest value, in characters.
            pub const CHARS_MAX: usize = $limit;

            /// Takes a text that is not too long and has no control characters, which XML cannot
            /// carry and nobody means.
            pub fn new(text: impl Into<Box<str>>) -> Result<Self, Invalid> {
                let text = text.into();
                if text.chars().any(char::is_control) {
                    return Err(Invalid::Spelling);
                }
                let fits = text.len() <= $limit || text.chars().count() <= $limit;
                if fits { Ok(Self(text)) } else { Err(Invalid::TooLong) }
            }

            /// The text as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }
    };
}

text_type! {
    /// A sync key ([MS-ASCMD] 2.2.3.181): names one state of a collection or of the hierarchy.
    SyncKey, 64
}
text_type! {
    /// The id of an item or a folder, given by the server ([MS-ASCMD] 2.2.3.166).
    ServerId, 64
}
text_type! {
    /// The id of a collection, the `ServerId` of a folder ([MS-ASCMD] 2.2.3.30).
    CollectionId, 64
}
text_type! {
    /// The id a client gives what it adds or sends ([MS-ASCMD] 2.2.3.28); 40 characters in mail to
    /// be sent, 64 in Sync.
    ClientId, 64
}
text_type! {
    /// The id of a search result ([MS-ASCMD] 2.2.3.98).
    LongId, 256
}
text_type! {
    /// What names an attachment on the server ([MS-ASAIRS] 2.2.2.24).
    FileReference, 1024
}
text_type! {
    /// A range as a client spells it; whether it is one is for the operation to say, because a bad
    /// range fails that operation only ([MS-ASCMD] 2.2.3.177.8).
    RangeText, 64
}
text_type! {
    /// A time that names an occurrence, as a client spells it; whether it is a time is for the answer to the item to
    /// say ([MS-ASCMD] 2.2.3.92.1).
    InstanceText, 64
}
text_type! {
    /// What a user typed for a recipient ([MS-ASCMD] 2.2.3.186): a name, part of one, or an address.
    RecipientText, 256
}
text_type! {
    /// The id a client gives a search in pages ([MS-ASCMD] 2.2.3.159).
    SearchId, 64
}
text_type! {
    /// The class of a folder or item: `Email`, `Calendar`, `SMS` ([MS-ASCMD] 2.2.3.27).
    ClassName, 64
}

impl SyncKey {
    /// The key that begins a series ([MS-ASCMD] 2.2.3.181.4).
    pub fn initial() -> Self {
        Self("0".into())
    }

    /// Whether this is the key that begins a series.
    pub fn is_initial(&self) -> bool {
        &*self.0 == "0"
    }
}

impl RangeText {
    /// The range, if the text is one.
    pub fn range(&self) -> Option<ByteRange> {
        self.0.parse().ok()
    }
}

impl InstanceText {
    /// The time, if the text is one.
    pub fn time(&self) -> Option<DateTime> {
        DateTime::parse(&self.0).ok()
    }
}

impl ClassName {
    /// The class of mail.
    pub fn email() -> Self {
        Self("Email".into())
    }

    /// Whether items of this class are mail.
    pub fn is_email(&self) -> bool {
        &*self.0 == "Email"
    }
}

/// A moment, in milliseconds since 1970-01-01 UTC, between the years 0000 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(i64);

impl DateTime {
    const MS_MIN: i64 = days_from_civil(0, 1, 1) * MS_PER_DAY;
    const MS_MAX: i64 = days_from_civil(10_000, 1, 1) * MS_PER_DAY - 1;

    /// A moment from milliseconds since 1970; outside the years 0000 to 9999 the nearest one.
    pub fn from_ms(ms: i64) -> Self {
        Self(ms.clamp(Self::MS_MIN, Self::MS_MAX))
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn ms(self) -> i64 {
        self.0
    }

    /// Reads `2026-11-24T06:00:00.000Z` ([MS-ASDTYPE] 2.3) and the compact `20261124T060000Z`
    /// ([MS-ASDTYPE] 2.7.2). Fractions are optional; what is finer than a millisecond is dropped.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut rest = text.trim().as_bytes();
        let dashed = rest.get(4) == Some(&b'-');
        let mut field = |width: usize, separator: Option<u8>| {
            let (digits, after) = rest.split_at_checked(width)?;
            let number = digits
                .iter()
                .try_fold(0_i64, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))?;
            rest = match separator {
                Some(wanted) => after.split_first().filter(|(found, _)| **found == wanted)?.1,
                None => after,
            };
            Some(number)
        };
        let mut read = || {
            let (date, time) = if dashed { (Some(b'-'), Some(b':')) } else { (None, None) };
            let (year, month, day) = (field(4, date)?, field(2, date)?, field(2, Some(b'T'))?);
            let (hour, minute, second) = (field(2, time)?, field(2, time)?, field(2, None)?);
            Some((year, month, day, hour, minute, second))
        };
        let (year, month, day, hour, minute, second) = read().ok_or(Invalid::Spelling)?;
        let fraction = fraction_ms(rest).ok_or(Invalid::Spelling)?;
        let in_range = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 61;
        if !in_range {
            return Err(Invalid::Spelling);
        }
        let seconds = (hour * 60 + minute) * 60 + second;
        Ok(Self::from_ms(
            days_from_civil(year, month, day) * MS_PER_DAY + seconds * 1000 + fraction,
        ))
    }

    /// The compact spelling `20261124T060000Z` ([MS-ASDTYPE] 2.7.2).
    pub fn compact(self) -> String {
        let (year, month, day, hour, minute, second, _) = self.fields();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    /// Writes the long spelling into a buffer of its exact size, without allocating.
    pub(crate) fn write_long(self, buffer: &mut [u8; LONG_LENGTH]) -> &str {
        let (year, month, day, hour, minute, second, ms) = self.fields();
        *buffer = *b"0000-00-00T00:00:00.000Z";
        let spans = [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, hour),
            (14, 2, minute),
            (17, 2, second),
            (20, 3, ms),
        ];
        for (start, width, mut value) in spans {
            for digit in buffer[start..start + width].iter_mut().rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        }
        std::str::from_utf8(buffer).expect("digits and separators are ASCII")
    }

    /// Year, month, day, hour, minute, second and millisecond, in UTC.
    fn fields(self) -> (i64, i64, i64, i64, i64, i64, i64) {
        let (days, ms) = (self.0.div_euclid(MS_PER_DAY), self.0.rem_euclid(MS_PER_DAY));
        let (year, month, day) = civil_from_days(days);
        let seconds = ms / 1000;
        (year, month, day, seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write_long(&mut [0; LONG_LENGTH]))
    }
}

impl std::str::FromStr for DateTime {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

/// A moment that travels in the compact spelling ([MS-ASDTYPE] 2.7.2); both spellings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactDateTime(pub DateTime);

/// A range of bytes or of results, both ends included, such as `0-99` ([MS-ASCMD] 2.2.3.143).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first of them.
    pub first: u32,
    /// The last of them.
    pub last: u32,
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl std::str::FromStr for ByteRange {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let read = || {
            let (first, last) = text.trim().split_once('-')?;
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Self { first, last })
        };
        read().ok_or(Invalid::Spelling)
    }
}

/// Octets that travel as base64 text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

/// A text that is not for logs: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The end of a time: `Z`, or a fraction and `Z`.
fn fraction_ms(rest: &[u8]) -> Option<i64> {
    let rest = rest.strip_suffix(b"Z")?;
    if rest.is_empty() {
        return Some(0);
    }
    let digits = rest.strip_prefix(b".").filter(|digits| !digits.is_empty())?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let first_three = digits.iter().chain(b"00").take(3);
    Some(first_three.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0')))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, in eras of 400 years from March.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
        - DAYS_TO_1970
}

/// The inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + (month <= 2) as i64, month, day_of_month)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const MS_PER_DAY: i64 = 86_400_000;
const DAYS_PER_ERA: i64 = 146_097;
const DAYS_TO_1970: i64 = 719_468;

/// Octets of `2026-11-24T06:00:00.000Z`.
pub(crate) const LONG_LENGTH: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_spellings() {
        let moment = DateTime::from_ms(1_795_500_000_123);
        assert_eq!(moment.to_string(), "2026-11-24T06:00:00.123Z");
        assert_eq!(DateTime::parse("2026-11-24T06:00:00.123Z"), Ok(moment));
        assert_eq!(DateTime::parse("2026-11-24T06:00:00.1239999Z"), Ok(moment));
        assert_eq!(
            DateTime::parse("2026-11-24T06:00:00Z"),
            Ok(DateTime::from_ms(1_795_500_000_000))
        );
        assert_eq!(DateTime::parse("20261124T060000Z"), Ok(DateTime::from_ms(1_795_500_000_000)));
        assert_eq!(moment.compact(), "20261124T060000Z");
        assert_eq!(
            DateTime::parse("2026-11-24T06:00:00.5Z").map(DateTime::ms),
            Ok(1_795_500_000_500)
        );
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "Z",
            "2026",
            "2026-11-24",
            "2026-11-24T06:00:00",
            "2026-11-24T06:00:00.Z",
            "2026-13-24T06:00:00Z",
            "2026-02-29T06:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T06:00:00.12xZ",
            "2026-1124T060000Z",
            "+026-11-24T06:00:00Z",
            "2026-11-24 06:00:00Z",
            "20261124T060000",
            "２026-11-24T06:00:00Z",
        ] {
            assert_eq!(DateTime::parse(text), Err(Invalid::Spelling), "{text}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_comes_back() {
        for day in (DateTime::MS_MIN / MS_PER_DAY..DateTime::MS_MAX / MS_PER_DAY).step_by(17) {
            let moment = DateTime::from_ms(day * MS_PER_DAY + 86_399_999);
            assert_eq!(DateTime::parse(&moment.to_string()), Ok(moment));
        }
        assert_eq!(DateTime::from_ms(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(DateTime::from_ms(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
    }

    #[test]
    fn ranges_go_forward() {
        let range = |text: &str| RangeText::new(text).expect("short").range();
        assert_eq!(range("0-99"), Some(ByteRange { first: 0, last: 99 }));
        for text in ["", "5", "9-0", "-1", "a-b", "0-99999999999"] {
            assert_eq!(range(text), None, "{text}");
        }
    }

    #[test]
    fn texts_have_limits_in_characters() {
        assert!(SyncKey::new("é".repeat(64)).is_ok());
        assert_eq!(SyncKey::new("x".repeat(65)), Err(Invalid::TooLong));
        assert!(SyncKey::initial().is_initial());
        assert!(!SyncKey::new("1.abc").expect("short").is_initial());
    }
}
