//! Who gets in, as statements of the security bar: S1, S2, S6, S10, S17.
//!
//! S3 (pages in browsers) is beside the guard, in `src/front/http/tests/doors.rs`, and in `http.rs`.

mod callers;
pub mod issuer;
pub mod rig;
mod s10_owner;
mod s17_keys;
mod s1_fail_closed;
mod s2_safe_start;
mod s6_tokens;
mod s6_withdrawn;
