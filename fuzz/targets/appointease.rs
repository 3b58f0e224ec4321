//! The target `appointease` for coverage-guided runs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deskbell_fuzz::appointease::check(data));
