//! Checks the lengths that an answer announces, before the answer is decoded.
//!
//! The crate `kafka_protocol` reserves memory for as many elements as an array announces. A few bytes could so announce
//! more memory than the machine has, which aborts the process. `kafka_protocol` has no bound for this, and does not tell
//! its buffer which numbers are lengths. So the check decodes the answer once with [`LengthCheckingBuffer`], and ignores
//! the decoded values.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::ByteBuf;

/// The largest number of elements of an array, and of bytes of a text. Kafka's own names and arrays are far shorter.
const MAX_LENGTH: usize = 1 << 20;
/// A length up to this one is not checked, because it is harmless. Numbers that are not lengths, such as the tags of
/// optional fields, are often larger than the rest of the answer.
const MAX_UNCHECKED_LENGTH: usize = 64;
/// A number that is not the length of an array or a text. `kafka_protocol` refuses it where it expects a length.
const IMPOSSIBLE_LENGTH: i32 = -2;
/// A length with more bytes than this in front of its last byte is longer than any answer.
const MAX_CONTINUATION_BYTES: u32 = 3;

/// Returns an error if `answer` is not a `T`, or announces a length that the rest of the answer cannot hold. Afterwards
/// `T::decode` reserves memory in proportion to the size of the answer.
pub(super) fn check_announced_lengths<T: Decodable>(answer: &Bytes, version: i16) -> Result<(), String> {
    let mut buffer = LengthCheckingBuffer { rest: answer.clone(), varint: VarintProgress::default() };
    T::decode(&mut buffer, version).map(drop).map_err(|error| error.to_string())
}

/// A buffer that makes the decoder fail at a length that is too large.
///
/// `kafka_protocol` reads a length in one of two ways. (1) As a 32-bit number: the buffer returns
/// [`IMPOSSIBLE_LENGTH`] in place of each 32-bit number that is too large to be a length. Where the number is not a
/// length, decoding continues as before, because no other part of an answer depends on the value of such a number. (2)
/// As a number of variable size, byte by byte: only lengths, tags and flags are read byte by byte, so the buffer returns
/// an error.
struct LengthCheckingBuffer {
    rest: Bytes,
    varint: VarintProgress,
}

/// The bytes of a number of variable size that were read last. The number ends with a byte below 128.
///
/// A flag is also read as one byte. A flag of 128 or more counts as the beginning of the number behind it, which then
/// appears larger than it is. Kafka's flags are 0 and 1.
#[derive(Clone, Copy, Default)]
struct VarintProgress {
    value: u32,
    byte_count: u32,
}

impl LengthCheckingBuffer {
    fn is_possible_length(&self, length: usize) -> bool {
        // Compact lengths are one larger than the length.
        length <= MAX_UNCHECKED_LENGTH || (length <= MAX_LENGTH && length <= self.rest.len() + 1)
    }

    fn create_length_error(&self, requested: usize) -> TryGetError {
        TryGetError { requested, available: self.rest.len() }
    }
}

impl Buf for LengthCheckingBuffer {
    fn remaining(&self) -> usize {
        self.rest.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.rest.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.varint = VarintProgress::default();
        self.rest.advance(count);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.rest.try_get_u8()?;
        let VarintProgress { value, byte_count } = self.varint;
        let value = value | (u32::from(byte & 0x7F) << (7 * byte_count));
        if byte < 0x80 {
            self.varint = VarintProgress::default();
            let length = value as usize;
            return if self.is_possible_length(length) { Ok(byte) } else { Err(self.create_length_error(length)) };
        }
        if byte_count == MAX_CONTINUATION_BYTES {
            return Err(self.create_length_error(MAX_LENGTH + 1));
        }
        self.varint = VarintProgress { value, byte_count: byte_count + 1 };
        Ok(byte)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        self.varint = VarintProgress::default();
        let number = self.rest.try_get_i32()?;
        let is_possible = usize::try_from(number).map_or(true, |length| self.is_possible_length(length));
        Ok(if is_possible { number } else { IMPOSSIBLE_LENGTH })
    }
}

impl ByteBuf for LengthCheckingBuffer {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.rest.peek_bytes(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.varint = VarintProgress::default();
        self.rest.get_bytes(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decoder reserves memory for the lengths that it receives. So the bound of these lengths is the bound of the
    /// memory, whatever the allocator does with a larger one.
    #[test]
    fn no_length_that_a_decoder_receives_exceeds_the_rest_of_the_answer() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut received_count, mut refused_count) = (0_u64, 0_u64);
        for _ in 0..20_000 {
            // Bytes that are often 0, 0x7F or 0xFF, so that numbers are often near a bound.
            let mut byte = || if random.bool() { random.u8(..) } else { [0, 0x7F, 0xFF][random.usize(..3)] };
            let answer: Vec<u8> = (0..200).map(|_| byte()).collect();
            let mut buffer = LengthCheckingBuffer { rest: Bytes::from(answer), varint: VarintProgress::default() };
            loop {
                let received =
                    if random.bool() { buffer.try_get_i32().ok().map(i64::from) } else { read_varint(&mut buffer) };
                let Some(length) = received else { break };
                // Compact lengths are one larger than the length.
                let bound = MAX_UNCHECKED_LENGTH.max(buffer.remaining() + 1);
                assert!(
                    length <= i64::try_from(bound).expect("small"),
                    "{length} with {} bytes left",
                    buffer.remaining()
                );
                received_count += 1;
                refused_count += u64::from(length == i64::from(IMPOSSIBLE_LENGTH));
            }
        }
        assert!(
            received_count > 50_000 && refused_count > 10_000,
            "{received_count} received, {refused_count} refused"
        );
    }

    /// Reads a number of variable size as `kafka_protocol` does: at most five bytes, with seven bits each.
    fn read_varint(buffer: &mut LengthCheckingBuffer) -> Option<i64> {
        let mut value = 0_i64;
        for index in 0..5 {
            let byte = buffer.try_get_u8().ok()?;
            value |= i64::from(byte & 0x7F) << (7 * index);
            if byte < 0x80 {
                return Some(value);
            }
        }
        Some(value)
    }
}
