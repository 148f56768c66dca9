//! Windows: how many statements an answer may make, and how far back a filter reaches.

use std::time::Duration;

use crate::clock::Timestamp;

/// WindowSize where none is given ([MS-ASCMD] 2.2.3.199).
pub const WINDOW_DEFAULT: usize = 100;
/// WindowSize at most; 0 and anything above stand for it ([MS-ASCMD] 2.2.3.199).
pub const WINDOW_MAX: usize = 512;
/// The filter "everything" ([MS-ASCMD] 2.2.3.68.2).
pub const FILTER_ALL: u8 = 0;
/// The highest FilterType for mail: one month.
pub const FILTER_MAX: u8 = 5;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The WindowSize in force for what a request asked.
pub fn size(asked: Option<u32>) -> usize {
    match asked.map(|n| usize::try_from(n).unwrap_or(WINDOW_MAX)) {
        None => WINDOW_DEFAULT,
        Some(0) => WINDOW_MAX,
        Some(n) => n.min(WINDOW_MAX),
    }
}

/// The arrival time, in milliseconds, at which a filter's window begins; the beginning of time for "everything".
pub fn cutoff(filter: u8, now: Timestamp) -> i64 {
    let days = match filter {
        1 => 1,
        2 => 3,
        3 => 7,
        4 => 14,
        5 => 31,
        _ => return i64::MIN,
    };
    now.before(DAY * days).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_size_is_made_legal() {
        assert_eq!(size(None), 100);
        assert_eq!(size(Some(0)), 512);
        assert_eq!(size(Some(513)), 512);
        assert_eq!(size(Some(25)), 25);
    }

    #[test]
    fn a_filter_reaches_back_from_now() {
        let now = Timestamp(100 * 86_400_000);
        assert_eq!(cutoff(1, now), 99 * 86_400_000);
        assert_eq!(cutoff(0, now), i64::MIN);
    }
}
