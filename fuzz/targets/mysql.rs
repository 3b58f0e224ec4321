//! The target `mysql` for coverage-guided runs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deskbell_fuzz::mysql::check(data));
