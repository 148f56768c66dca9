//! Any value of any request or response that a version can say comes back from its octets.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| activesync::check::typed_round_trip(input));
