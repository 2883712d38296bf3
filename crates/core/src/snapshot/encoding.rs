//! Encodes and decodes the numbers, texts and bytes of a snapshot.
//!
//! Unsigned numbers are LEB128: seven bits per byte, the lowest first. Signed numbers become unsigned by zigzag coding
//! (0, -1, 1, -2 become 0, 1, 2, 3). The length of a text, or of other bytes, precedes the text or the bytes.
//! Invariant: whatever the input, the reader does not panic, and allocates at most as many bytes as the input has.

/// The reason why the bytes of a snapshot cannot be decoded. A damaged file does not cause this error, because the
/// reader of the file checks its checksum first. So the cause is a bug or an unknown format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamagedSnapshot(pub &'static str);

impl std::fmt::Display for DamagedSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for DamagedSnapshot {}

pub(crate) fn write_unsigned(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "only the low seven bits are written")]
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the number is below 0x80 here")]
    out.push(number as u8);
}

pub(crate) fn write_signed(out: &mut Vec<u8>, number: i64) {
    write_unsigned(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Decodes numbers, texts and bytes from a snapshot, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SnapshotReader<'a>(&'a [u8]);

impl<'a> SnapshotReader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of bytes that have not been read.
    pub(crate) const fn remaining_byte_count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn read_unsigned(&mut self) -> Result<u64, DamagedSnapshot> {
        let (mut number, mut shift) = (0_u64, 0);
        for (at, &byte) in self.0.iter().enumerate() {
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(number);
            }
            shift += 7;
            if shift > 63 {
                break;
            }
        }
        Err(DamagedSnapshot("a number that is cut off or longer than 64 bits"))
    }

    pub(crate) fn read_signed(&mut self) -> Result<i64, DamagedSnapshot> {
        let number = self.read_unsigned()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(crate) fn read_bytes(&mut self) -> Result<&'a [u8], DamagedSnapshot> {
        let length = usize::try_from(self.read_unsigned()?).unwrap_or(usize::MAX);
        let (bytes, rest) =
            self.0.split_at_checked(length).ok_or(DamagedSnapshot("fewer bytes than the length before them says"))?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn read_text(&mut self) -> Result<&'a str, DamagedSnapshot> {
        std::str::from_utf8(self.read_bytes()?).map_err(|_| DamagedSnapshot("a text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, signed: i64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            write_unsigned(&mut out, number);
            write_signed(&mut out, signed);
            write_bytes(&mut out, &bytes);
            let mut reader = SnapshotReader::new(&out);
            prop_assert_eq!(reader.read_unsigned(), Ok(number));
            prop_assert_eq!(reader.read_signed(), Ok(signed));
            prop_assert_eq!(reader.read_bytes(), Ok(&*bytes));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reader = SnapshotReader::new(&bytes);
            while reader.read_unsigned().is_ok() {}
            let mut reader = SnapshotReader::new(&bytes);
            while reader.read_text().is_ok() {}
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        for number in [0, 127, 128, u64::MAX] {
            let mut out = Vec::new();
            write_unsigned(&mut out, number);
            assert_eq!(SnapshotReader::new(&out).read_unsigned(), Ok(number));
        }
        assert!(SnapshotReader::new(&[0xff; 9]).read_unsigned().is_err());
        assert!(
            SnapshotReader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).read_unsigned().is_err()
        );
    }
}
