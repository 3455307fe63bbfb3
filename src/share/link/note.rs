//! What a gateway writes where a socket would be, in the folder of the user: the name of its pipe, which is new each time, and
//! a key. Anybody may take a name that is free; by the key a client knows that who answers can read the note, too.
//!
//! It opens no pipe.

use crate::secret::hex::hex;
use ring::hmac;
use std::io;

/// What a client says first, in bytes: nothing that anybody could have said before.
pub const NONCE: usize = 16;
/// What it is answered, in bytes.
pub const PROOF: usize = 32;

/// Where a gateway is met, and how it is known.
pub struct Note {
    /// The pipe.
    pub name: String,
    key: hmac::Key,
}

impl Note {
    /// A new one, and its text.
    ///
    /// # Errors
    /// Without randomness.
    pub fn new() -> io::Result<(Self, String)> {
        let (mut name, mut key) = ([0; 16], [0; 32]);
        getrandom::fill(&mut name).and_then(|()| getrandom::fill(&mut key)).map_err(io::Error::other)?;
        let text = format!("\\\\.\\pipe\\mcp-manifold-{}\n{}\n", hex(&name), hex(&key));
        let note = Self::of(&text).ok_or_else(|| io::Error::other("there is no name for a pipe"))?;
        Ok((note, text))
    }

    /// From the text of the file; `None` while it is written.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let (name, key) = text.strip_suffix('\n')?.split_once('\n')?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        Some(Self { name: name.to_owned(), key })
    }

    /// What only the gateway answers.
    #[must_use]
    pub fn proof(&self, nonce: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, nonce)
    }

    /// True for what [`Note::proof`] gave.
    #[must_use]
    pub fn is_proof(&self, nonce: &[u8], proof: &[u8]) -> bool {
        hmac::verify(&self.key, nonce, proof).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_note_is_known_and_nobody_else() {
        let (note, text) = Note::new().unwrap();
        let read = Note::of(&text).unwrap();
        assert!(note.name.starts_with("\\\\.\\pipe\\mcp-manifold-") && read.name == note.name);
        let proof = note.proof(b"nonce");
        assert_eq!(proof.as_ref().len(), PROOF);
        assert!(read.is_proof(b"nonce", proof.as_ref()) && !read.is_proof(b"other", proof.as_ref()));
        let (other, _) = Note::new().unwrap();
        assert!(other.name != note.name && !other.is_proof(b"nonce", proof.as_ref()));
        for half in ["", "x", "x\n", "x\ny", &text[..text.len() - 1]] {
            assert!(Note::of(half).is_none(), "{half}");
        }
    }
}
