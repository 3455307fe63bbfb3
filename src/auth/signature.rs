//! Signatures of tokens (RFC 7515, RFC 7518): which algorithms there are, and checking one with a public key.
//!
//! Nothing here is shared by the process: a program that embeds the gateway keeps its own choice of cryptography. There
//! are no algorithms with a shared secret, and none without a signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature;
use ring::signature::RsaPublicKeyComponents;
use ring::signature::UnparsedPublicKey;
use ring::signature::VerificationAlgorithm;
use serde::Deserialize;
use std::fmt;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are called what RFC 7518 calls them")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// A public key that belongs to one family of algorithms.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Modulus and exponent, big-endian.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// A point on P-256, uncompressed.
    P256(Vec<u8>),
    /// A point on P-384, uncompressed.
    P384(Vec<u8>),
    /// A key of Ed25519.
    Ed25519(Vec<u8>),
}

/// One key of a set, as RFC 7517 writes it. What is not for checking signatures is no key.
#[derive(Debug, Deserialize)]
pub struct Jwk {
    kty: String,
    /// Its name.
    pub kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The one with this name, spelled exactly so.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PublicKey {
    /// True when `signature` is that of `message` by `algorithm` and this key. A key of another family fits nothing.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let plain = |fit: &'static dyn VerificationAlgorithm, key: &Vec<u8>| {
            UnparsedPublicKey::new(fit, key).verify(message, signature).is_ok()
        };
        match (self, algorithm) {
            (Self::Rsa { n, e }, algorithm) => rsa(algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }),
            (Self::P256(point), Algorithm::Es256) => plain(&signature::ECDSA_P256_SHA256_FIXED, point),
            (Self::P384(point), Algorithm::Es384) => plain(&signature::ECDSA_P384_SHA384_FIXED, point),
            (Self::Ed25519(key), Algorithm::EdDsa) => plain(&signature::ED25519, key),
            _ => false,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa { .. } => "RSA",
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::Ed25519(_) => "Ed25519",
        })
    }
}

impl Jwk {
    /// The key and the one algorithm it is meant for, if it says so. `None` for what is no public key for signatures that
    /// is known here.
    #[must_use]
    pub fn key(&self) -> Option<(PublicKey, Option<Algorithm>)> {
        let checks = |uses: &Vec<String>| uses.iter().any(|used| used == "verify");
        if self.purpose.as_ref().is_some_and(|purpose| purpose != "sig")
            || self.key_ops.as_ref().is_some_and(|uses| !checks(uses))
        {
            return None;
        }
        let alg = match &self.alg {
            Some(name) => Some(Algorithm::of(name)?),
            None => None,
        };
        let point = |length: usize| {
            let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
            let fits = x.len() == length && y.len() == length;
            fits.then(|| [&[4], x.as_slice(), y.as_slice()].concat())
        };
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => PublicKey::Rsa { n: number(&self.n)?, e: number(&self.e)? },
            ("EC", Some("P-256")) => PublicKey::P256(point(32)?),
            ("EC", Some("P-384")) => PublicKey::P384(point(48)?),
            ("OKP", Some("Ed25519")) => PublicKey::Ed25519(bytes(&self.x).filter(|x| x.len() == 32)?),
            _ => return None,
        };
        Some((key, alg))
    }
}

/// Base64url without padding, in its one canonical spelling.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// As base64url without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &Option<String>) -> Option<Vec<u8>> {
    decode(text.as_deref()?)
}

/// Without leading zeros, which some issuers write and the cryptography refuses.
fn number(text: &Option<String>) -> Option<Vec<u8>> {
    let bytes = bytes(text)?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[first..].to_vec())
}

fn rsa(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
    })
}
