//! What must hold for any octets at all that answer a question to the DNS.

use super::dns::{self, NAME_BYTES_MAX, NoAnswer, Record};

/// Reads `octets`, the first of which says what was asked for, as an answer; and asks for what it says.
///
/// # Panics
/// If a promise of the reader is broken.
pub fn dns_answer(octets: &[u8]) {
    let Some((kind, answer)) = octets.split_first() else { return };
    let kind = dns::KINDS[usize::from(*kind) % dns::KINDS.len()];
    match dns::read(answer, kind) {
        Ok(records) => {
            assert!(records.len() <= answer.len() / RECORD_BYTES_MIN, "{} records", records.len());
            records.iter().for_each(|record| sound(record, kind));
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
    asked(&String::from_utf8_lossy(answer), kind);
}

fn sound(record: &Record, kind: u16) {
    match record {
        Record::Address(address) => {
            assert_eq!(address.is_ipv4(), kind == dns::A);
        }
        Record::Service(service) => {
            assert_eq!(kind, dns::SRV);
            let target = &service.target;
            assert!(target.chars().count() <= NAME_BYTES_MAX);
            assert!(!target.contains(char::is_control), "{target:?} goes to a terminal");
        }
    }
}

/// A name that can be asked for fits a message, and is read back from it.
fn asked(name: &str, kind: u16) {
    let Some(question) = dns::question(7, name, kind) else { return };
    assert!(question.len() <= HEADER_BYTES + NAME_BYTES_MAX + 4);
    let mut answer = question.clone();
    answer[2] = 0x81;
    assert!(dns::read(&answer, kind).is_ok_and(|records| records.is_empty()));
    answer[3] = 3;
    assert!(dns::read(&answer, kind).is_ok_and(|records| records.is_empty()));
    answer[3] = 2;
    assert!(matches!(dns::read(&answer, kind), Err(NoAnswer::Refused(2))));
    (answer[3], answer[7]) = (0, 1);
    assert!(matches!(dns::read(&answer, kind), Err(NoAnswer::Unreadable)), "it promises a record");
}

/// Octets of a header (RFC 1035, 4.1.1).
const HEADER_BYTES: usize = 12;
/// The shortest record: the root's name, and what stands behind every name.
const RECORD_BYTES_MIN: usize = 11;
