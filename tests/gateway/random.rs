//! What decides a story: a seed, by SplitMix64, which is enough for a test and the same on every machine; or octets, which a fuzzer
//! can choose one by one.

use std::sync::Arc;

/// A sequence of choices.
#[derive(Clone, Debug)]
pub(crate) enum Random {
    /// Its seed decides.
    Seed(u64),
    /// These octets decide, from here on; after their end every choice is the first.
    Octets(Arc<[u8]>, usize),
}

impl Random {
    /// The sequence of a seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random::Seed(seed)
    }

    /// The choices that octets make.
    pub(crate) fn told(octets: &[u8]) -> Random {
        Random::Octets(octets.into(), 0)
    }

    /// Whether there are no octets left to choose.
    pub(crate) fn is_spent(&self) -> bool {
        matches!(self, Random::Octets(octets, at) if *at >= octets.len())
    }

    /// The next number below a limit; 0 for a limit of 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        let number = match self {
            Random::Seed(state) => mixed(state),
            Random::Octets(octets, at) => {
                let width = if limit <= 1 << 8 { 1 } else { 1 + limit.ilog2() as usize / 8 };
                let rest = octets.get(*at..).unwrap_or_default();
                *at += width;
                rest.iter().take(width).fold(0, |number, octet| number << 8 | u64::from(*octet))
            }
        };
        number % limit.max(1)
    }

    /// The next index below a length.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of them; none of none.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = self.index(of.len());
        of.get(index)
    }
}

fn mixed(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
