//! What a proxy says of a phone is read or refused, and a phone cannot speak for it; seeds are in fuzz/seeds/proxy_header.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| retract::eas::check::proxy_header(octets));
