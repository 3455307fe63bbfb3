//! How the program ends, as a number. The same numbers as MCP Inspector's CLI, plus 2.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: as asked.
    Ok,
    /// 1: something is wrong with what was typed.
    Usage,
    /// 2: something is wrong with the configuration.
    Configuration,
    /// 3: a server wants credentials first.
    Authorization,
    /// 4: a server, or the gateway that was asked, cannot be reached.
    Unreachable,
    /// 5: the tool was called and reports an error.
    ToolError,
}

impl Exit {
    /// All of them, by number.
    const ALL: [Self; 6] =
        [Self::Ok, Self::Usage, Self::Configuration, Self::Authorization, Self::Unreachable, Self::ToolError];

    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        Self::ALL.iter().zip(0..).find_map(|(exit, number)| (*exit == self).then_some(number)).unwrap_or(1)
    }

    /// The exit with this number; a usage error for one that there is not.
    #[must_use]
    pub fn of(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Usage)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_manual() {
        let numbers = Exit::ALL.map(Exit::number);
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
        assert_eq!((Exit::of(2), Exit::of(9)), (Exit::Configuration, Exit::Usage));
    }
}
