//! Values that may be written in more than one way, for the JSON Schema.
//!
//! They read nothing.

use indexmap::IndexMap;
use schemars::JsonSchema;

/// A text, a number or a boolean.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Flag(bool),
}

/// A text, or a list of texts.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub enum TextOrList {
    /// The program.
    Text(String),
    /// The program and its arguments.
    List(Vec<String>),
}

/// A duration, or a boolean.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub enum TextOrFlag {
    /// A duration or `never`.
    Text(String),
    /// `false`.
    Flag(bool),
}

/// Names, or `true` for all.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub enum NamesOrAll {
    /// These.
    Names(Vec<String>),
    /// All.
    All(bool),
}

/// A number, or `{startup, request}` in milliseconds.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub enum NumberOrObject {
    /// For one call.
    Number(f64),
    /// For starting and for one call.
    Object(IndexMap<String, f64>),
}
