//! Any body of any command is decoded or refused, with a place and a status.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| activesync::check::request_decode(input));
