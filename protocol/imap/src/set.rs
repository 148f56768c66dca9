//! Sets of UIDs or sequence numbers, kept as ranges: `1:4294967295` is one range and never four thousand million numbers.

use std::fmt;
use std::ops::RangeInclusive;

use crate::value::Fault;

/// A set of numbers from 1 to 4,294,967,295 as ascending ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NumberSet {
    ranges: Vec<(u32, u32)>,
}

impl NumberSet {
    /// The empty set.
    pub const fn new() -> NumberSet {
        NumberSet { ranges: Vec::new() }
    }

    /// Every number there is. It is written `1:4294967295`, because `n:*` names the last message even where `n` lies beyond it.
    pub fn all() -> NumberSet {
        NumberSet::from(1..=u32::MAX)
    }

    /// Is nothing in it?
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers are in it.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(from, to)| u64::from(to - from) + 1).sum()
    }

    /// Is the number in it?
    pub fn contains(&self, number: u32) -> bool {
        let after = self.ranges.partition_point(|&(from, _)| from <= number);
        after > 0 && self.ranges[after - 1].1 >= number
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = RangeInclusive<u32>> + '_ {
        self.ranges.iter().map(|&(from, to)| from..=to)
    }

    /// The numbers, ascending. There can be four thousand million of them: ask [`NumberSet::len`] first.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges().flatten()
    }

    /// Puts a number in.
    pub fn insert(&mut self, number: u32) {
        self.insert_range(number..=number);
    }

    /// Puts a range in; an empty one or 0 changes nothing.
    pub fn insert_range(&mut self, range: RangeInclusive<u32>) {
        let (from, to) = ((*range.start()).max(1), *range.end());
        if from > to {
            return;
        }
        let first = self.ranges.partition_point(|&(_, end)| end < from - 1);
        let last = self.ranges.partition_point(|&(start, _)| start <= to.saturating_add(1));
        let mut merged = (from, to);
        if first < last {
            merged = (from.min(self.ranges[first].0), to.max(self.ranges[last - 1].1));
        }
        self.ranges.splice(first..last, [merged]);
    }

    /// Those in both.
    pub fn intersection(&self, other: &NumberSet) -> NumberSet {
        let mut ranges = Vec::new();
        let (mut mine, mut theirs) =
            (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(&&(a, b)), Some(&&(c, d))) = (mine.peek(), theirs.peek()) {
            if a.max(c) <= b.min(d) {
                ranges.push((a.max(c), b.min(d)));
            }
            if b < d {
                mine.next()
            } else {
                theirs.next()
            };
        }
        NumberSet { ranges }
    }

    /// Those that are not in the other.
    pub fn without(&self, other: &NumberSet) -> NumberSet {
        let mut ranges = Vec::new();
        let mut theirs = other.ranges.iter().peekable();
        for &(mut from, to) in &self.ranges {
            while theirs.next_if(|&&(_, end)| end < from).is_some() {}
            let mut left = true;
            while let Some(&&(start, end)) = theirs.peek().filter(|&&&(start, _)| start <= to) {
                if start > from {
                    ranges.push((from, start - 1));
                }
                if end >= to {
                    left = false;
                    break;
                }
                from = end + 1;
                theirs.next();
            }
            if left {
                ranges.push((from, to));
            }
        }
        NumberSet { ranges }
    }

    /// Reads `1:3,7,9:*`; `*` is the largest number there is.
    pub(crate) fn parse(text: &[u8], ranges_max: usize) -> Result<NumberSet, Fault> {
        let mut pairs = ordered_ranges(text, ranges_max)?;
        for pair in &mut pairs {
            *pair = (pair.0.min(pair.1), pair.0.max(pair.1));
        }
        Ok(NumberSet::from_pairs(pairs))
    }

    /// From ranges in any order, each with its smaller number first.
    pub(crate) fn from_pairs(mut pairs: Vec<(u32, u32)>) -> NumberSet {
        pairs.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(pairs.len());
        for (from, to) in pairs {
            match ranges.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => ranges.push((from, to)),
            }
        }
        NumberSet { ranges }
    }
}

impl From<RangeInclusive<u32>> for NumberSet {
    fn from(range: RangeInclusive<u32>) -> NumberSet {
        let mut set = NumberSet::new();
        set.insert_range(range);
        set
    }
}

impl From<u32> for NumberSet {
    fn from(number: u32) -> NumberSet {
        NumberSet::from(number..=number)
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> NumberSet {
        let pairs = numbers.into_iter().filter(|&n| n > 0).map(|n| (n, n)).collect();
        NumberSet::from_pairs(pairs)
    }
}

impl fmt::Display for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, &(from, to)) in self.ranges.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            match from == to {
                true => write!(f, "{comma}{from}")?,
                false => write!(f, "{comma}{from}:{to}")?,
            }
        }
        Ok(())
    }
}

/// Which UID became which (COPYUID, RFC 4315 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidMap {
    /// From, to, how many.
    runs: Vec<(u32, u32, u32)>,
}

impl UidMap {
    /// Reads the two sets of a COPYUID, which correspond in the order they are written.
    pub(crate) fn parse(from: &[u8], to: &[u8], ranges_max: usize) -> Result<UidMap, Fault> {
        let mut sources = ordered_ranges(from, ranges_max)?.into_iter().map(ascending);
        let mut targets = ordered_ranges(to, ranges_max)?.into_iter().map(ascending);
        let mut runs = Vec::new();
        let (mut source, mut target) = (sources.next(), targets.next());
        while let (Some((a, b)), Some((c, d))) = (source, target) {
            let steps = (b - a).min(d - c);
            runs.push((a, c, steps));
            source = if steps == b - a { sources.next() } else { Some((a + steps + 1, b)) };
            target = if steps == d - c { targets.next() } else { Some((c + steps + 1, d)) };
        }
        match (source, target) {
            (None, None) => Ok(UidMap { runs }),
            _ => Err(Fault::Malformed("COPYUID")),
        }
    }

    /// The UID a message has now.
    pub fn get(&self, uid: u32) -> Option<u32> {
        let run = self.runs.iter().find(|&&(from, _, steps)| uid >= from && uid - from <= steps)?;
        Some(run.1 + (uid - run.0))
    }

    /// The UIDs before.
    pub fn sources(&self) -> NumberSet {
        NumberSet::from_pairs(self.runs.iter().map(|&(from, _, n)| (from, from + n)).collect())
    }
}

fn ascending((a, b): (u32, u32)) -> (u32, u32) {
    (a.min(b), a.max(b))
}

/// The ranges of a set in the order they are written.
fn ordered_ranges(text: &[u8], ranges_max: usize) -> Result<Vec<(u32, u32)>, Fault> {
    let mut ranges = Vec::new();
    for part in text.split(|&c| c == b',') {
        if ranges.len() == ranges_max {
            return Err(Fault::TooMany);
        }
        let mut ends = part.splitn(2, |&c| c == b':');
        let from = number(ends.next().unwrap_or_default())?;
        let to = ends.next().map_or(Ok(from), number)?;
        ranges.push((from, to));
    }
    Ok(ranges)
}

fn number(text: &[u8]) -> Result<u32, Fault> {
    if text == b"*" {
        return Ok(u32::MAX);
    }
    let digits = text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits).and_then(|t| t.parse().ok());
    number.filter(|&n| n > 0).ok_or(Fault::Malformed("set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> NumberSet {
        NumberSet::parse(text.as_bytes(), 1000).expect(text)
    }

    #[test]
    fn ranges_stay_ranges() {
        assert_eq!(set("1:4294967295").ranges().len(), 1);
        assert_eq!(set("9,1:3,4,8:7").to_string(), "1:4,7:9");
        assert_eq!(set("5:*").to_string(), "5:4294967295");
        assert_eq!(set("1:4294967295").len(), 4_294_967_295);
        for wrong in ["", "0", "1:", ":1", "1,,2", "4294967296", "a", "+1", "1:2:3"] {
            assert!(NumberSet::parse(wrong.as_bytes(), 1000).is_err(), "{wrong}");
        }
        assert_eq!(NumberSet::parse(b"1,3,5", 2), Err(Fault::TooMany));
    }

    #[test]
    fn copies_correspond_in_the_order_written() {
        let map = UidMap::parse(b"1:3,7", b"9,2:4", 1000).unwrap();
        assert_eq!(
            [1, 2, 3, 7, 8].map(|uid| map.get(uid)),
            [Some(9), Some(2), Some(3), Some(4), None]
        );
        assert_eq!(map.sources().to_string(), "1:3,7");
        assert!(UidMap::parse(b"1:3", b"1:2", 1000).is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_set_is_its_numbers(mut numbers in proptest::collection::vec(1u32..60, 0..40)) {
            let collected: NumberSet = numbers.iter().copied().collect();
            let mut inserted = NumberSet::new();
            numbers.iter().for_each(|&n| inserted.insert(n));
            proptest::prop_assert_eq!(&collected, &inserted);
            numbers.sort_unstable();
            numbers.dedup();
            proptest::prop_assert_eq!(collected.numbers().collect::<Vec<_>>(), numbers.clone());
            proptest::prop_assert!((1..60).all(|n| collected.contains(n) == numbers.contains(&n)));
            if !collected.is_empty() {
                proptest::prop_assert_eq!(set(&collected.to_string()), collected);
            }
        }

        #[test]
        fn an_intersection_is_in_both(a in proptest::collection::vec(1u32..60, 0..40), b in proptest::collection::vec(1u32..60, 0..40)) {
            let (a, b): (NumberSet, NumberSet) = (a.into_iter().collect(), b.into_iter().collect());
            let both = a.intersection(&b);
            proptest::prop_assert!((1..60).all(|n| both.contains(n) == (a.contains(n) && b.contains(n))));
            let rest = a.without(&b);
            proptest::prop_assert!((1..60).all(|n| rest.contains(n) == (a.contains(n) && !b.contains(n))));
            proptest::prop_assert_eq!(&rest, &rest.numbers().collect());
        }
    }
}
