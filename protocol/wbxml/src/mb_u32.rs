//! `mb_u_int32`: big-endian groups of seven bits, bit 7 set on every octet but the last, at most five octets.

use alloc::vec::Vec;

use crate::error::{Error, ErrorKind};

const OCTETS_MAX: usize = 5;
const CONTINUES: u8 = 0x80;

/// Reads the integer that starts at `offset`; gives the value and the offset behind it.
///
/// Redundant leading `0x80` octets are legal; a sixth octet or a bit beyond 32 is not.
pub(crate) fn decode(input: &[u8], offset: usize) -> Result<(u32, usize), Error> {
    let mut value: u64 = 0;
    let octets = input.get(offset..).unwrap_or_default();
    for (index, octet) in octets.iter().take(OCTETS_MAX).enumerate() {
        value = value << 7 | u64::from(octet & !CONTINUES);
        if octet & CONTINUES == 0 {
            let value =
                u32::try_from(value).map_err(|_| Error::new(ErrorKind::BadMbU32, offset))?;
            return Ok((value, offset + index + 1));
        }
    }
    if octets.len() >= OCTETS_MAX {
        return Err(Error::new(ErrorKind::BadMbU32, offset));
    }
    Err(Error::new(ErrorKind::UnexpectedEnd, input.len()))
}

/// Appends the shortest spelling of `value`.
pub(crate) fn encode(value: u32, to: &mut Vec<u8>) {
    let groups = (32 - (value | 1).leading_zeros()).div_ceil(7);
    for group in (0..groups).rev() {
        let bits = (value >> (7 * group)) as u8 & !CONTINUES;
        to.push(if group == 0 { bits } else { bits | CONTINUES });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn encoded(value: u32) -> Vec<u8> {
        let mut octets = Vec::new();
        encode(value, &mut octets);
        octets
    }

    #[test]
    fn known_values_both_ways() {
        for (value, octets) in [
            (0, vec![0x00]),
            (127, vec![0x7F]),
            (128, vec![0x81, 0x00]),
            (200, vec![0x81, 0x48]),
            (16384, vec![0x81, 0x80, 0x00]),
            (u32::MAX, vec![0x8F, 0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            assert_eq!(encoded(value), octets);
            assert_eq!(decode(&octets, 0), Ok((value, octets.len())));
        }
    }

    #[test]
    fn leading_zero_groups_are_legal() {
        assert_eq!(decode(&[0x80, 0x80, 0x80, 0x80, 0x04], 0), Ok((4, 5)));
    }

    #[test]
    fn too_large_and_too_long_are_named() {
        let bad = Err(Error::new(ErrorKind::BadMbU32, 1));
        assert_eq!(decode(&[0, 0x90, 0x80, 0x80, 0x80, 0x00], 1), bad);
        assert_eq!(decode(&[0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 1), bad);
        assert_eq!(decode(&[0, 0x80], 1), Err(Error::new(ErrorKind::UnexpectedEnd, 2)));
        assert_eq!(decode(&[0], 9), Err(Error::new(ErrorKind::UnexpectedEnd, 1)));
    }
}
