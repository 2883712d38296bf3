//! The format of state objects. A state object holds one part of a snapshot in compressed form.
//!
//! Format (version 2): a header of 20 bytes, then the content compressed with Zstandard. The header is the text
//! `windrow`, a newline, and three little-endian numbers of 4 bytes: the version, the unpacked length, and the
//! checksum. The checksum is the CRC-32 of the whole object except the 4 bytes of the checksum.
//! In version 1, every part ends at the end of a block of the snapshot. In version 2, a block may continue in the next
//! part, so every part has at most [`STATE_PART_BYTES`], however large a slot is.
//! Invariants: (1) An incomplete or altered object is rejected. (2) The writer refuses every part that the reader would
//! refuse. So an object that was written can be read.

use super::object_errors::{ObjectDamage, ObjectFault};

/// The newest format version. Windrow writes this version, and reads this version and all older versions.
const STATE_FORMAT_VERSION: u32 = 2;
/// The size of a part in bytes, before compression. The last part of a snapshot may be smaller, none is larger.
pub(crate) const STATE_PART_BYTES: usize = 8 * 1024 * 1024;
const MAGIC: &[u8; 8] = b"windrow\n";
const HEADER_BYTES: usize = 20;
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
    /// The part is larger than the reader accepts.
    #[error("the part of the snapshot has {byte_count} bytes, more than the {STATE_PART_BYTES} that can be read")]
    TooLarge {
        /// The size of the part.
        byte_count: usize,
    },
}

/// Compresses `bytes`, one part of a snapshot. Returns a state object, which consists of a header and the compressed
/// bytes. Refuses every part that [`unpack_state`] would refuse.
pub(crate) fn pack_state(bytes: &[u8]) -> Result<Vec<u8>, PackFault> {
    let too_large = PackFault::TooLarge { byte_count: bytes.len() };
    let Some(length) =
        u32::try_from(bytes.len()).ok().filter(|_| is_accepted_length(STATE_FORMAT_VERSION, bytes.len()))
    else {
        return Err(too_large);
    };
    let packed = zstd::bulk::compress(bytes, COMPRESSION_LEVEL)
        .map_err(|error| PackFault::Compression { detail: error.to_string() })?;
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
    if !is_accepted_length(version, length) {
        return Err(ObjectDamage::TooLarge.into());
    }
    let bytes = zstd::bulk::decompress(&object[HEADER_BYTES..], length)
        .map_err(|error| ObjectDamage::NotDecompressible { detail: error.to_string() })?;
    if bytes.len() == length { Ok(bytes) } else { Err(ObjectDamage::UnpackedLengthMismatch.into()) }
}

/// Returns whether an object of the format `version` may have the unpacked size `byte_count`. The writers of version 1
/// had no limit below 4 GiB, so the reader has none either.
const fn is_accepted_length(version: u32, byte_count: usize) -> bool {
    version < 2 || byte_count <= STATE_PART_BYTES
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
        object[8] = 3;
        restore_checksum(&mut object);
        assert_eq!(unpack_state(&object), Err(ObjectFault::Newer { found: 3, known: 2 }));
    }

    fn restore_checksum(object: &mut [u8]) {
        let sum = compute_object_checksum(object);
        object[16..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    }

    /// What cannot be read is not written.
    #[test]
    fn the_writer_and_the_reader_have_the_same_limit() {
        let object = pack_state(&vec![0; STATE_PART_BYTES]).expect("packed");
        assert_eq!(unpack_state(&object).map(|bytes| bytes.len()), Ok(STATE_PART_BYTES));
        let byte_count = STATE_PART_BYTES + 1;
        assert_eq!(pack_state(&vec![0; byte_count]), Err(PackFault::TooLarge { byte_count }));
        let mut object = object;
        object[12..16].copy_from_slice(&u32::try_from(byte_count).expect("small").to_le_bytes());
        restore_checksum(&mut object);
        assert_eq!(unpack_state(&object), Err(ObjectDamage::TooLarge.into()));
    }

    /// An earlier version wrote parts of any size, which its own reader refused from 256 MiB on.
    #[test]
    fn large_parts_of_version_1_are_read() {
        let bytes = vec![7; STATE_PART_BYTES + 1];
        let mut object = pack_state(&bytes[1..]).expect("packed");
        object.truncate(HEADER_BYTES);
        object[8] = 1;
        object[12..16].copy_from_slice(&u32::try_from(bytes.len()).expect("small").to_le_bytes());
        object.extend(zstd::bulk::compress(&bytes, COMPRESSION_LEVEL).expect("compressed"));
        restore_checksum(&mut object);
        assert_eq!(unpack_state(&object), Ok(bytes));
    }

    #[test]
    fn nothing_is_something_too() {
        let object = pack_state(b"").expect("packed");
        assert_eq!(unpack_state(&object), Ok(Vec::new()));
    }
}
