//! Credentials of an HTTP request → caller.
//!
//! Tokens are compared through their digests, so that the time taken says nothing about how much of one was right.

use crate::auth::caller::Caller;
use crate::secret::Secret;
use sha2::Digest;
use sha2::Sha256;

/// Checks the tokens of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Inbound {
    digests: Vec<[u8; 32]>,
}

impl Inbound {
    /// Knows these bearer tokens; with none every request is [`Caller::Anonymous`].
    #[must_use]
    pub fn new(bearer_tokens: &[Secret]) -> Self {
        Self { digests: bearer_tokens.iter().map(|token| digest(token.expose())).collect() }
    }

    /// True when requests need a token.
    #[must_use]
    pub fn is_required(&self) -> bool {
        !self.digests.is_empty()
    }

    /// The caller behind the value of an `Authorization` header. `None` refuses.
    #[must_use]
    pub fn caller(&self, authorization: Option<&str>) -> Option<Caller> {
        if !self.is_required() {
            return Some(Caller::Anonymous);
        }
        let (scheme, token) = authorization?.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let shown = digest(token.trim());
        // All are compared, whichever matches.
        let place = |found, (place, known)| if same(known, &shown) { Some(place) } else { found };
        self.digests.iter().enumerate().fold(None, place).map(Caller::token)
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |seen, (x, y)| seen | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_configured_token_is_a_caller() {
        let inbound = Inbound::new(&[Secret::new("first-token-aaaa"), Secret::new("second-token-bbb")]);
        assert_eq!(inbound.caller(Some("Bearer second-token-bbb")), Some(Caller::token(1)));
        for refused in
            [None, Some("Bearer "), Some("Bearer first-token-aaa"), Some("Basic first-token-aaaa"), Some("")]
        {
            assert_eq!(inbound.caller(refused), None, "{refused:?}");
        }
        assert_eq!(Inbound::default().caller(None), Some(Caller::Anonymous));
    }
}
