//! Bytes of a server that was called.
#![no_main]

#[path = "../../tests/properties/answers.rs"]
mod answers;
#[path = "../../tests/properties/frames.rs"]
#[expect(dead_code, reason = "other targets use the rest")]
mod frames;
#[path = "../../tests/properties/oracle.rs"]
mod oracle;
#[path = "../../tests/properties/peer.rs"]
mod peer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answers::check(bytes));
