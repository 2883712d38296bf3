//! Decodes Kafka's encoding of the partitions that are assigned to a member of a classic consumer group.
//!
//! The encoding is a version number, followed by each topic with its partitions. The leader of the group writes the
//! encoding, and the leader may be any program. So the decoder does not trust the counts in the encoding: it allocates
//! no memory in advance for a count, and fails if the bytes end early.

use windrow_engine::Partition;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MemberPartition {
    pub(crate) topic: String,
    pub(crate) partition: Partition,
}

/// Returns the partitions encoded in `bytes`, or `None` if the bytes are not an assignment.
pub(crate) fn decode_assignment(bytes: &[u8]) -> Option<Vec<MemberPartition>> {
    if bytes.is_empty() {
        return Some(Vec::new()); // the member has not been assigned partitions yet
    }
    let mut reader = ByteReader(bytes);
    let _version = reader.take_bytes::<2>()?;
    let mut assigned = Vec::new();
    for _ in 0..reader.take_count()? {
        let topic = reader.take_length_prefixed_text()?;
        for _ in 0..reader.take_count()? {
            let partition = i32::from_be_bytes(reader.take_bytes()?);
            assigned.push(MemberPartition { topic: topic.to_owned(), partition });
        }
    }
    Some(assigned)
}

struct ByteReader<'a>(&'a [u8]);

impl<'a> ByteReader<'a> {
    fn take_bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn take_count(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take_bytes()?))
    }

    fn take_length_prefixed_text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_be_bytes(self.take_bytes()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{MemberPartition, decode_assignment};

    #[test]
    fn an_assignment_is_read_and_a_broken_one_is_none() {
        let mut bytes = vec![0, 3, 0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5];
        let partition = |partition| MemberPartition { topic: "ab".to_owned(), partition };
        let whole = vec![partition(0), partition(5)];
        assert_eq!(decode_assignment(&bytes), Some(whole.clone()));
        bytes.extend([255, 255, 255, 255]); // no user data
        assert_eq!(decode_assignment(&bytes), Some(whole));
        for end in 1..22 {
            assert_eq!(decode_assignment(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode_assignment(&[]), Some(Vec::new()));
        // The bytes claim two billion topics.
        assert_eq!(decode_assignment(&[0, 0, 127, 255, 255, 255]), None);
        assert_eq!(decode_assignment(&[0, 0, 255, 255, 255, 255]), Some(Vec::new()));
    }
}
