//! Checksums of migrations: ours, and those of peers, bit for bit.

use std::borrow::Cow;

use sha2::{Digest, Sha256, Sha384};

/// Returns our checksum: `sha256:` and the hexadecimal digest of the text without a byte order mark, with every line
/// end as LF and without trailing blank lines, so that it is the same on every machine that checks the file out.
pub fn ours(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let unix = if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    let mut digest = Sha256::new();
    digest.update(unix.trim_end_matches([' ', '\t', '\n', '\r']).as_bytes());
    format!("sha256:{}", hex(&digest.finalize()))
}

/// Returns sqlx's checksum in hexadecimal: SHA-384 of the file's text as read, without the characters that its
/// `ignored-chars` setting names.
pub fn sqlx(text: &str, ignored: &[char]) -> String {
    let mut digest = Sha384::new();
    if ignored.is_empty() {
        digest.update(text.as_bytes());
    } else {
        digest.update(text.replace(ignored, "").as_bytes());
    }
    hex(&digest.finalize())
}

/// Returns refinery's checksum: SipHash-1-3 with a zero key over name, version and text, in decimal. `wide` is its
/// `int8-versions` feature, which hashes eight bytes of the version.
pub fn refinery(name: &str, version: i64, sql: &str, wide: bool) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(name.as_bytes());
    hasher.write(&[0xff]);
    if wide {
        hasher.write(&version.to_le_bytes());
    } else {
        // A version that does not fit the four-byte column is refused by the server with its row.
        hasher.write(&(version as i32).to_le_bytes());
    }
    hasher.write(sql.as_bytes());
    hasher.write(&[0xff]);
    hasher.finish().to_string()
}

/// Returns bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)]));
    bytes.iter().flat_map(digits).collect()
}

/// SipHash-1-3 with a zero key (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012). The standard
/// library's default hasher computes the same today and promises nothing.
struct SipHasher13 {
    state: [u64; 4],
    tail: Vec<u8>,
    length: u64,
}

impl SipHasher13 {
    fn new() -> Self {
        // "somepseudorandomlygeneratedbytes", the constants of the paper.
        let state =
            [0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573];
        Self { state, tail: Vec::with_capacity(8), length: 0 }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        for &byte in bytes {
            self.tail.push(byte);
            if self.tail.len() == 8 {
                let word = u64::from_le_bytes(self.tail[..].try_into().expect("eight bytes were collected"));
                self.compress(word);
                self.tail.clear();
            }
        }
    }

    fn compress(&mut self, word: u64) {
        self.state[3] ^= word;
        self.round();
        self.state[0] ^= word;
    }

    fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.state;
        *v0 = v0.wrapping_add(*v1);
        *v2 = v2.wrapping_add(*v3);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v1);
        *v0 = v0.wrapping_add(*v3);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.rotate_left(32);
    }

    fn finish(mut self) -> u64 {
        let mut last = [0_u8; 8];
        last[..self.tail.len()].copy_from_slice(&self.tail);
        // The last word carries the length modulo 256 in its top byte.
        let word = u64::from_le_bytes(last) | (self.length << 56);
        self.compress(word);
        self.state[2] ^= 0xff;
        for _ in 0..3 {
            self.round();
        }
        self.state.iter().fold(0, |sum, word| sum ^ word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlx_checksums_are_those_of_sqlx_cli() {
        let expected = "732dd6fa554ee7cf2b12caa7de486d35b60326cbb0fadccc7c537fb9750917e293550610ebffcbd185284ce99600a267";
        assert_eq!(sqlx("select 1;\n", &[]), expected);
        assert_eq!(sqlx("select 1;\r\n", &['\r']), expected);
        assert_ne!(sqlx("select 1;\r\n", &[]), expected);
    }

    #[test]
    fn refinery_checksums_are_those_of_refinery_cli() {
        assert_eq!(refinery("first", 1, "create table a(i int);\n", false), "8548823680352954457");
        assert_eq!(refinery("second_one", 2, "create table b(i int);\n", false), "4130941685807179362");
        assert_eq!(refinery("first", 1, "create table a(i int);\n", true), "14418439557204066341");
    }

    #[test]
    fn our_checksum_ignores_what_a_checkout_may_change() {
        let unix = ours("select 1;\nselect 2;\n");
        assert_eq!(ours("\u{feff}select 1;\r\nselect 2;\r\n\r\n"), unix);
        assert_eq!(ours("select 1;\nselect 2;"), unix);
        assert_ne!(ours("select 1;\n\nselect 2;\n"), unix);
        assert!(unix.starts_with("sha256:") && unix.len() == 7 + 64);
    }
}
