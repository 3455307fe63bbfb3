//! Bytes as hexadecimal digits, and ids that nobody can guess.
//!
//! It does not read them back.

use std::fmt::Write;

/// Two lower-case digits for each byte.
///
/// ```
/// assert_eq!(mcp_manifold::secret::hex::hex(&[0, 0x1f]), "001f");
/// ```
///
/// # Panics
/// Never: a string takes everything.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// So many random bytes as [`hex`]; `None` when the system gives none.
///
/// ```
/// use mcp_manifold::secret::hex::random;
/// assert!(random::<16>().is_some_and(|id| id.len() == 32) && random::<16>() != random::<16>());
/// ```
#[must_use]
pub fn random<const BYTES: usize>() -> Option<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}
