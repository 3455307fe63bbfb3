//! Tokens that the gateway signs itself, to show at a token endpoint who it is (RFC 7523).
//!
//! It says nothing about what stands in them.

use crate::auth::signature::Algorithm;
use crate::auth::signature::encode;
use crate::secret::Secret;
use ring::rand::SystemRandom;
use ring::signature;
use ring::signature::EcdsaKeyPair;
use ring::signature::Ed25519KeyPair;
use ring::signature::RsaKeyPair;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use serde_json::json;
use std::fmt;

/// A private key and the algorithm that it signs with.
pub struct SigningKey {
    pair: Pair,
    algorithm: Algorithm,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Why a private key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is none.
    #[error("there is no private key in PEM form")]
    NoPem,
    /// The older form of elliptic-curve keys.
    #[error("`EC PRIVATE KEY` is not supported: convert it with `openssl pkcs8 -topk8 -nocrypt`")]
    Sec1,
    /// Not one of the known kinds.
    #[error("the private key is neither RSA (2048 bits and more), nor P-256, P-384 or Ed25519")]
    Unknown,
    /// Another kind than the algorithm needs.
    #[error("the private key is not one for {0}")]
    Unfit(Algorithm),
}

/// The system gave no random numbers for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token could not be signed: the system gives no random numbers")]
pub struct NotSigned;

impl SigningKey {
    /// Reads a private key in PEM form: PKCS#8, or PKCS#1 for RSA. Without `algorithm` it signs with RS256, ES256, ES384
    /// or EdDSA, as its kind asks for.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn from_pem(pem: &Secret, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| KeyError::NoPem)?;
        let (pair, own) = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der())
                .map(|pair| (Pair::Rsa(Box::new(pair)), Algorithm::Rs256))
                .map_err(|_| KeyError::Unknown)?,
            PrivateKeyDer::Pkcs8(der) => Pair::of_pkcs8(der.secret_pkcs8_der()).ok_or(KeyError::Unknown)?,
            _ => return Err(KeyError::Sec1),
        };
        let algorithm = algorithm.unwrap_or(own);
        let fits = match pair {
            Pair::Rsa(_) => encoding(algorithm).is_some(),
            Pair::Ecdsa(_) | Pair::Ed25519(_) => algorithm == own,
        };
        if fits { Ok(Self { pair, algorithm }) } else { Err(KeyError::Unfit(algorithm)) }
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A signed token with these claims; `key_id` names the key to the reader.
    ///
    /// # Errors
    /// [`NotSigned`]
    pub fn token(&self, key_id: Option<&str>, claims: &Value) -> Result<String, NotSigned> {
        let mut header = json!({"typ": "JWT", "alg": self.algorithm.name()});
        if let Some(key_id) = key_id {
            header["kid"] = key_id.into();
        }
        let part = |value: &Value| encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = self.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", encode(&signature)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let encoding = encoding(self.algorithm).ok_or(NotSigned)?;
                pair.sign(encoding, &random, message, &mut signature).map_err(|_| NotSigned)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => {
                pair.sign(&random, message).map(|signed| signed.as_ref().to_vec()).map_err(|_| NotSigned)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl Pair {
    fn of_pkcs8(der: &[u8]) -> Option<(Self, Algorithm)> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return Some((Self::Rsa(Box::new(pair)), Algorithm::Rs256));
        }
        let random = SystemRandom::new();
        let curves = [
            (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::Es256),
            (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::Es384),
        ];
        for (curve, algorithm) in curves {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve, der, &random) {
                return Some((Self::Ecdsa(Box::new(pair)), algorithm));
            }
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
        Some((Self::Ed25519(Box::new(pair)), Algorithm::EdDsa))
    }
}

fn encoding(algorithm: Algorithm) -> Option<&'static dyn signature::RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
    })
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::signature::Jwk;
    use crate::auth::signature::PublicKey;
    use crate::auth::signature::decode;
    use base64::Engine;

    fn pem(pair: &rcgen::KeyPair) -> Secret {
        let der = base64::engine::general_purpose::STANDARD.encode(pair.serialize_der());
        Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n"))
    }

    fn checked(key: &SigningKey, public: &PublicKey, token: &str) -> bool {
        let (message, signature) = token.rsplit_once('.').unwrap();
        public.verifies(key.algorithm(), message.as_bytes(), &decode(signature).unwrap())
    }

    #[test]
    fn what_is_signed_is_checked_by_the_public_key_and_by_no_other() {
        let pairs = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::Es256, "P-256", 32),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Algorithm::Es384, "P-384", 48),
            (&rcgen::PKCS_ED25519, Algorithm::EdDsa, "Ed25519", 32),
        ];
        for (kind, algorithm, crv, length) in pairs {
            let made = rcgen::KeyPair::generate_for(kind).unwrap();
            let key = SigningKey::from_pem(&pem(&made), None).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            let raw = made.public_key_raw();
            let jwk = if algorithm == Algorithm::EdDsa {
                json!({"kty": "OKP", "crv": crv, "x": encode(raw)})
            } else {
                let (x, y) = raw[1..].split_at(length);
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y), "alg": algorithm.name()})
            };
            let (public, _) = serde_json::from_value::<Jwk>(jwk).unwrap().key().unwrap();
            let token = key.token(Some("k"), &json!({"sub": "me"})).unwrap();
            assert!(checked(&key, &public, &token), "{algorithm}");
            let other = token.replacen('.', ".A", 1);
            assert!(!checked(&key, &public, &other), "{algorithm}");
            let refused = SigningKey::from_pem(&pem(&made), Some(Algorithm::Rs256));
            assert_eq!(refused.unwrap_err(), KeyError::Unfit(Algorithm::Rs256));
        }
        assert_eq!(SigningKey::from_pem(&Secret::new("x"), None).unwrap_err(), KeyError::NoPem);
    }

    #[test]
    fn keys_that_are_not_for_signatures_are_none() {
        let key = |more: Value| {
            let mut jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&[7; 32])});
            jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Jwk>(jwk).unwrap().key().is_some()
        };
        assert!(key(json!({})) && key(json!({"use": "sig", "key_ops": ["verify"], "alg": "EdDSA"})));
        for more in [
            json!({"use": "enc"}),
            json!({"key_ops": ["sign"]}),
            json!({"alg": "HS256"}),
            json!({"alg": "none"}),
            json!({"kty": "oct", "k": "AAAA"}),
            json!({"crv": "X25519"}),
            json!({"x": encode(&[7; 31])}),
            json!({"x": "_w=="}),
        ] {
            assert!(!key(more.clone()), "{more}");
        }
    }
}
