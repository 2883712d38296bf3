//! The format of manifests, savepoint summaries and savepoint requests: a title line `TITLE VERSION CRC-32`, then the
//! body.
//!
//! Invariant: an incomplete or altered text is rejected, because the checksum covers the version and the body.

use super::object_errors::{ObjectDamage, ObjectFault};

/// Returns the bytes of an object that consists of a title line and `body`. The title line holds `title`, `version`,
/// and the checksum of `version` and `body`.
pub(super) fn encode_checksummed_text(title: &str, version: u32, body: &str) -> Vec<u8> {
    let version = version.to_string();
    format!("{title} {version} {:08x}\n{body}", compute_text_checksum(&version, body.as_bytes())).into_bytes()
}

/// Verifies the title line of the object `bytes`, and returns the object's body. The title line must hold `title`, a
/// version up to `known_version`, and the right checksum.
pub(super) fn decode_checksummed_text<'a>(
    title: &str,
    known_version: u32,
    bytes: &'a [u8],
) -> Result<&'a str, ObjectFault> {
    let damaged = ObjectFault::Damaged(ObjectDamage::ChecksumMismatch);
    let Some(line_end) = bytes.iter().position(|byte| *byte == b'\n') else { return Err(damaged) };
    let (line, body) = (&bytes[..line_end], &bytes[line_end + 1..]);
    let mut words = line.split(|byte| *byte == b' ').map(std::str::from_utf8);
    let (Some(Ok(found)), Some(Ok(version)), Some(Ok(sum)), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(damaged);
    };
    // The checksum is compared as text, because a number parser would also accept a damaged text such as `DEADBEEF`
    // instead of `deadbeef`.
    if found != title || sum != format!("{:08x}", compute_text_checksum(version, body)) {
        return Err(damaged);
    }
    match version.parse() {
        Ok(version) if version > known_version => Err(ObjectFault::Newer { found: version, known: known_version }),
        Ok(_) => std::str::from_utf8(body).map_err(|_| damaged),
        Err(_) => Err(damaged),
    }
}

fn compute_text_checksum(version: &str, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(version.as_bytes());
    hasher.update(b"\n");
    hasher.update(body);
    hasher.finalize()
}
