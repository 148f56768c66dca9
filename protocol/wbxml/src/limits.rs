//! Limits: what a document may cost before the reader refuses it.
//!
//! The defaults stand far above what phones and servers send (real documents nest under 15 deep) and far below what hurts.

const DEPTH_MAX: usize = 64;
const ELEMENTS_MAX: usize = 1 << 18;
const STRING_BYTES_MAX: usize = 64 << 20;
const TOTAL_BYTES_MAX: usize = 64 << 20;

/// What a document may cost; the reader refuses the first octet that goes beyond.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How many elements may be open at once; 64 unless told otherwise.
    pub depth_max: usize,
    /// How many elements a document may hold; 262,144 unless told otherwise.
    pub elements_max: usize,
    /// How many octets one string or one opaque value may have; 64 MiB unless told otherwise.
    pub string_bytes_max: usize,
    /// How many octets the whole document may have; 64 MiB unless told otherwise.
    pub total_bytes_max: usize,
}

impl Limits {
    /// The defaults, as a constant.
    pub const DEFAULT: Self = Self {
        depth_max: DEPTH_MAX,
        elements_max: ELEMENTS_MAX,
        string_bytes_max: STRING_BYTES_MAX,
        total_bytes_max: TOTAL_BYTES_MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
