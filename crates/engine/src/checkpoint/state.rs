//! State objects: pieces of a snapshot, compressed and checked.
//!
//! Format (version 1): `windrow\n`, then version, length of the unpacked bytes, CRC-32 of everything else in the object
//! (4 bytes each, little-endian), then the bytes packed with Zstandard.
//! Invariants: (1) an object that is not whole, or has any other bit, is refused; (2) unpacking takes no more memory than
//! [`MAX_UNPACKED_BYTES`].

/// The version written.
const STATE_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"windrow\n";
const HEADER_BYTES: usize = 20;
/// More than any object we write unpacks to.
const MAX_UNPACKED_BYTES: usize = 256 * 1024 * 1024;
/// Zstandard's fastest usual level: state is mostly small numbers, and higher levels gain little on them.
const COMPRESSION_LEVEL: i32 = 1;

/// Why a state object or a manifest cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormatFault {
    /// It is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// It is whole, and of a format this version does not know.
    #[error("its format {0} is newer than this version of Windrow reads ({1})")]
    Newer(u32, u32),
}

pub(crate) fn pack_state(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let packed =
        zstd::bulk::compress(bytes, COMPRESSION_LEVEL).map_err(|error| format!("cannot pack state: {error}"))?;
    let length = u32::try_from(bytes.len()).map_err(|_| "a state object of more than 4 GiB".to_owned())?;
    let mut out = Vec::with_capacity(HEADER_BYTES + packed.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&STATE_VERSION.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&packed);
    let sum = object_checksum(&out);
    out[16..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    Ok(out)
}

pub(crate) fn unpack_state(object: &[u8]) -> Result<Vec<u8>, FormatFault> {
    let damaged = |why: &str| FormatFault::Damaged(why.to_owned());
    let number = |at: usize| object.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let (Some(version), Some(length), Some(sum)) = (number(8), number(12), number(16)) else {
        return Err(damaged("it is cut short"));
    };
    if &object[..8] != MAGIC || sum != object_checksum(object) {
        return Err(damaged("its checksum does not fit"));
    }
    if version > STATE_VERSION {
        return Err(FormatFault::Newer(version, STATE_VERSION));
    }
    let length = length as usize;
    if length > MAX_UNPACKED_BYTES {
        return Err(damaged("it is larger than any that is written"));
    }
    let bytes = zstd::bulk::decompress(&object[HEADER_BYTES..], length)
        .map_err(|error| FormatFault::Damaged(error.to_string()))?;
    if bytes.len() == length { Ok(bytes) } else { Err(damaged("it unpacks to another length")) }
}

/// CRC-32 of an object, as a manifest remembers it.
pub(crate) fn object_checksum(object: &[u8]) -> u32 {
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
        let sum = object_checksum(&object);
        object[16..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(unpack_state(&object), Err(FormatFault::Newer(2, 1)));
    }

    #[test]
    fn nothing_is_something_too() {
        let object = pack_state(b"").expect("packed");
        assert_eq!(unpack_state(&object), Ok(Vec::new()));
    }
}
