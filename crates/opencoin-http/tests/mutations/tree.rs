//! A message as a tree that can hold what no JSON library would write: fields twice, in any order, values
//! that are no JSON.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::Value;

/// A value of a message.
#[derive(Clone)]
pub(crate) enum Tree {
    Object(Vec<(String, Tree)>),
    List(Vec<Tree>),
    Text(String),
    /// Written as it stands: a number, a word, or nothing that JSON knows.
    Bare(String),
}

impl Tree {
    /// The tree of a JSON text, if it is one.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self::from_value)
    }

    fn from_value(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, Self::from_value(value)))
                    .collect(),
            ),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from_value).collect()),
            Value::String(text) => Self::Text(text),
            other => Self::Bare(other.to_string()),
        }
    }

    /// The JSON text; `gap` is called for the white space between any two tokens.
    pub(crate) fn write(&self, gap: &mut impl FnMut() -> &'static str) -> Vec<u8> {
        let mut json = String::new();
        self.write_to(&mut json, gap);
        json.into_bytes()
    }

    fn write_to(&self, json: &mut String, gap: &mut impl FnMut() -> &'static str) {
        json.push_str(gap());
        match self {
            Self::Object(fields) => {
                json.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    json.push_str(gap());
                    json.push_str(&quoted(name));
                    json.push_str(gap());
                    json.push(':');
                    value.write_to(json, gap);
                }
                json.push('}');
            }
            Self::List(items) => {
                json.push('[');
                for (index, item) in items.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    item.write_to(json, gap);
                }
                json.push(']');
            }
            Self::Text(text) => json.push_str(&quoted(text)),
            Self::Bare(bare) => json.push_str(bare),
        }
        json.push_str(gap());
    }

    /// One of the values, this one and all inside it, that are as wanted.
    pub(crate) fn any(&mut self, wanted: impl Fn(&Self) -> bool, rng: &mut StdRng) -> Option<&mut Self> {
        let count = self.count(&wanted);
        if count == 0 {
            return None;
        }
        let mut index = rng.gen_range(0..count);
        self.nth(&wanted, &mut index)
    }

    /// The fields of one of the objects that have some.
    pub(crate) fn any_fields(&mut self, rng: &mut StdRng) -> Option<&mut Vec<(String, Self)>> {
        match self.any(
            |tree| matches!(tree, Self::Object(fields) if !fields.is_empty()),
            rng,
        ) {
            Some(Self::Object(fields)) => Some(fields),
            _ => None,
        }
    }

    /// The items of one of the lists that have some.
    pub(crate) fn any_items(&mut self, rng: &mut StdRng) -> Option<&mut Vec<Self>> {
        match self.any(|tree| matches!(tree, Self::List(items) if !items.is_empty()), rng) {
            Some(Self::List(items)) => Some(items),
            _ => None,
        }
    }

    /// A value of some field with this name.
    pub(crate) fn any_of_name(&self, name: &str, rng: &mut StdRng) -> Option<Self> {
        let mut found = Vec::new();
        self.collect(name, &mut found);
        found.choose(rng).map(|tree| (*tree).clone())
    }

    fn collect<'tree>(&'tree self, name: &str, found: &mut Vec<&'tree Self>) {
        match self {
            Self::Object(fields) => {
                for (field, value) in fields {
                    if field == name {
                        found.push(value);
                    }
                    value.collect(name, found);
                }
            }
            Self::List(items) => items.iter().for_each(|item| item.collect(name, found)),
            Self::Text(_) | Self::Bare(_) => {}
        }
    }

    fn count(&self, wanted: &impl Fn(&Self) -> bool) -> usize {
        let inside: usize = match self {
            Self::Object(fields) => fields.iter().map(|(_, value)| value.count(wanted)).sum(),
            Self::List(items) => items.iter().map(|item| item.count(wanted)).sum(),
            Self::Text(_) | Self::Bare(_) => 0,
        };
        inside + usize::from(wanted(self))
    }

    fn nth(&mut self, wanted: &impl Fn(&Self) -> bool, index: &mut usize) -> Option<&mut Self> {
        if wanted(self) {
            if *index == 0 {
                return Some(self);
            }
            *index -= 1;
        }
        match self {
            Self::Object(fields) => fields.iter_mut().find_map(|(_, value)| value.nth(wanted, index)),
            Self::List(items) => items.iter_mut().find_map(|item| item.nth(wanted, index)),
            Self::Text(_) | Self::Bare(_) => None,
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
