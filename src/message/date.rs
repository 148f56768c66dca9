//! Dates of mail headers (RFC 5322 3.3 with its obsolete forms), read leniently and written strictly.

use crate::clock::Timestamp;

/// Reads a Date; `None` for what names no moment between 1970 and 2199.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.split('(').next().unwrap_or(text);
    let mut words = text.split([' ', '\t', ',', '-']).filter(|word| !word.is_empty()).peekable();
    if words.peek()?.starts_with(|c: char| c.is_ascii_alphabetic()) {
        words.next();
    }
    let (day, month) = (words.next()?.parse::<i64>().ok()?, month(words.next()?)?);
    let year = year(words.next()?)?;
    let time = words.next()?;
    // The sign of a zone west of Greenwich was taken for a separator above: look at the text itself.
    let zone = text.rfind(time).map_or("", |at| text[at + time.len()..].trim());
    let seconds = days(year, month, day)? * 86_400 + clock_time(time)? - zone_offset(zone);
    Some(Timestamp(seconds * 1000)).filter(|time| time.0 >= 0)
}

/// Writes a Date in UTC: `Tue, 24 Nov 2026 08:00:00 +0000`.
pub(crate) fn format(at: Timestamp) -> String {
    match jiff::Timestamp::from_second(at.seconds()) {
        Ok(time) => time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        Err(_) => "Thu, 01 Jan 1970 00:00:00 +0000".to_owned(),
    }
}

fn month(name: &str) -> Option<i64> {
    let name = name.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| *month == name)?;
    i64::try_from(at + 1).ok()
}

fn year(text: &str) -> Option<i64> {
    let year: i64 = text.parse().ok()?;
    match (text.len(), year) {
        (2, 0..=49) => Some(2000 + year),
        (2 | 3, _) => Some(1900 + year),
        (4, 1970..=2199) => Some(year),
        _ => None,
    }
}

fn clock_time(text: &str) -> Option<i64> {
    let mut fields = text.split([':', '.']).map(|field| field.parse::<i64>().ok());
    let (hour, minute) = (fields.next()??, fields.next()??);
    let second = fields.next().flatten().unwrap_or(0);
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    valid.then_some(hour * 3600 + minute * 60 + second)
}

fn zone_offset(zone: &str) -> i64 {
    let zone = zone.split_whitespace().next().unwrap_or("");
    let zone = zone.strip_prefix("GMT").filter(|rest| rest.len() == 5).unwrap_or(zone);
    let sign = match zone.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => {
            return ZONES
                .iter()
                .find(|(name, _)| *name == zone)
                .map_or(0, |(_, hours)| hours * 3600);
        }
    };
    let digits: String = zone[1..].chars().filter(char::is_ascii_digit).collect();
    let number = if digits.len() == 4 { digits.parse::<i64>().unwrap_or(0) } else { 0 };
    let offset = number / 100 * 3600 + number % 100 * 60;
    if offset <= 24 * 3600 { sign * offset } else { 0 }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const ZONES: [(&str, i64); 9] = [
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("CET", 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_every_style() {
        for (text, expected) in [
            ("Tue, 24 Nov 2026 08:00:00 +0000", "2026-11-24T08:00:00.000Z"),
            ("24 Nov 2026 08:00 +0100", "2026-11-24T07:00:00.000Z"),
            ("Tue, 24 Nov 2026 08:00:00 -0730 (PST)", "2026-11-24T15:30:00.000Z"),
            ("Tue,24 Nov 26 8:00:00 GMT", "2026-11-24T08:00:00.000Z"),
            ("Tue, 24-Nov-2026 08:00:00 EST", "2026-11-24T13:00:00.000Z"),
            ("Tue, 24 November 2026 08:00:00", "2026-11-24T08:00:00.000Z"),
            ("29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00.000Z"),
            ("1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(parse(text).map(Timestamp::rfc3339).as_deref(), Some(expected), "{text}");
        }
        for wrong in
            ["", "today", "32 Nov 2026 08:00:00 +0000", "24 Foo 2026 08:00 +0000", "é, é é é é"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let at = Timestamp(1_795_507_200_000);
        assert_eq!(format(at), "Tue, 24 Nov 2026 08:00:00 +0000");
        assert_eq!(parse(&format(at)), Some(at));
    }
}
