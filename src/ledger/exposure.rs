//! Exposure: what of a message has left towards a device. A set that only grows (the flags of an item towards a device).

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// What a device was given of one item, by any command. There is no operation that takes a flag away.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Exposure(u16);

impl Exposure {
    /// Nothing of it left through this gateway.
    pub const NEVER: Exposure = Exposure(0);
    /// The envelope, without a body octet.
    pub const HEADER: Exposure = Exposure(1);
    /// Part of the body: a cut body, a preview, a range.
    pub const PART: Exposure = Exposure(1 << 1);
    /// The whole body, or the whole MIME.
    pub const BODY: Exposure = Exposure(1 << 2);
    /// An attachment, whole or in part.
    pub const ATTACHMENT: Exposure = Exposure(1 << 3);
    /// A copy among search results, which no Delete of a folder reaches.
    pub const SEARCHED: Exposure = Exposure(1 << 4);
    /// Fetched by ItemOperations, which has no key: it stays *sent* for ever.
    pub const FETCHED: Exposure = Exposure(1 << 5);
    /// The device said it was read.
    pub const READ_CLAIMED: Exposure = Exposure(1 << 6);
    /// The device moved it.
    pub const MOVED: Exposure = Exposure(1 << 7);
    /// The device replied to it or forwarded it.
    pub const ACTED: Exposure = Exposure(1 << 8);
    /// A SoftDelete was acknowledged: the app dropped it earlier.
    pub const AGED_OUT: Exposure = Exposure(1 << 9);

    /// A waiting request was answered for the folder after it arrived: woken for it, and no content. Told from the wakes when an order
    /// looks a device up, so it has no rows in `holdings`.
    pub const WOKEN: Exposure = Exposure(1 << 10);

    /// Every flag with its kind number, as the rows of `holdings` use it (8 and up; below are the states of [`super::holding`]).
    pub const ALL: [Exposure; 10] = [
        Exposure::HEADER,
        Exposure::PART,
        Exposure::BODY,
        Exposure::ATTACHMENT,
        Exposure::SEARCHED,
        Exposure::FETCHED,
        Exposure::READ_CLAIMED,
        Exposure::MOVED,
        Exposure::ACTED,
        Exposure::AGED_OUT,
    ];

    /// Flags that mean that content left us.
    pub const CONTENT: Exposure = Exposure(
        Exposure::HEADER.0
            | Exposure::PART.0
            | Exposure::BODY.0
            | Exposure::ATTACHMENT.0
            | Exposure::SEARCHED.0
            | Exposure::FETCHED.0,
    );

    /// Whether all flags of `other` are set.
    pub fn contains(self, other: Exposure) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    pub fn intersects(self, other: Exposure) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether content left us, by whatever road.
    pub fn any_content(self) -> bool {
        self.intersects(Exposure::CONTENT)
    }

    /// The bits as a row stores them.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Bits read back from a row; unknown ones are kept, since exposure never shrinks.
    pub fn from_bits(bits: u16) -> Exposure {
        Exposure(bits)
    }

    /// The chips of the coverage matrix: `N W H B% B A S F R M X O`.
    pub fn chips(self) -> String {
        let mut chips = Vec::new();
        for (flag, chip) in [
            (Exposure::WOKEN, "W"),
            (Exposure::HEADER, "H"),
            (Exposure::PART, "B%"),
            (Exposure::BODY, "B"),
            (Exposure::ATTACHMENT, "A"),
            (Exposure::SEARCHED, "S"),
            (Exposure::FETCHED, "F"),
            (Exposure::READ_CLAIMED, "R"),
            (Exposure::MOVED, "M"),
            (Exposure::ACTED, "X"),
            (Exposure::AGED_OUT, "O"),
        ] {
            if self.contains(flag) {
                chips.push(chip);
            }
        }
        if chips.is_empty() { "N".to_owned() } else { chips.join(" ") }
    }
}

impl BitOr for Exposure {
    type Output = Exposure;

    fn bitor(self, other: Exposure) -> Exposure {
        Exposure(self.0 | other.0)
    }
}

impl BitOrAssign for Exposure {
    fn bitor_assign(&mut self, other: Exposure) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exposure({})", self.chips())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_never_exposed_and_one_flag_is_not() {
        assert!(!Exposure::NEVER.any_content());
        assert_eq!(Exposure::NEVER.chips(), "N");
        assert!(!Exposure::READ_CLAIMED.any_content(), "a claim is not content that left");
        assert!(!Exposure::WOKEN.any_content(), "a wake proves no content");
        for flag in Exposure::ALL {
            assert_ne!(flag.chips(), "N");
        }
    }

    #[test]
    fn the_flags_are_ten_different_bits() {
        let all = Exposure::ALL.into_iter().fold(Exposure::NEVER, |a, b| a | b);
        assert_eq!(all.bits().count_ones(), 10);
    }
}
