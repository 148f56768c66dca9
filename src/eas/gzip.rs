//! Answers in gzip (RFC 1952), for phones that take them ([MS-ASHTTP] 2.2.1.1.2, 2.2.2.1.2.2).
//!
//! Guarantees: what is packed is never longer than what it was made of, and unpacked it is that again. Packing comes before the
//! gate, so what the gate is asked about, the journal counts and the hash is of are the octets that leave.
//!
//! Only answers to ItemOperations are packed, whether multipart or not. A Sync is answered as fast as may be, and its bodies are
//! bounded by the phone's own window; a Search tells how much it found by its length, beside words that its phone did not choose.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// Whether a request says that it takes gzip (RFC 9110 12.5.3). "Anything" is no wish for it.
pub(in crate::eas) fn is_taken(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let names = ["gzip", "x-gzip"].iter().any(|gzip| name.trim().eq_ignore_ascii_case(gzip));
        names && !is_nothing(weight)
    })
}

/// Whether a weight is 0: "not this one".
fn is_nothing(weight: &str) -> bool {
    let Some((name, value)) = weight.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("q") && value.trim().parse().is_ok_and(|q: f32| q <= 0.0)
}

/// The octets in gzip; `None` where that would not be shorter.
pub(in crate::eas) fn packed(octets: &[u8]) -> Option<Vec<u8>> {
    if octets.len() < PACKED_FROM_OCTETS {
        return None;
    }
    let room = Room { octets: Vec::new(), left: octets.len() - 1 };
    let mut encoder = GzEncoder::new(room, Compression::fast());
    encoder.write_all(octets).ok()?;
    Some(encoder.finish().ok()?.octets)
}

/// Takes so many octets and no more.
struct Room {
    octets: Vec<u8>,
    left: usize,
}

impl std::io::Write for Room {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.left = self.left.checked_sub(octets.len()).ok_or(std::io::ErrorKind::WriteZero)?;
        self.octets.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Shorter answers fit a packet as they are.
const PACKED_FROM_OCTETS: usize = 1024;
/// Longer ones are packed on a thread that may block.
pub(in crate::eas) const PACKED_AT_ONCE_OCTETS: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn taken(fields: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(ACCEPT_ENCODING, field.parse().unwrap());
        }
        is_taken(&headers)
    }

    #[test]
    fn gzip_is_taken_by_who_names_it() {
        for fields in [
            &["gzip"][..],
            &["gzip, deflate"],
            &["deflate", "GZIP"],
            &["br;q=1.0, gzip;q=0.8, *;q=0.1"],
            &["x-gzip"],
        ] {
            assert!(taken(fields), "{fields:?}");
        }
        for fields in [&[][..], &[""], &["identity"], &["*"], &["gzip;q=0"], &["gzip; q=0.000"]] {
            assert!(!taken(fields), "{fields:?}");
        }
    }

    #[test]
    fn what_is_packed_is_shorter_and_the_same_unpacked() {
        let long = b"again and again ".repeat(10_000);
        let packed = packed(&long).unwrap();
        assert!(packed.len() < long.len() / 10);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, long);
    }

    #[test]
    fn what_does_not_get_shorter_stays_as_it_is() {
        assert!(packed(b"short").is_none());
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(100_000)
        .collect();
        assert!(packed(&noise).is_none());
    }
}
