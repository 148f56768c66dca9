//! Whatever rings, a wait ends in time and for what rang.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| retract::push::check::wait(octets));
