//! Any octets are a message that keeps every promise of the room; seeds are in tests/data/mail.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| retract::message::check::mime(octets));
