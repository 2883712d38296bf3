//! The format of state objects. A state object holds one piece of a snapshot in compressed form.
//!
//! Format (version 1): a header of 20 bytes, then the content compressed with Zstandard. The header is the text
//! `windrow`, a newline, and three little-endian numbers of 4 bytes: the version, the unpacked length, and the
//! checksum. The checksum is the CRC-32 of the whole object except the 4 bytes of the checksum.
//! Invariants: (1) An incomplete or altered object is rejected. (2) The unpacked content never exceeds
//! [`MAX_UNPACKED_BYTES`].

use super::object_errors::{ObjectDamage, ObjectFault};

/// The newest format version. Windrow writes this version, and reads this version and all older versions.
const STATE_FORMAT_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"windrow\n";
const HEADER_BYTES: usize = 20;
/// The largest accepted unpacked size in bytes. Windrow never writes an object with a larger unpacked size, so a larger
/// size in a header is damage.
const MAX_UNPACKED_BYTES: usize = 256 * 1024 * 1024;
/// A fast level of Zstandard. State consists mostly of small numbers, so higher levels save little space.
const COMPRESSION_LEVEL: i32 = 1;

/// The reason why a piece of a snapshot cannot be packed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PackFault {
    /// The compressor failed.
    #[error("the compression failed: {detail}")]
    Compression {
        /// The error text of the compressor.
        detail: String,
    },
    /// The length of the piece does not fit into the 4-byte number in the header.
    #[error("the piece of the snapshot is larger than 4 GiB")]
    TooLarge,
}

/// Compresses `bytes`, one piece of a snapshot. Returns a state object, which consists of a header and the compressed
/// bytes.
pub(crate) fn pack_state(bytes: &[u8]) -> Result<Vec<u8>, PackFault> {
    let packed = zstd::bulk::compress(bytes, COMPRESSION_LEVEL)
        .map_err(|error| PackFault::Compression { detail: error.to_string() })?;
    let length = u32::try_from(bytes.len()).map_err(|_| PackFault::TooLarge)?;
    let mut out = Vec::with_capacity(HEADER_BYTES + packed.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&STATE_FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&packed);
    let sum = compute_object_checksum(&out);
    out[16..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    Ok(out)
}

/// Verifies a state object and returns its unpacked content.
pub(crate) fn unpack_state(object: &[u8]) -> Result<Vec<u8>, ObjectFault> {
    let number = |at: usize| object.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let (Some(version), Some(length), Some(sum)) = (number(8), number(12), number(16)) else {
        return Err(ObjectDamage::CutShort.into());
    };
    if &object[..8] != MAGIC || sum != compute_object_checksum(object) {
        return Err(ObjectDamage::ChecksumMismatch.into());
    }
    if version > STATE_FORMAT_VERSION {
        return Err(ObjectFault::Newer { found: version, known: STATE_FORMAT_VERSION });
    }
    let length = length as usize;
    if length > MAX_UNPACKED_BYTES {
        return Err(ObjectDamage::TooLarge.into());
    }
    let bytes = zstd::bulk::decompress(&object[HEADER_BYTES..], length)
        .map_err(|error| ObjectDamage::NotDecompressible { detail: error.to_string() })?;
    if bytes.len() == length { Ok(bytes) } else { Err(ObjectDamage::UnpackedLengthMismatch.into()) }
}

/// Returns the CRC-32 of all bytes of a state object except the 4 bytes of the checksum in the header. The manifest
/// contains the same checksum.
pub(crate) fn compute_object_checksum(object: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&object[..16.min(object.len())]);
    hasher.update(object.get(HEADER_BYTES..).unwrap_or_default());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flip_and_every_cut_is_noticed() {
        let bytes: Vec<u8> = (0..2_000_u32).flat_map(|n| (n / 3).to_le_bytes()).collect();
        let object = pack_state(&bytes).expect("packed");
        assert!(object.len() < bytes.len());
        assert_eq!(unpack_state(&object), Ok(bytes));
        for at in 0..object.len() {
            for bit in 0..8 {
                let mut flipped = object.clone();
                flipped[at] ^= 1 << bit;
                assert!(matches!(unpack_state(&flipped), Err(ObjectFault::Damaged(_))), "bit {bit} of byte {at}");
            }
            assert!(matches!(unpack_state(&object[..at]), Err(ObjectFault::Damaged(_))), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        let mut object = pack_state(b"state").expect("packed");
        object[8] = 2;
        let sum = compute_object_checksum(&object);
        object[16..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(unpack_state(&object), Err(ObjectFault::Newer { found: 2, known: 1 }));
    }

    #[test]
    fn nothing_is_something_too() {
        let object = pack_state(b"").expect("packed");
        assert_eq!(unpack_state(&object), Ok(Vec::new()));
    }
}
