//! One offset for each partition. In URLs, `0:120,1:77` means offset 120 in partition 0 and offset 77 in partition 1.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One offset for each partition, by the number of the partition.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct PartitionPositions(pub BTreeMap<i32, i64>);

impl fmt::Display for PartitionPositions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (partition, offset)) in self.0.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            write!(f, "{comma}{partition}:{offset}")?;
        }
        Ok(())
    }
}

impl FromStr for PartitionPositions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse_position = |part: &str| {
            let (partition, offset) = part.split_once(':')?;
            let partition = partition.parse().ok().filter(|partition: &i32| *partition >= 0)?;
            Some((partition, offset.parse().ok().filter(|offset: &i64| *offset >= 0)?))
        };
        text.split(',')
            .map(|part| {
                parse_position(part)
                    .ok_or_else(|| format!("`{part}` is not a position; write PARTITION:OFFSET, for example 0:120"))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl serde::Serialize for PartitionPositions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::PartitionPositions;

    #[test]
    fn what_is_written_is_read_back() {
        let positions = PartitionPositions([(0, 12), (7, 9_007_199_254_740_993)].into());
        assert_eq!(positions.to_string(), "0:12,7:9007199254740993");
        assert_eq!("0:12,7:9007199254740993".parse(), Ok(positions));
        for wrong in ["", "0", "0:", ":1", "0:-1", "-1:0", "0:1,", "0:1;1:2", "0:99999999999999999999"] {
            assert!(wrong.parse::<PartitionPositions>().is_err(), "{wrong}");
        }
    }
}
