//! A request that was decoded is decoded again from what is encoded.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| activesync::check::request_round_trip(input));
