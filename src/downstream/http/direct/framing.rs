//! Where the body of an HTTP/1.1 response ends: after a length, after the last chunk, or with the connection.
//!
//! Source: RFC 9112, sections 6 and 7. Trailers are skipped. It reads no socket.

use std::ops::Range;

/// Longest line of a chunk's size with its extensions, and most bytes of trailers.
const LONGEST_ASIDE: usize = 16 * 1024;

/// What of a body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; none at the end.
    Length(u64),
    /// Chunks; where in them the next byte stands.
    Chunked(Place),
    /// Everything up to the end of the connection.
    ToEnd,
}

/// A place in a chunked body. `usize` counts the bytes of the line or of the trailers so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the digits of a size; `true` once there is one.
    Size(u64, bool),
    /// After the digits of a size.
    Extension(u64, usize),
    /// After the CR that ends the line of a size.
    SizeEnd(u64),
    /// In the content of a chunk.
    Content(u64),
    /// Before the CR after the content of a chunk.
    ContentCr,
    /// After that CR.
    ContentLf,
    /// At the beginning of a line of the trailers.
    TrailerStart(usize),
    /// In such a line.
    Trailer(usize),
    /// After the CR of the last line.
    LastLf,
    /// After everything.
    Over,
}

/// A body whose framing cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of its answer cannot be read")]
pub struct Malformed;

/// What was found in some bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which of them are content; empty when there is none in them.
    pub content: Range<usize>,
    /// How many have been read, content included.
    pub used: usize,
}

impl Framing {
    /// The framing of chunks, at their beginning.
    pub const CHUNKED: Self = Self::Chunked(Place::Size(0, false));

    /// True when nothing more belongs to the body.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Place::Over))
    }

    /// True when the body may end with the connection.
    #[must_use]
    pub fn may_end(self) -> bool {
        self == Self::ToEnd || self.is_over()
    }

    /// Reads on in `bytes`, up to the end of the first piece of content.
    ///
    /// # Errors
    /// [`Malformed`], after which nothing more can be read.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Taken, Malformed> {
        match self {
            Self::ToEnd => Ok(Taken { content: 0..bytes.len(), used: bytes.len() }),
            Self::Length(left) => {
                let used = within(*left, bytes.len());
                *left -= used as u64;
                Ok(Taken { content: 0..used, used })
            }
            Self::Chunked(place) => place.take(bytes),
        }
    }
}

impl Place {
    fn take(&mut self, bytes: &[u8]) -> Result<Taken, Malformed> {
        let mut at = 0;
        while at < bytes.len() && *self != Self::Over {
            if let Self::Content(left) = self {
                let content = at..at + within(*left, bytes.len() - at);
                *left -= content.len() as u64;
                if *left == 0 {
                    *self = Self::ContentCr;
                }
                return Ok(Taken { used: content.end, content });
            }
            *self = self.after(bytes[at])?;
            at += 1;
        }
        Ok(Taken { content: at..at, used: at })
    }

    /// The place after `byte`, which is no content.
    fn after(self, byte: u8) -> Result<Self, Malformed> {
        Ok(match (self, byte) {
            (Self::Size(size, _), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit));
                Self::Size(size.ok_or(Malformed)?, true)
            }
            (Self::Size(size, true), b'\r') => Self::SizeEnd(size),
            (Self::Size(size, true), b';' | b' ' | b'\t') => Self::Extension(size, 0),
            (Self::Extension(size, _), b'\r') => Self::SizeEnd(size),
            (Self::Extension(size, length), _) if byte != b'\n' && length < LONGEST_ASIDE => {
                Self::Extension(size, length + 1)
            }
            (Self::SizeEnd(0), b'\n') => Self::TrailerStart(0),
            (Self::SizeEnd(size), b'\n') => Self::Content(size),
            (Self::ContentCr, b'\r') => Self::ContentLf,
            (Self::ContentLf, b'\n') => Self::Size(0, false),
            (Self::TrailerStart(_), b'\r') => Self::LastLf,
            (Self::Trailer(length), b'\n') => Self::TrailerStart(length),
            (Self::TrailerStart(length) | Self::Trailer(length), _) if length < LONGEST_ASIDE => {
                Self::Trailer(length + 1)
            }
            (Self::LastLf, b'\n') => Self::Over,
            _ => return Err(Malformed),
        })
    }
}

fn within(left: u64, length: usize) -> usize {
    usize::try_from(left).map_or(length, |left| left.min(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The content of `parts`, how much of them was read, and whether the body is over.
    fn read(mut framing: Framing, parts: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), Malformed> {
        let (mut content, mut used) = (Vec::new(), 0);
        for part in parts {
            let mut at = 0;
            while at < part.len() {
                let taken = framing.take(&part[at..])?;
                content.extend_from_slice(&part[at..][taken.content]);
                if taken.used == 0 {
                    break;
                }
                at += taken.used;
            }
            used += at;
        }
        Ok((content, used, framing.is_over()))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        assert_eq!(read(Framing::Length(3), &[b"abcdef"]), Ok((b"abc".to_vec(), 3, true)));
        assert_eq!(read(Framing::Length(3), &[b"ab"]), Ok((b"ab".to_vec(), 2, false)));
        assert_eq!(read(Framing::ToEnd, &[b"ab", b"c"]), Ok((b"abc".to_vec(), 3, false)));
        let chunks = b"3\r\nabc\r\n1;x=\"y\"\r\nd\r\n0\r\nTrailer: 1\r\n\r\nHTTP/1.1";
        assert_eq!(read(Framing::CHUNKED, &[chunks]), Ok((b"abcd".to_vec(), chunks.len() - 8, true)));
    }

    #[test]
    fn chunks_that_mean_two_things_are_refused() {
        for bad in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "1\nab",
            "1\r\nabc\r\n",
            "1\r\na\n",
            "fffffffffffffffff\r\n",
            "1 \n",
            "0\r\n\rx",
        ] {
            assert_eq!(read(Framing::CHUNKED, &[bad.as_bytes()]), Err(Malformed), "{bad:?}");
        }
        let endless = format!("1;{}", "x".repeat(LONGEST_ASIDE + 2));
        assert_eq!(read(Framing::CHUNKED, &[endless.as_bytes()]), Err(Malformed));
        let endless = format!("0\r\n{}", "x: y\r\n".repeat(LONGEST_ASIDE / 4));
        assert_eq!(read(Framing::CHUNKED, &[endless.as_bytes()]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn chunks_are_read_the_same_however_they_arrive(
            pieces in prop::collection::vec("[a-z\r\n0;]{1,20}", 0..6),
            cuts in prop::collection::vec(0usize..200, 0..8),
        ) {
            let mut stream: String =
                pieces.iter().map(|piece| format!("{:X}\r\n{piece}\r\n", piece.len())).collect();
            stream.push_str("0\r\n\r\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            cuts.push(stream.len());
            let (mut parts, mut from) = (Vec::new(), 0);
            for cut in cuts {
                parts.push(&stream.as_bytes()[from..cut]);
                from = cut;
            }
            let expected = (pieces.concat().into_bytes(), stream.len(), true);
            prop_assert_eq!(read(Framing::CHUNKED, &parts), Ok(expected));
        }
    }
}
