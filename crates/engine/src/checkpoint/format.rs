//! Why an object of a checkpoint cannot be used.

/// Why a state object or a manifest cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormatFault {
    /// It is not what was written.
    #[error(transparent)]
    Damaged(#[from] ObjectDamage),
    /// It is whole, and of a format that this version does not know.
    #[error("its format {found} is newer than this version of Windrow reads ({known})")]
    Newer {
        /// The version of its format.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
}

/// How an object differs from what was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObjectDamage {
    /// There is no such object.
    #[error("it is missing")]
    Missing,
    /// It ends before its header does.
    #[error("it is cut short")]
    CutShort,
    /// Its checksum does not match its bytes.
    #[error("its checksum does not fit")]
    Checksum,
    /// It is whole, but its size or checksum is not the one in the manifest.
    #[error("it is not what was written")]
    Replaced,
    /// Its header promises more bytes than any object unpacks to.
    #[error("it is larger than any that is written")]
    TooLarge,
    /// It unpacks to another length than its header says.
    #[error("it unpacks to another length")]
    Length,
    /// It cannot be unpacked.
    #[error("it cannot be unpacked: {detail}")]
    Compression {
        /// What the decompressor reports.
        detail: String,
    },
    /// Its text is not what an object of this kind holds.
    #[error("it is not a {expected}: {detail}")]
    Content {
        /// The kind of object.
        expected: &'static str,
        /// What the parser reports.
        detail: String,
    },
    /// It is the manifest of another checkpoint or partition.
    #[error("it is another checkpoint's manifest")]
    OtherCheckpoint,
    /// It holds a view that the manifest does not name.
    #[error("it holds a view that the manifest does not name")]
    UnknownView,
    /// Its records do not restore a shard.
    #[error(transparent)]
    Snapshot(#[from] windrow_core::DamagedSnapshot),
}

/// An object that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{object}: {fault}")]
pub struct UnusableObject {
    /// Its name.
    pub object: String,
    /// Why.
    pub fault: FormatFault,
}

impl UnusableObject {
    pub(crate) fn damaged(object: impl Into<String>, damage: ObjectDamage) -> Self {
        Self { object: object.into(), fault: damage.into() }
    }

    /// Whether it is whole, and of a format that only a newer version reads.
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        matches!(self.fault, FormatFault::Newer { .. })
    }
}
