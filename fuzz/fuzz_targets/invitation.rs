//! Any octets are an invitation that phones can be shown, or none; seeds are in fuzz/seeds/invitation.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| retract::eas::check::invitation(octets));
