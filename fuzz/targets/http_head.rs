//! The target `http_head` for coverage-guided runs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deskbell_fuzz::http_head::check(data));
