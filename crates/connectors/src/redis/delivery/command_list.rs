//! Commands to send, each with the meaning of its reply.
//!
//! Invariant: a list expects exactly as many replies as it has commands, so no caller counts them.

use crate::redis::wire::CommandBuffer;

/// Commands of one round trip. `R` says what a reply is about.
#[derive(Debug)]
pub(crate) struct CommandList<R> {
    commands: CommandBuffer,
    replies: Vec<ExpectedReplies<R>>,
    reply_count: usize,
}

/// Replies to neighbouring commands with the same meaning.
#[derive(Debug)]
struct ExpectedReplies<R> {
    meaning: R,
    count: usize,
}

impl<R> Default for CommandList<R> {
    fn default() -> Self {
        Self { commands: CommandBuffer::default(), replies: Vec::new(), reply_count: 0 }
    }
}

impl<R: Copy> CommandList<R> {
    /// Removes all commands and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.commands.clear();
        self.replies.clear();
        self.reply_count = 0;
    }

    /// Appends a command: its name, then its arguments.
    pub(crate) fn push(&mut self, meaning: R, words: &[&[u8]]) {
        self.push_with(meaning, |commands| commands.append_command(words));
    }

    /// Appends the commands that `append` writes; the replies to all of them have the same meaning.
    pub(crate) fn push_with(&mut self, meaning: R, append: impl FnOnce(&mut CommandBuffer)) {
        let before = self.commands.command_count();
        append(&mut self.commands);
        let count = self.commands.command_count() - before;
        self.replies.push(ExpectedReplies { meaning, count });
        self.reply_count += count;
    }

    /// Returns the encoded commands, with `last` behind them, whose reply is not among the expected ones.
    pub(crate) fn bytes_ending_with(&mut self, last: &[u8]) -> &[u8] {
        self.commands.append_command(&[last]);
        self.commands.bytes()
    }

    /// Returns the meaning of each reply, in the order of the commands.
    pub(crate) fn expected_replies(&self) -> impl Iterator<Item = R> {
        self.replies.iter().flat_map(|expected| std::iter::repeat_n(expected.meaning, expected.count))
    }

    pub(crate) fn reply_count(&self) -> usize {
        self.reply_count
    }
}
