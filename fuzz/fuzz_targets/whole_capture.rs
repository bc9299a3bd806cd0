//! See `siplens::fuzz::whole_capture`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| { siplens::fuzz::whole_capture(octets); });
