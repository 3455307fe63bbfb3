//! Bytes of a client through framing, gateway and scripted servers.
#![no_main]

#[path = "../../tests/properties/frames.rs"]
mod frames;
#[path = "../../tests/properties/oracle.rs"]
mod oracle;
#[path = "../../tests/properties/peer.rs"]
#[expect(dead_code, reason = "other targets use the rest")]
mod peer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frames::check(bytes));
