//! See `siplens::fuzz::messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| { siplens::fuzz::messages(octets); });
