//! The reasons why an object in the checkpoint store cannot be used.

/// The reason why an object in the checkpoint store cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObjectFault {
    /// The object is missing, or differs from what Windrow wrote.
    #[error(transparent)]
    Damaged(#[from] ObjectDamage),
    /// The object is intact, but has a newer format version than this version of Windrow reads.
    #[error(
        "the object has format {found}, which is newer than the formats that this version of Windrow reads (up to {known})"
    )]
    Newer {
        /// The format version of the object.
        found: u32,
        /// The newest format version that this version of Windrow reads.
        known: u32,
    },
}

/// The way in which an object differs from the object that Windrow wrote.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObjectDamage {
    /// The store holds no object of the expected name.
    #[error("the object is missing")]
    Missing,
    /// The object ends inside its header.
    #[error("the object ends inside its header")]
    CutShort,
    /// The checksum in the object does not match the object's content.
    #[error("the checksum of the object does not match its content")]
    ChecksumMismatch,
    /// The state object has another size or checksum than the manifest states.
    #[error("the size or checksum of the object differs from its manifest")]
    ManifestMismatch,
    /// The unpacked size in the header exceeds the limit, which no object from Windrow exceeds.
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
        /// The expected kind of text: a manifest or a savepoint.
        expected: &'static str,
        /// The error text of the parser.
        detail: String,
    },
    /// The checkpoint or partition in the manifest differs from the one in the name of the manifest's object.
    #[error("the manifest belongs to another checkpoint")]
    OtherCheckpoint,
    /// The state object holds state of a view that the manifest does not name.
    #[error("the object holds state of a view that the manifest does not name")]
    UnknownView,
    /// The state objects cannot be combined into a shard.
    #[error(transparent)]
    InvalidSnapshot(#[from] windrow_core::DamagedSnapshot),
}

/// An object in the checkpoint store that cannot be used, and the reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{object_name}: {fault}")]
pub struct UnusableObject {
    /// The name of the object.
    pub object_name: String,
    /// The reason why the object cannot be used.
    pub fault: ObjectFault,
}

impl UnusableObject {
    pub(crate) fn from_damage(object_name: impl Into<String>, damage: ObjectDamage) -> Self {
        Self { object_name: object_name.into(), fault: damage.into() }
    }

    /// Returns whether only a newer version of Windrow can read the object.
    #[must_use]
    pub const fn has_newer_format(&self) -> bool {
        matches!(self.fault, ObjectFault::Newer { .. })
    }
}
