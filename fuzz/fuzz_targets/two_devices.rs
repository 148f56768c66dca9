//! Whatever one phone or two do, lose and repeat, and whatever happens beside them, the gateway keeps the promises of a recall.

#![no_main]

use gateway::{disk, house, random};
use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "what only the tests of the gateway use")]
#[path = "../../tests/gateway/main.rs"]
mod gateway;

fuzz_target!(|octets: &[u8]| gateway::simulation::two_devices::two_devices(octets));
