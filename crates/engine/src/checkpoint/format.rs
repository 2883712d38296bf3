//! The reasons why an object of a checkpoint cannot be used.

/// The reason why a state object or a manifest cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormatFault {
    /// The object differs from what was written.
    #[error(transparent)]
    Damaged(#[from] ObjectDamage),
    /// The object is intact, but this version of Windrow does not know its format.
    #[error("its format {found} is newer than this version of Windrow reads ({known})")]
    Newer {
        /// The version of the object's format.
        found: u32,
        /// The newest format version that this version of Windrow reads.
        known: u32,
    },
}

/// The difference between an object and what was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObjectDamage {
    /// The store holds no object of that name.
    #[error("it is missing")]
    Missing,
    /// The object ends inside its header.
    #[error("it is cut short")]
    CutShort,
    /// The checksum in the object does not match its content.
    #[error("its checksum does not fit")]
    ChecksumMismatch,
    /// The object is intact, but its size or checksum differs from the manifest.
    #[error("it is not what was written")]
    ManifestMismatch,
    /// The header states a larger unpacked size than any object has.
    #[error("it is larger than any that is written")]
    TooLarge,
    /// The unpacked content has another length than the header states.
    #[error("it unpacks to another length")]
    UnpackedLengthMismatch,
    /// The content cannot be decompressed.
    #[error("it cannot be unpacked: {detail}")]
    NotDecompressible {
        /// The error text of the decompressor.
        detail: String,
    },
    /// The text cannot be parsed as an object of the expected kind.
    #[error("it is not a {expected}: {detail}")]
    UnparsableContent {
        /// The expected kind of object.
        expected: &'static str,
        /// The error text of the parser.
        detail: String,
    },
    /// The manifest belongs to another checkpoint or partition.
    #[error("it is another checkpoint's manifest")]
    OtherCheckpoint,
    /// The state object holds a view that the manifest does not name.
    #[error("it holds a view that the manifest does not name")]
    UnknownView,
    /// The records in the state objects do not restore a shard.
    #[error(transparent)]
    InvalidSnapshot(#[from] windrow_core::DamagedSnapshot),
}

/// An object that cannot be used, and the reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{object}: {fault}")]
pub struct UnusableObject {
    /// The name of the object.
    pub object: String,
    /// The reason why the object cannot be used.
    pub fault: FormatFault,
}

impl UnusableObject {
    pub(crate) fn from_damage(object: impl Into<String>, damage: ObjectDamage) -> Self {
        Self { object: object.into(), fault: damage.into() }
    }

    /// Returns whether the object is intact, but has a format that only a newer version of Windrow reads.
    #[must_use]
    pub const fn has_newer_format(&self) -> bool {
        matches!(self.fault, FormatFault::Newer { .. })
    }
}
