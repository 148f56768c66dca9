//! Any octets are judged as certificates, and none is trusted that should not be; seeds are in fuzz/seeds/certificate.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| retract::eas::check::certificate(octets));
