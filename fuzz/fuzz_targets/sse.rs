//! Bytes of an event stream.
#![no_main]

#[path = "../../tests/properties/sse.rs"]
mod sse;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sse::check(bytes));
