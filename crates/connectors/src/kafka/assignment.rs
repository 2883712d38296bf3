//! What a member of a classic consumer group was assigned, as the group's leader wrote it down: a version, then topics
//! with their partitions.
//!
//! Whoever leads the group may write anything, so counts in the bytes are not believed: reading ends where they end.

use windrow_engine::Partition;

/// The partitions in `bytes`, each with its topic; `None` where they are not an assignment.
pub(super) fn decode_assignment(bytes: &[u8]) -> Option<Vec<(String, Partition)>> {
    if bytes.is_empty() {
        return Some(Vec::new()); // the group is on its way to an assignment
    }
    let mut rest = ByteReader(bytes);
    let _version = rest.take_bytes::<2>()?;
    let mut assigned = Vec::new();
    for _ in 0..rest.take_count()? {
        let length = usize::from(u16::from_be_bytes(rest.take_bytes()?));
        let topic = std::str::from_utf8(rest.0.get(..length)?).ok()?;
        rest.0 = rest.0.get(length..)?;
        for _ in 0..rest.take_count()? {
            assigned.push((topic.to_owned(), i32::from_be_bytes(rest.take_bytes()?)));
        }
    }
    Some(assigned)
}

struct ByteReader<'a>(&'a [u8]);

impl ByteReader<'_> {
    fn take_bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn take_count(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take_bytes()?))
    }
}

#[cfg(test)]
mod tests {
    use super::decode_assignment;

    #[test]
    fn an_assignment_is_read_and_a_broken_one_is_none() {
        let mut bytes = vec![0, 3, 0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5];
        let whole = vec![("ab".to_owned(), 0), ("ab".to_owned(), 5)];
        assert_eq!(decode_assignment(&bytes), Some(whole.clone()));
        bytes.extend([255, 255, 255, 255]); // no user data
        assert_eq!(decode_assignment(&bytes), Some(whole));
        for end in 1..22 {
            assert_eq!(decode_assignment(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode_assignment(&[]), Some(Vec::new()));
        // Two billion topics, said in six bytes.
        assert_eq!(decode_assignment(&[0, 0, 127, 255, 255, 255]), None);
        assert_eq!(decode_assignment(&[0, 0, 255, 255, 255, 255]), Some(Vec::new()));
    }
}
