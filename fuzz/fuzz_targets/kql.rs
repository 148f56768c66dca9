//! Any line is a query that finds what it should; seeds are in fuzz/seeds/kql.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| retract::eas::check::kql(octets));
