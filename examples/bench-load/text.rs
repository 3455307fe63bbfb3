//! The payload: text that does not compress, the same in every run.
//!
//! Shared by those who send it and those who answer with it.

/// Letters, so many of them.
pub fn payload(size: usize) -> String {
    let mut letter = 7_u32;
    let letters = std::iter::repeat_with(|| {
        letter = letter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (letter >> 24) as u8 % 26)
    });
    letters.take(size).collect()
}
