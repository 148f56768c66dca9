//! Whatever happens in a folder, a plan keeps its promises and a phone that takes its answers catches up.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| retract::sync::check::plan(octets));
