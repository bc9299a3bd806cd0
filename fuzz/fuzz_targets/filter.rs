//! See `siplens::fuzz::filter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| { siplens::fuzz::filter(octets); });
