//! Dates as IMAP writes them: `" 1-Jan-2026 00:00:00 +0000"` (RFC 9051 9, date-time).

use std::fmt;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment, with the offset it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub unix_s: i64,
    /// Minutes east of UTC.
    pub offset_min: i16,
}

impl DateTime {
    /// A moment in UTC.
    pub fn utc(unix_s: i64) -> DateTime {
        DateTime { unix_s, offset_min: 0 }
    }

    pub(crate) fn parse(text: &[u8]) -> Option<DateTime> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.split_ascii_whitespace();
        let mut date = words.next()?.split('-');
        let day: i64 = date.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
        let month = date.next()?;
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
        let year: i64 = date.next()?.parse().ok().filter(|year| (1..=9999).contains(year))?;
        let mut time = words.next()?.splitn(3, ':').map(|part| part.parse::<i64>().ok());
        let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..61).contains(&second) {
            return None;
        }
        let offset_min = offset(words.next().unwrap_or("+0000"))?;
        let days = days(year, i64::try_from(month).ok()? + 1, day);
        let local = days * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(DateTime { unix_s: local - i64::from(offset_min) * 60, offset_min })
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.unix_s + i64::from(self.offset_min) * 60;
        let (year, month, day) = civil(local.div_euclid(86_400));
        let second = local.rem_euclid(86_400);
        let month = MONTHS[(month - 1) as usize % 12];
        let (sign, offset) =
            if self.offset_min < 0 { ('-', -self.offset_min) } else { ('+', self.offset_min) };
        write!(
            f,
            "{day:2}-{month}-{year:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
            second / 3_600,
            second / 60 % 60,
            second % 60,
            offset / 60,
            offset % 60,
        )
    }
}

/// A day without a time, for searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Days since 1970-01-01.
    pub unix_days: i64,
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.unix_days);
        write!(f, "{day}-{}-{year:04}", MONTHS[(month - 1) as usize % 12])
    }
}

fn offset(text: &str) -> Option<i16> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let number: i16 = digits.parse().ok()?;
    (number % 100 < 60).then_some(sign * (number / 100 * 60 + number % 100))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The other way round.
fn civil(unix_days: i64) -> (i64, i64, i64) {
    let days = unix_days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_both_ways() {
        for (text, unix_s, offset_min) in [
            ("17-Jul-1996 02:44:25 -0700", 837_596_665, -420),
            (" 1-Jan-2026 00:00:00 +0000", 1_767_225_600, 0),
            ("29-Feb-2024 23:59:59 +0530", 1_709_231_399, 330),
            (" 1-Jan-1970 00:00:00 +0000", 0, 0),
        ] {
            let date = DateTime { unix_s, offset_min };
            assert_eq!(DateTime::parse(text.as_bytes()), Some(date), "{text}");
            assert_eq!(date.to_string(), text);
        }
        for wrong in ["", "1-Foo-2026 00:00:00 +0000", "1-Jan-2026", "1-Jan-2026 25:00:00 +0000"] {
            assert_eq!(DateTime::parse(wrong.as_bytes()), None);
        }
        assert_eq!(Date { unix_days: 20_454 }.to_string(), "1-Jan-2026");
    }

    proptest::proptest! {
        #[test]
        fn any_moment_comes_back(unix_s in -60_000_000_000i64..250_000_000_000, offset_min in -840i16..840) {
            let date = DateTime { unix_s, offset_min };
            proptest::prop_assert_eq!(DateTime::parse(date.to_string().as_bytes()), Some(date));
        }
    }
}
