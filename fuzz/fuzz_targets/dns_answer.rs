//! Any octets are an answer of the DNS, or none; seeds are in fuzz/seeds/dns_answer.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| retract::cli::check::dns_answer(octets));
