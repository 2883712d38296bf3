//! State objects hold pieces of a snapshot, compressed and with a checksum.
//!
//! Format (version 1): the text `windrow` and a newline, three numbers, then the content compressed with Zstandard. The
//! numbers are the version, the unpacked length, and the CRC-32 of the rest of the object. Each has 4 bytes,
//! little-endian.
//! Invariants: (1) An incomplete or altered object is refused. (2) Unpacking takes no more memory than
//! [`MAX_UNPACKED_BYTES`].

use super::format::{FormatFault, ObjectDamage};

/// The format version of the objects that this version of Windrow writes.
const STATE_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"windrow\n";
const HEADER_BYTES: usize = 20;
/// The largest accepted unpacked size. No written object unpacks to more.
const MAX_UNPACKED_BYTES: usize = 256 * 1024 * 1024;
/// The fastest usual level of Zstandard. State consists mostly of small numbers, and higher levels gain little.
const COMPRESSION_LEVEL: i32 = 1;

/// The reason why a piece of a snapshot cannot be packed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PackFault {
    #[error("it cannot be compressed: {detail}")]
    Compression {
        /// The error text of the compressor.
        detail: String,
    },
    #[error("it is larger than 4 GiB")]
    TooLarge,
}

pub(crate) fn pack_state(bytes: &[u8]) -> Result<Vec<u8>, PackFault> {
    let packed = zstd::bulk::compress(bytes, COMPRESSION_LEVEL)
        .map_err(|error| PackFault::Compression { detail: error.to_string() })?;
    let length = u32::try_from(bytes.len()).map_err(|_| PackFault::TooLarge)?;
    let mut out = Vec::with_capacity(HEADER_BYTES + packed.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&STATE_VERSION.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&packed);
    let sum = compute_object_checksum(&out);
    out[16..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    Ok(out)
}

pub(crate) fn unpack_state(object: &[u8]) -> Result<Vec<u8>, FormatFault> {
    let number = |at: usize| object.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let (Some(version), Some(length), Some(sum)) = (number(8), number(12), number(16)) else {
        return Err(ObjectDamage::CutShort.into());
    };
    if &object[..8] != MAGIC || sum != compute_object_checksum(object) {
        return Err(ObjectDamage::ChecksumMismatch.into());
    }
    if version > STATE_VERSION {
        return Err(FormatFault::Newer { found: version, known: STATE_VERSION });
    }
    let length = length as usize;
    if length > MAX_UNPACKED_BYTES {
        return Err(ObjectDamage::TooLarge.into());
    }
    let bytes = zstd::bulk::decompress(&object[HEADER_BYTES..], length)
        .map_err(|error| ObjectDamage::NotDecompressible { detail: error.to_string() })?;
    if bytes.len() == length { Ok(bytes) } else { Err(ObjectDamage::UnpackedLengthMismatch.into()) }
}

/// Returns the CRC-32 of an object without the checksum in its header. The manifest records the same value.
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
                assert!(matches!(unpack_state(&flipped), Err(FormatFault::Damaged(_))), "bit {bit} of byte {at}");
            }
            assert!(matches!(unpack_state(&object[..at]), Err(FormatFault::Damaged(_))), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        let mut object = pack_state(b"state").expect("packed");
        object[8] = 2;
        let sum = compute_object_checksum(&object);
        object[16..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(unpack_state(&object), Err(FormatFault::Newer { found: 2, known: 1 }));
    }

    #[test]
    fn nothing_is_something_too() {
        let object = pack_state(b"").expect("packed");
        assert_eq!(unpack_state(&object), Ok(Vec::new()));
    }
}
