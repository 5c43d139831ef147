//! What a language must tell, so that the templates that write it can be proved.

/// What is wrong with the text at this point, in the words of the person who writes the template.
pub(super) type Fault = &'static str;

/// The state of a reader that takes a text byte by byte, with values in between.
pub(super) trait Grammar: Clone + Ord {
    /// One byte of literal text.
    fn step(&mut self, byte: u8) -> Result<(), Fault>;

    /// A value is written here, as the language writes values.
    fn hole(&mut self) -> Result<(), Fault>;

    /// A value that is no client's, such as this one.
    fn constant(&mut self, _text: &str) -> Result<(), Fault> {
        self.hole()
    }

    /// A tag begins or ends here.
    fn boundary(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// The text ends here.
    fn finished(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Whether a value here stands inside quotes that change how it is written.
    fn in_string(&self) -> bool {
        false
    }

    /// How many brackets are open.
    fn depth(&self) -> usize {
        0
    }
}
