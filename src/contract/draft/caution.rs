//! How boldly the parts of a file are proposed.

/// A part of the file, which can be proposed with more caution than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Head,
    Created,
    Invalid,
    Taken,
    Default,
}

/// How boldly a part of the file is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Caution {
    /// Everything that looks likely.
    #[default]
    None,
    /// Whole values only.
    Careful,
    /// As pasted, but for secrets.
    Literal,
}

/// The caution of each part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cautions {
    pub(super) head: Caution,
    pub(super) created: Caution,
    pub(super) invalid: Caution,
    pub(super) taken: Caution,
    pub(super) default: Caution,
}

impl Cautions {
    fn of(&mut self, part: Part) -> &mut Caution {
        match part {
            Part::Head => &mut self.head,
            Part::Created => &mut self.created,
            Part::Invalid => &mut self.invalid,
            Part::Taken => &mut self.taken,
            Part::Default => &mut self.default,
        }
    }

    /// More caution for the parts that complaints point at; false when there is no more.
    pub(super) fn raise(&mut self, parts: &[Part]) -> bool {
        let mut raised = false;
        for part in parts {
            let caution = self.of(*part);
            let more = match caution {
                Caution::None => Caution::Careful,
                Caution::Careful => Caution::Literal,
                Caution::Literal => continue,
            };
            *caution = more;
            raised = true;
        }
        raised
    }
}
