//! Commands of one round trip, each with the meaning of its reply.
//!
//! Invariant: a list expects exactly one reply for each pushed command, so callers need not count the replies.

use redis::Cmd;

use crate::redis::wire::CommandBuffer;

/// The commands of one round trip. A value of type `R` says what a reply means.
#[derive(Debug)]
pub(crate) struct CommandList<R> {
    commands: CommandBuffer,
    expected_reply_groups: Vec<ExpectedReplyGroup<R>>,
    reply_count: usize,
}

/// The meaning and the number of consecutive replies that have the same meaning.
#[derive(Debug)]
struct ExpectedReplyGroup<R> {
    meaning: R,
    group_reply_count: usize,
}

impl<R> Default for CommandList<R> {
    fn default() -> Self {
        Self { commands: CommandBuffer::default(), expected_reply_groups: Vec::new(), reply_count: 0 }
    }
}

impl<R: Copy> CommandList<R> {
    /// Removes all commands and keeps the allocated memory.
    pub(crate) fn clear(&mut self) {
        self.commands.clear();
        self.expected_reply_groups.clear();
        self.reply_count = 0;
    }

    /// Appends `command`. `meaning` says what the reply to the command means.
    pub(crate) fn push_command(&mut self, meaning: R, command: &Cmd) {
        self.push_commands_with_meaning(meaning, |commands| commands.append_command(command));
    }

    /// Appends the commands that `append` writes into the buffer. `meaning` says what the reply to each of these
    /// commands means.
    pub(crate) fn push_commands_with_meaning(&mut self, meaning: R, append: impl FnOnce(&mut CommandBuffer)) {
        let before = self.commands.command_count();
        append(&mut self.commands);
        let count = self.commands.command_count() - before;
        self.expected_reply_groups.push(ExpectedReplyGroup { meaning, group_reply_count: count });
        self.reply_count += count;
    }

    /// Appends the command `last` and returns all encoded commands. The reply to `last` is not included in
    /// [`Self::reply_count`] and [`Self::expected_reply_meanings`].
    pub(crate) fn encode_with_last_command(&mut self, last: &Cmd) -> &[u8] {
        self.commands.append_command(last);
        self.commands.encoded_bytes()
    }

    /// Returns the meaning of each expected reply, in the order of the commands.
    pub(crate) fn expected_reply_meanings(&self) -> impl Iterator<Item = R> {
        self.expected_reply_groups
            .iter()
            .flat_map(|expected| std::iter::repeat_n(expected.meaning, expected.group_reply_count))
    }

    pub(crate) fn reply_count(&self) -> usize {
        self.reply_count
    }
}
