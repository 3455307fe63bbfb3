//! An authorization server, as far as its keys: it signs tokens, and counts who asks for its keys.
//!
//! It makes tokens with the bare cryptography, good ones and bad ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature;
use ring::signature::EcdsaKeyPair;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair as _;
use ring::signature::RsaKeyPair;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

/// A key of RSA that signs nothing but tokens of these tests: it takes long to make one.
const RSA: &[u8] = include_bytes!("signer.der");

/// Private keys.
pub struct Signer {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Signer {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let kind = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let p256 = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        Self {
            rsa: RsaKeyPair::from_der(RSA).expect("a key"),
            p256: EcdsaKeyPair::from_pkcs8(kind, p256.as_ref(), &random).expect("a key"),
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).expect("a key"),
        }
    }

    /// Its public keys, called `rsa`, `p256` and `ed`.
    pub fn jwks(&self) -> Value {
        let rsa = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        let number = |bytes: &[u8]| b64(&bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]);
        let (x, y) = self.p256.public_key().as_ref()[1..].split_at(32);
        json!({ "keys": [
            { "kty": "RSA", "kid": "rsa", "use": "sig", "n": number(&rsa.n), "e": number(&rsa.e) },
            { "kty": "EC", "kid": "p256", "crv": "P-256", "alg": "ES256", "x": b64(x), "y": b64(y) },
            { "kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(self.ed25519.public_key().as_ref()) },
        ]})
    }

    /// A token with this header and these claims as they stand, signed as `how` says: `RS256`, `RS384`, `ES256`, `ES256-DER`,
    /// `EdDSA`, `HS256` (with the public key as the secret), or nothing.
    pub fn raw(&self, how: &str, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", b64(header.as_bytes()), b64(claims.as_bytes()));
        let signature = self.sign(how, message.as_bytes());
        format!("{message}.{}", b64(&signature))
    }

    /// A token with a proper header and more in it.
    pub fn token(&self, how: &str, more: Value, claims: &Value) -> String {
        let kid = match how {
            "RS256" | "RS384" => "rsa",
            "ES256" | "ES256-DER" => "p256",
            _ => "ed",
        };
        let mut header = json!({ "typ": "JWT", "alg": how.trim_end_matches("-DER"), "kid": kid });
        for (name, value) in more.as_object().expect("an object") {
            header[name] = value.clone();
            if value.is_null() {
                header.as_object_mut().expect("an object").remove(name);
            }
        }
        self.raw(how, &header.to_string(), &claims.to_string())
    }

    fn sign(&self, how: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |encoding: &'static dyn signature::RsaEncoding| {
            let mut signed = vec![0; self.rsa.public().modulus_len()];
            self.rsa.sign(encoding, &random, message, &mut signed).expect("a signature");
            signed
        };
        match how {
            "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
            "RS384" => rsa(&signature::RSA_PKCS1_SHA384),
            "ES256" => self.p256.sign(&random, message).expect("a signature").as_ref().to_vec(),
            "ES256-DER" => {
                let fixed = self.p256.sign(&random, message).expect("a signature");
                let (r, s) = fixed.as_ref().split_at(32);
                [&[0x30, 70, 2, 33, 0], r, &[2, 33, 0], s].concat()
            }
            "EdDSA" => self.ed25519.sign(message).as_ref().to_vec(),
            "HS256" => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.jwks().to_string().as_bytes());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            _ => Vec::new(),
        }
    }
}

pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs()
}

/// A server with metadata and keys. It ends with the process.
pub struct Issuer {
    pub signer: Signer,
    addr: SocketAddr,
    asked: Arc<AtomicUsize>,
    /// What it gives; `None` while it is down.
    pub keys: Arc<Mutex<Option<String>>>,
}

impl Issuer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let signer = Signer::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let keys = Arc::new(Mutex::new(Some(signer.jwks().to_string())));
        let (seen, shown) = (Arc::clone(&asked), Arc::clone(&keys));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(&stream);
                let mut first = String::new();
                if reader.read_line(&mut first).is_err() {
                    continue;
                }
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    line.clear();
                }
                let keys = shown.lock().expect("nobody panics").clone();
                let body = match (first.split(' ').nth(1), keys) {
                    (Some("/.well-known/openid-configuration"), Some(_)) => {
                        let at = format!("http://{addr}");
                        Some(json!({ "issuer": at, "jwks_uri": format!("{at}/keys") }).to_string())
                    }
                    (Some("/keys"), keys) => {
                        seen.fetch_add(1, Ordering::SeqCst);
                        keys
                    }
                    _ => None,
                };
                let (status, body) = body.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = (&stream).write_all((head + &body).as_bytes());
            }
        });
        Self { signer, addr, asked, keys }
    }

    /// What `iss` says.
    pub fn name(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// From now on it gives no keys.
    pub fn goes_down(&self) {
        *self.keys.lock().expect("nobody panics") = None;
    }

    /// Claims of a good token.
    pub fn claims(&self) -> Value {
        json!({ "iss": self.name(), "aud": AUDIENCE, "sub": "ann", "iat": now(), "exp": now() + 600 })
    }
}

/// What tokens are for.
pub const AUDIENCE: &str = "https://mcp.example.com/mcp";
