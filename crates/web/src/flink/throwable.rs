//! A failure as Flink's client reads it: its JSON holds a serialized Java object, and the client takes nothing less.
//!
//! Owns: one object, an `org.apache.flink.util.SerializedThrowable` with a message that wraps nothing, in the stream protocol
//! of Java's object serialization. Whatever is written, the reader finds no other class in it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What failures are called.
const NAME: &str = "org.apache.flink.runtime.checkpoint.CheckpointException";
/// Characters of a reason that are told: a string of the stream is shorter than 64 KiB.
const REASON_MAX: usize = 4_000;

const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const END: u8 = 0x78;
/// Of a class: it can be read back; its own method adds to its fields, up to the next [`END`].
const SERIALIZABLE: u8 = 0x02;
const ADDS: u8 = 0x01;
/// The type of string fields, the second thing in the stream, is named once and then referred to.
const STRING_TYPE: [u8; 4] = [0x00, 0x7e, 0x00, 0x01];

/// `failure-cause`
pub(super) fn failure(reason: &str) -> Value {
    let reason: String = reason.chars().take(REASON_MAX).collect();
    let told = format!("{NAME}: {reason}");
    json!({
        "class": NAME,
        "stack-trace": told,
        "serialized-throwable": STANDARD.encode(Stream::of_failure(&told)),
    })
}

struct Stream(Vec<u8>);

impl Stream {
    fn of_failure(told: &str) -> Vec<u8> {
        let mut stream = Self(vec![0xac, 0xed, 0, 5, OBJECT]);
        stream.class("org.apache.flink.util.SerializedThrowable", 7_284_183_123_441_947_635, SERIALIZABLE, 3);
        stream.field("fullStringifiedStackTrace", "Ljava/lang/String;");
        stream.string_field("originalErrorClassName");
        stream.field("serializedException", "[B");
        stream.put(END);
        stream.class("java.lang.Exception", -3_387_516_993_124_229_948, SERIALIZABLE, 0);
        stream.put(END);
        stream.class("java.lang.Throwable", -3_042_686_055_658_047_285, SERIALIZABLE | ADDS, 4);
        stream.field("cause", "Ljava/lang/Throwable;");
        stream.string_field("detailMessage");
        stream.field("stackTrace", "[Ljava/lang/StackTraceElement;");
        stream.field("suppressedExceptions", "Ljava/util/List;");
        stream.put(END);
        stream.put(NULL); // no class above
        // The fields' values, the uppermost class first.
        stream.put(NULL);
        stream.string(told);
        stream.put(NULL);
        stream.put(NULL);
        stream.put(END);
        stream.string(told);
        stream.string(NAME);
        stream.put(NULL);
        stream.0
    }

    fn put(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn class(&mut self, name: &str, version: i64, flags: u8, fields: u16) {
        self.put(CLASS);
        self.text(name);
        self.0.extend(version.to_be_bytes());
        self.put(flags);
        self.0.extend(fields.to_be_bytes());
    }

    /// A field whose type is named here for the first time.
    fn field(&mut self, name: &str, kind: &str) {
        self.put(kind.as_bytes()[0]);
        self.text(name);
        self.string(kind);
    }

    fn string_field(&mut self, name: &str) {
        self.put(b'L');
        self.text(name);
        self.put(REFERENCE);
        self.0.extend(STRING_TYPE);
    }

    fn string(&mut self, text: &str) {
        self.put(STRING);
        self.text(text);
    }

    /// Java's own UTF-8: NUL takes two bytes, and a character beyond 16 bits is written as its two surrogates.
    fn text(&mut self, text: &str) {
        let mut bytes = Vec::new();
        for unit in text.encode_utf16() {
            let low = |shift: u32| 0x80 | u8::try_from((unit >> shift) & 0x3f).unwrap_or_default();
            match unit {
                1..=0x7f => bytes.push(u8::try_from(unit).unwrap_or_default()),
                0 | 0x80..=0x7ff => bytes.extend([0xc0 | u8::try_from(unit >> 6).unwrap_or_default(), low(0)]),
                _ => bytes.extend([0xe0 | u8::try_from(unit >> 12).unwrap_or_default(), low(6), low(0)]),
            }
        }
        self.0.extend(u16::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
        self.0.extend(bytes);
    }
}
