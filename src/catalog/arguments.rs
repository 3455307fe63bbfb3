//! Whether the arguments of a call are what the tool asks for, by the schema that it shows.
//!
//! Nothing is fetched, and what could take long is not checked at all: such a call goes to its server, which must look
//! for itself anyway. No value of a call is ever quoted.

mod bounds;
mod strict;
mod words;

use crate::catalog::arguments::bounds::Bounds;
use crate::catalog::arguments::words::Known;
use crate::catalog::arguments::words::fault;
use crate::wire::members::Members;
use jsonschema::PatternOptions;
use jsonschema::Retrieve;
use jsonschema::Uri;
use jsonschema::Validator;
use serde_json::Value;
use std::error::Error;
use std::sync::OnceLock;

/// Longest schema that is used, in bytes.
const MAX_SCHEMA: usize = 256 << 10;
/// So many faults are told.
const TOLD: usize = 4;
/// Longest program made of a pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// The schema of a tool, ready for use.
#[derive(Debug)]
pub struct Checker {
    validator: Validator,
    bounds: Bounds,
    known: Known,
}

/// Those of all tools, each made when it is first wanted.
#[derive(Debug)]
pub struct Checkers(Box<[OnceLock<Option<Box<Checker>>>]>);

impl Checkers {
    /// For so many tools.
    #[must_use]
    pub fn new(tools: usize) -> Self {
        Self((0..tools).map(|_| OnceLock::new()).collect())
    }

    /// That of one tool with this definition; `tell` hears once why there is none.
    pub fn of(&self, at: usize, definition: &str, tell: impl FnOnce(&Unusable)) -> Option<&Checker> {
        let made = self.0.get(at)?.get_or_init(|| match Checker::of_tool(definition) {
            Ok(checker) => Some(Box::new(checker)),
            Err(why) => {
                tell(&why);
                None
            }
        });
        made.as_deref()
    }
}

/// Why a schema is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The tool shows none.
    #[error("it has no `inputSchema`")]
    None,
    /// Too much to read.
    #[error("it has more than {MAX_SCHEMA} bytes")]
    TooLong,
    /// It is no JSON that can be read, or two readers could see two schemas.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It refers to something that is not in it, or to itself without an end.
    #[error("it refers to what is not in it, or to itself without an end")]
    References,
    /// It breaks the rules of schemas.
    #[error("it is no valid schema")]
    Invalid,
}

/// What is refused: nothing is fetched for a schema.
struct Nothing;

impl Retrieve for Nothing {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        Err("nothing is fetched for a schema".into())
    }
}

impl Checker {
    /// Prepares the schema of the tool with this definition.
    ///
    /// # Errors
    /// [`Unusable`]
    pub fn of_tool(definition: &str) -> Result<Self, Unusable> {
        let members = Members::parse_with_duplicates(definition).map_err(|_| Unusable::None)?;
        let schema = members.get("inputSchema").ok_or(Unusable::None)?.get();
        if schema.len() > MAX_SCHEMA {
            return Err(Unusable::TooLong);
        }
        let schema = strict::parse(schema).map_err(Unusable::Unreadable)?;
        let bounds = Bounds::of(&schema).ok_or(Unusable::References)?;
        let options = jsonschema::options().with_retriever(Nothing).with_pattern_options(
            PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN),
        );
        let validator = options.build(&schema).map_err(|_| Unusable::Invalid)?;
        Ok(Self { validator, bounds, known: Known::of(&schema) })
    }

    /// Checks the arguments of one call; absent ones are an empty object.
    ///
    /// # Errors
    /// What is wrong, in words, the first few faults.
    pub fn check(&self, arguments: Option<&str>) -> Result<(), Vec<String>> {
        let value = strict::parse(arguments.unwrap_or("{}")).map_err(|why| vec![why])?;
        if !self.bounds.allow(&value) || self.validator.is_valid(&value) {
            return Ok(());
        }
        let errors = self.validator.iter_errors(&value).take(TOLD);
        Err(errors.map(|error| fault(&error, &value, &self.known)).collect())
    }
}

#[cfg(test)]
mod tests;
