//! Redis's wire format (RESP2): commands are arrays of texts with their lengths, and each gets a reply.

use std::collections::VecDeque;

/// The number of a connection, by which another connection can kill it.
pub(crate) type ConnectionNumber = u64;

/// A command with its arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CommandArguments(Vec<Vec<u8>>);

impl CommandArguments {
    /// Returns the name of the command.
    pub(crate) fn name(&self) -> &[u8] {
        self.0.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the arguments after the name.
    pub(crate) fn arguments(&self) -> &[Vec<u8>] {
        self.0.get(1..).unwrap_or_default()
    }
}

/// The reply to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RedisReply {
    Simple(&'static str),
    Error(&'static str),
    Integer(usize),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<RedisReply>),
}

impl RedisReply {
    /// Appends the encoded reply to `out`.
    pub(crate) fn append_to(&self, out: &mut VecDeque<u8>) {
        match self {
            Self::Simple(text) => out.extend(format!("+{text}\r\n").as_bytes()),
            Self::Error(text) => out.extend(format!("-{text}\r\n").as_bytes()),
            Self::Integer(number) => out.extend(format!(":{number}\r\n").as_bytes()),
            Self::Bulk(bytes) => {
                out.extend(format!("${}\r\n", bytes.len()).as_bytes());
                out.extend(bytes);
                out.extend(b"\r\n");
            }
            Self::Nil => out.extend(b"$-1\r\n"),
            Self::Array(replies) => {
                out.extend(format!("*{}\r\n", replies.len()).as_bytes());
                replies.iter().for_each(|reply| reply.append_to(out));
            }
        }
    }
}

/// Returns the commands in `bytes`. Ends at the first that is incomplete or is no command.
pub(crate) fn parse_commands(bytes: &[u8]) -> Vec<CommandArguments> {
    let mut rest = bytes;
    std::iter::from_fn(|| parse_command(&mut rest)).collect()
}

fn parse_command(rest: &mut &[u8]) -> Option<CommandArguments> {
    let count = take_length_line(rest, b'*')?;
    let mut texts = Vec::new();
    for _ in 0..count {
        let length = take_length_line(rest, b'$')?;
        let text = rest.get(..length)?;
        texts.push(text.to_vec());
        *rest = rest.get(length + 2..)?;
    }
    Some(CommandArguments(texts))
}

/// Removes a line like `$12` from the beginning of `rest`, and returns its number.
fn take_length_line(rest: &mut &[u8], mark: u8) -> Option<usize> {
    let digits = rest.strip_prefix(&[mark])?;
    let end = digits.windows(2).position(|pair| pair == b"\r\n")?;
    let number = str::from_utf8(&digits[..end]).ok()?.parse().ok()?;
    *rest = &digits[end + 2..];
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_the_client_writes_them() {
        let commands = parse_commands(b"*3\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n*1\r\n$4\r\nEXEC\r\n");
        assert_eq!(commands.len(), 2);
        assert_eq!((commands[0].name(), commands[1].name()), (&b"SET"[..], &b"EXEC"[..]));
        assert_eq!(commands[0].arguments(), [b"a\r\nb".to_vec(), Vec::new()]);
    }
}
