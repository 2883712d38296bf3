//! The forms in which record keys hold an entity key: as text, as a JSON string, as an integer, in Avro.

/// The number of bytes in front of a key that names its schema: a zero byte and the id of the schema.
const SCHEMA_HEADER_BYTES: usize = 5;
/// The length of the longest integer in Avro: 64 bits in groups of seven.
const MAX_AVRO_INTEGER_BYTES: usize = 10;

/// A form in which a record key holds an entity key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeyForm {
    encoding: KeyEncoding,
    /// The bytes with which Confluent's serializers name the schema of the key, if any.
    schema_header: Option<[u8; SCHEMA_HEADER_BYTES]>,
}

/// How the bytes of a record key encode the text of an entity key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KeyEncoding {
    /// UTF-8.
    Text,
    /// A JSON string.
    JsonString,
    /// A big-endian integer of 32 bits, as Kafka's `IntegerSerializer` writes it.
    Int32,
    /// A big-endian integer of 64 bits, as Kafka's `LongSerializer` writes it.
    Int64,
    /// A string in Avro, or an Avro record with this string as its only field.
    AvroString,
    /// An integer in Avro, or an Avro record with this integer as its only field.
    AvroInteger,
}

impl KeyEncoding {
    const ALL: [Self; 6] =
        [Self::Text, Self::JsonString, Self::Int32, Self::Int64, Self::AvroString, Self::AvroInteger];

    /// Appends the encoded entity key to `encoded`. Returns `None` if this encoding cannot hold it.
    fn encode_entity_key(self, entity_key: &str, encoded: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Text => encoded.extend_from_slice(entity_key.as_bytes()),
            Self::JsonString => serde_json::to_writer(encoded, entity_key).ok()?,
            Self::Int32 => {
                encoded.extend_from_slice(&i32::try_from(parse_integer(entity_key)?).ok()?.to_be_bytes());
            }
            Self::Int64 => encoded.extend_from_slice(&parse_integer(entity_key)?.to_be_bytes()),
            Self::AvroString => {
                append_avro_integer(i64::try_from(entity_key.len()).ok()?, encoded);
                encoded.extend_from_slice(entity_key.as_bytes());
            }
            Self::AvroInteger => append_avro_integer(parse_integer(entity_key)?, encoded),
        }
        Some(())
    }

    fn holds_entity_key(self, key_bytes: &[u8], entity_key: &str) -> bool {
        match self {
            Self::Text => key_bytes == entity_key.as_bytes(),
            Self::JsonString => holds_json_string(key_bytes, entity_key),
            encoding => {
                let mut encoded = Vec::new();
                encoding.may_have_length(key_bytes.len(), entity_key.len())
                    && encoding.encode_entity_key(entity_key, &mut encoded).is_some()
                    && encoded == key_bytes
            }
        }
    }

    /// Returns whether this encoding of an entity key with `entity_key_length` bytes may have `length` bytes. Saves
    /// encoding the entity key.
    const fn may_have_length(self, length: usize, entity_key_length: usize) -> bool {
        match self {
            Self::Text => length == entity_key_length,
            Self::JsonString => length > entity_key_length,
            Self::Int32 => length == size_of::<i32>(),
            Self::Int64 => length == size_of::<i64>(),
            Self::AvroString => length > entity_key_length && length <= entity_key_length + MAX_AVRO_INTEGER_BYTES,
            Self::AvroInteger => length <= MAX_AVRO_INTEGER_BYTES,
        }
    }
}

impl KeyForm {
    /// The form of a record key that is the entity key itself.
    pub(super) const TEXT: Self = Self { encoding: KeyEncoding::Text, schema_header: None };

    /// Returns the form in which `record_key` holds `entity_key`, or `None` if it does so in no known form.
    pub(super) fn find_form(record_key: &[u8], entity_key: &str) -> Option<Self> {
        if record_key == entity_key.as_bytes() {
            return Some(Self::TEXT);
        }
        let find_encoding =
            |bytes: &[u8]| KeyEncoding::ALL.into_iter().find(|encoding| encoding.holds_entity_key(bytes, entity_key));
        if let Some(encoding) = find_encoding(record_key) {
            return Some(Self { encoding, schema_header: None });
        }
        let (header, content) = record_key.split_first_chunk::<SCHEMA_HEADER_BYTES>()?;
        let encoding = find_encoding(content).filter(|_| header[0] == 0)?;
        Some(Self { encoding, schema_header: Some(*header) })
    }

    /// Appends the record key that holds `entity_key` in this form to `encoded`. Returns whether the form can hold it.
    pub(super) fn encode_entity_key(self, entity_key: &str, encoded: &mut Vec<u8>) -> bool {
        encoded.extend(self.schema_header.iter().flatten());
        self.encoding.encode_entity_key(entity_key, encoded).is_some()
    }
}

/// Returns whether `key_bytes` is a JSON string with this text. A JSON string can escape any character.
fn holds_json_string(key_bytes: &[u8], text: &str) -> bool {
    let Some(content) = key_bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else { return false };
    if content.contains(&b'\\') {
        return serde_json::from_slice::<String>(key_bytes).is_ok_and(|found| found == text);
    }
    content == text.as_bytes() && !content.iter().any(|&byte| byte == b'"' || byte < b' ')
}

/// Returns the integer that `text` is. Only the shortest spelling counts, because an integer has only one record key.
fn parse_integer(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Appends an integer in Avro: zigzag, then groups of seven bits.
fn append_avro_integer(number: i64, encoded: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    loop {
        let [low_byte, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            encoded.push(low_byte & 0x7f);
            return;
        }
        encoded.push(low_byte | 0x80);
    }
}
