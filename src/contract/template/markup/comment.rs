//! Where a comment ends.

/// How much of the end of a comment was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Comment {
    /// Nothing is in it yet, and in HTML `>` ends it.
    Empty,
    EmptyDash,
    Nothing,
    Dash,
    Dashes,
    /// `--!`
    Bang,
}

impl Comment {
    /// The next byte; nothing when it ends the comment.
    pub(super) fn next(self, byte: u8, html: bool) -> Option<Comment> {
        match (self, byte) {
            (Comment::Empty | Comment::EmptyDash | Comment::Bang, b'>') if html => None,
            (Comment::Dashes, b'>') => None,
            (Comment::Empty, b'-') => Some(Comment::EmptyDash),
            (Comment::Nothing | Comment::Bang, b'-') => Some(Comment::Dash),
            (Comment::EmptyDash | Comment::Dash | Comment::Dashes, b'-') => Some(Comment::Dashes),
            (Comment::Dashes, b'!') if html => Some(Comment::Bang),
            _ => Some(Comment::Nothing),
        }
    }
}
