//! What must hold for any octets at all that somebody sends as certificates, or an operator names as roots.

use activesync::status::certificate as status;

use super::Trust;
use super::facts::Facts;
use crate::clock::Timestamp;

/// Reads `octets` as a file of roots, where they look like one; else as certificates, each behind its length in two octets: the one
/// to be judged, then those of its chain, the last of which is also trusted.
///
/// # Panics
/// If a promise of this room is broken.
pub fn certificate(octets: &[u8]) {
    if octets.starts_with(b"-----") {
        let roots = Trust::default().with_roots(octets);
        let lists = Trust::default().with_lists(octets);
        for why in [roots.err(), lists.err()].into_iter().flatten() {
            assert!(!why.to_string().is_empty());
        }
        return;
    }
    let mut certificates = pieces(octets);
    if certificates.is_empty() {
        return;
    }
    let judged = certificates.remove(0);
    let facts = Facts::read(&judged);
    if facts.is_some() {
        let longer = [&judged[..], &[0]].concat();
        assert!(Facts::read(&longer).is_none(), "more than a certificate is none");
        assert!(Facts::read(&judged[..judged.len() - 1]).is_none(), "and less is none");
    }
    let trust = certificates.last().map(|root| Trust::default().trusting(root));
    for strict in [false, true] {
        let nobody = Trust::default().judge(&judged, &certificates, strict, NOW);
        assert_ne!(nobody, status::SUCCESS, "nobody is trusted without roots");
        assert!(known(nobody.0), "{}", nobody.0);
        let Some(Some(trust)) = &trust else { continue };
        let verdict = trust.judge(&judged, &certificates, strict, NOW);
        assert!(known(verdict.0), "{}", verdict.0);
        if verdict == status::SUCCESS {
            let facts = facts.as_ref().expect("what is trusted can be read");
            assert!(facts.is_valid_at(NOW) && facts.may_sign && facts.is_for_mail);
            assert!(!strict, "no list says that it was not revoked");
        }
    }
}

fn known(status: u16) -> bool {
    (1..=17).contains(&status)
}

/// Certificates behind their lengths; what is cut short is taken as it is.
fn pieces(mut octets: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while let [high, low, rest @ ..] = octets {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (piece, after) = rest.split_at(length);
        pieces.push(piece.to_vec());
        octets = after;
        if pieces.len() == PIECES_MAX {
            break;
        }
    }
    pieces
}

/// 1 December 2026, noon.
const NOW: Timestamp = Timestamp(1_796_126_400_000);
/// Certificates of one input.
const PIECES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds reach what they are there for: one is trusted, by its root alone.
    #[test]
    fn the_good_seed_is_trusted_by_its_root() {
        let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/certificate/good-for-mail");
        let pieces = pieces(&std::fs::read(seed).unwrap());
        let trust = Trust::default().trusting(&pieces[1]).unwrap();
        assert_eq!(trust.judge(&pieces[0], &[], false, NOW), status::SUCCESS);
    }
}
