//! The reasons why a manifest or a state object cannot be used.

/// The reason why an object in the checkpoint store cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObjectFault {
    /// The object is missing, or differs from what Windrow wrote.
    #[error(transparent)]
    Damaged(#[from] ObjectDamage),
    /// The object is intact, but this version of Windrow does not know its format.
    #[error("the object has format {found}, but this version of Windrow reads only formats up to {known}")]
    Newer {
        /// The version of the object's format.
        found: u32,
        /// The newest format version that this version of Windrow reads.
        known: u32,
    },
}

/// The damage of an object: how the object differs from what Windrow wrote.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObjectDamage {
    /// The store holds no object of that name.
    #[error("the object is missing")]
    Missing,
    /// The object ends inside its header.
    #[error("the object ends inside its header")]
    CutShort,
    /// The checksum in the object does not match its content.
    #[error("the checksum of the object does not match its content")]
    ChecksumMismatch,
    /// The object has another size or checksum than its manifest records.
    #[error("the size or checksum of the object differs from its manifest")]
    ManifestMismatch,
    /// The header states an unpacked size that no written object has.
    #[error("the unpacked size in the header exceeds the limit")]
    TooLarge,
    /// The length of the unpacked content differs from the length in the header.
    #[error("the length of the unpacked content differs from the length in the header")]
    UnpackedLengthMismatch,
    /// The content cannot be decompressed.
    #[error("the content cannot be decompressed: {detail}")]
    NotDecompressible {
        /// The error text of the decompressor.
        detail: String,
    },
    /// The text of the object cannot be parsed.
    #[error("the content is not a valid {expected}: {detail}")]
    UnparsableContent {
        /// The kind of text that the object should hold: a manifest or the content of a savepoint.
        expected: &'static str,
        /// The error text of the parser.
        detail: String,
    },
    /// The manifest belongs to another checkpoint or partition than its name says.
    #[error("the manifest belongs to another checkpoint")]
    OtherCheckpoint,
    /// The state object holds state of a view that the manifest does not name.
    #[error("the object holds state of a view that the manifest does not name")]
    UnknownView,
    /// The state objects cannot be combined into a shard.
    #[error(transparent)]
    InvalidSnapshot(#[from] windrow_core::DamagedSnapshot),
}

/// An object that cannot be used, and the reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{object_name}: {fault}")]
pub struct UnusableObject {
    /// The name of the object.
    pub object_name: String,
    /// The reason why the object cannot be used.
    pub fault: ObjectFault,
}

impl UnusableObject {
    /// Describes the damage of the object `object_name`.
    pub(crate) fn from_damage(object_name: impl Into<String>, damage: ObjectDamage) -> Self {
        Self { object_name: object_name.into(), fault: damage.into() }
    }

    /// Returns whether the object is intact, but has a format that only a newer version of Windrow reads.
    #[must_use]
    pub const fn has_newer_format(&self) -> bool {
        matches!(self.fault, ObjectFault::Newer { .. })
    }
}
