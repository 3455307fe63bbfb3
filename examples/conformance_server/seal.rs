//! Seals what a modern tool remembers between two rounds into a `requestState`, and opens it again.
//!
//! It does not hide the content, and does not bind it to a caller: the suite only asks that a changed one is noticed.

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rmcp::ErrorData;
use sha2::{Digest, Sha256};

/// A key of this process.
#[derive(Clone)]
pub struct Seal {
    key: [u8; 32],
}

impl Seal {
    pub fn new() -> anyhow::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
        Ok(Self { key })
    }

    /// `content` and the proof that it is ours.
    pub fn close(&self, content: &str) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(content), URL_SAFE_NO_PAD.encode(self.proof(content)))
    }

    /// What was closed.
    pub fn open(&self, sealed: &str) -> Result<String, ErrorData> {
        self.read(sealed).ok_or_else(|| ErrorData::invalid_params("requestState is not one of ours", None))
    }

    fn read(&self, sealed: &str) -> Option<String> {
        let (content, proof) = sealed.split_once('.')?;
        let content = String::from_utf8(URL_SAFE_NO_PAD.decode(content).ok()?).ok()?;
        (URL_SAFE_NO_PAD.decode(proof).ok()? == self.proof(&content)).then_some(content)
    }

    /// The key on both sides, so that nothing can be appended.
    fn proof(&self, content: &str) -> Vec<u8> {
        Sha256::new().chain_update(self.key).chain_update(content).chain_update(self.key).finalize().to_vec()
    }
}
